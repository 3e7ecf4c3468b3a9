// SPDX-License-Identifier: Apache-2.0
/* The examples of the vm-core reference in C, each as near to its text as C allows: creating a configuration, address
 * operations, handling faults, handling errors, and the UART as a memory-mapped device. */
#include "hv/base/fmt.h"
#include "hv/vm/vm_config.h"
#include "test/unit/toy_mmu.h"

TEST(R163_example_create_a_configuration)
{
    struct vm_config config = {
        .guest_arch  = GUEST_RISCV64,
        .memory_size = 128 * 1024 * 1024,            /* 128 MB */
        .vcpu_count  = 1,
        .exec_mode   = EXEC_INTERPRETER,
        .kernel_path = "/path/to/kernel",
        .initrd_path = NULL,
    };
    char line[64];
    hv_snprintf(line, sizeof line, "Architecture: %s", guest_arch_name(config.guest_arch));
    CHECK_STR(line, "Architecture: riscv64");
    CHECK(config.memory_size == vm_config_default().memory_size && config.vcpu_count == vm_config_default().vcpu_count);
    CHECK(!vm_failed(vm_config_check(&config, GUEST_ARCH_COUNT, "a process", MIB(256))));
}

TEST(R164_example_address_operations)
{
    guest_addr addr1 = guest_addr_make(0x1000);
    guest_addr addr2 = guest_addr_wrapping_add(addr1, 0x100);
    uint64_t offset = guest_addr_diff(addr2, addr1);
    char line[64];
    hv_snprintf(line, sizeof line, "Address: %lx", (unsigned long)guest_addr_value(addr2));
    CHECK_STR(line, "Address: 1100");
    hv_snprintf(line, sizeof line, "Offset: %lx", (unsigned long)offset);
    CHECK_STR(line, "Offset: 100");
}

static void handle_fault(const struct fault *fault, char *line, size_t cap)
{
    switch (fault->kind) {
    case FAULT_PAGE:
        hv_snprintf(line, cap, "Page fault at %lx, type: %s", (unsigned long)fault->page.addr.v, access_type_name(fault->page.access_type));
        break;
    case FAULT_INVALID_OPCODE:
        hv_snprintf(line, cap, "Invalid opcode %x at %lx", fault->invalid_opcode.opcode, (unsigned long)fault->invalid_opcode.pc.v);
        break;
    default:
        hv_snprintf(line, cap, "Other fault: %s", fault_kind_name(fault->kind));
        break;
    }
}

TEST(R165_example_handle_a_fault)
{
    char line[64];
    struct fault page = { .kind = FAULT_PAGE, .page = { .addr = { 0x1000 }, .access_type = ACCESS_READ, .is_write = false, .is_user = true } };
    struct fault opcode = fault_invalid_opcode(guest_addr_make(0x80000000), 0xdeadbeef);
    struct fault alignment = fault_alignment(guest_addr_make(0x1001), 4, ACCESS_WRITE);
    handle_fault(&page, line, sizeof line);
    CHECK_STR(line, "Page fault at 1000, type: Read");
    handle_fault(&opcode, line, sizeof line);
    CHECK_STR(line, "Invalid opcode deadbeef at 80000000");
    handle_fault(&alignment, line, sizeof line);
    CHECK_STR(line, "Other fault: AlignmentFault");
}

static struct vm_error read_memory(struct mmu *mmu, guest_addr addr, uint64_t *value)
{
    struct vm_error e = mmu_read(mmu, addr, 8, value);
    if (vm_failed(e)) return e;                      /* the reference's `?` */
    return VM_SUCCESS;
}
static const char *handle_error(const struct vm_error *e, char *line, size_t cap)
{
    switch (e->domain) {
    case VM_ERROR_NONE:      return "success";
    case VM_ERROR_MEMORY:    hv_snprintf(line, cap, "Memory error: %s at %lx", vm_error_text(e->kind), (unsigned long)e->addr.v); break;
    case VM_ERROR_EXECUTION: hv_snprintf(line, cap, "Execution error: %s", fault_kind_name(e->fault.kind)); break;
    case VM_ERROR_CORE: case VM_ERROR_DEVICE: case VM_ERROR_PLATFORM: hv_snprintf(line, cap, "%s error: %s", vm_error_domain_name(e->domain), e->reason); break;
    case VM_ERROR_DOMAIN_COUNT: break;
    }
    return line;
}

TEST(R166_example_handle_an_error)
{
    static struct toy t;
    char line[96];
    uint64_t value = 0;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    toy_map(&t, 0, 0x2000, TOY_NOTHING);
    struct vm_error e = read_memory(&t.mmu, guest_addr_make(0x1000), &value);
    CHECK_STR(handle_error(&e, line, sizeof line), "success");
    e = read_memory(&t.mmu, guest_addr_make(0x2000), &value);
    CHECK_STR(handle_error(&e, line, sizeof line), "Memory error: no RAM or device at this address at 2000");
    e = read_memory(&t.mmu, guest_addr_make(0x5000), &value);
    CHECK_STR(handle_error(&e, line, sizeof line), "Execution error: PageFault");
    e = vm_error_because(VM_PLATFORM_ACCELERATION_UNAVAILABLE, "no VT-x here");
    CHECK_STR(handle_error(&e, line, sizeof line), "Platform error: no VT-x here");
    toy_end(&t);
}

/* The reference's UartDevice. */
struct uart { uint8_t tx_data, rx_data; };
static struct vm_error uart_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)size_bytes;
    switch (offset) {
    case 0:  *out = ((struct uart *)dev)->rx_data; break;
    default: *out = 0; break;
    }
    return VM_SUCCESS;
}
static struct vm_error uart_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    (void)size_bytes;
    switch (offset) {
    case 0:  ((struct uart *)dev)->tx_data = (uint8_t)value; break;
    default: break;
    }
    return VM_SUCCESS;
}
static const struct mmio_ops UART = { .name = "example UART", .read = uart_read, .write = uart_write };

TEST(R131_example_uart_as_a_device)
{
    static struct toy t;
    struct uart uart = { .rx_data = 'A' };
    uint64_t value;
    toy_start(&t);
    CHECK(!vm_failed(mmu_map_mmio(&t.bus, &(struct mmio_region){ .base = { 0x10000000 }, .size_bytes = 0x100, .min_access_bytes = 1,
                                                                  .max_access_bytes = 8, .ops = &UART, .dev = &uart })));
    toy_map(&t, 0, 0x3000, 0x10000000);
    for (unsigned size = 1; size <= 8; size *= 2) {
        CHECK(!vm_failed(mmu_read(&t.mmu, guest_addr_make(0x3000), size, &value)) && value == 'A');          /* offset 0: rx_data */
        uart.tx_data = 0;
        CHECK(!vm_failed(mmu_write(&t.mmu, guest_addr_make(0x3000), size, 0x1122334455667742)) && uart.tx_data == 0x42);   /* low 8 bits */
        CHECK(!vm_failed(mmu_read(&t.mmu, guest_addr_make(0x3000 + 2 * size), size, &value)) && value == 0);       /* others read 0 ... */
        CHECK(!vm_failed(mmu_write(&t.mmu, guest_addr_make(0x3000 + 2 * size), size, 0x99)) && uart.tx_data == 0x42); /* ... and ignore writes */
    }
    CHECK(uart.rx_data == 'A');
    toy_end(&t);
}

/* Rust's Send + Sync: plain data that may be copied between cores. No pointer hides in addresses, statistics or faults. */
_Static_assert(sizeof(guest_addr) == 8 && sizeof(guest_phys_addr) == 8 && sizeof(host_addr) == sizeof(void *), "addresses are words");
_Static_assert(__alignof__(guest_addr) == __alignof__(uint64_t) && __alignof__(guest_phys_addr) == __alignof__(uint64_t), "and aligned as such");
_Static_assert(__builtin_types_compatible_p(__typeof__(((guest_addr *)0)->v), uint64_t), "values, not references");
_Static_assert(!__builtin_types_compatible_p(guest_addr, guest_phys_addr) && !__builtin_types_compatible_p(guest_phys_addr, host_addr), "three types");

TEST(R27_R167_addresses_configuration_statistics_and_faults_are_plain_data)
{
    struct vm_config a = VM_CONFIG_DEFAULT, b;
    memcpy(&b, &a, sizeof a);                                        /* a copy by bytes is a copy */
    a.memory_size = 0;
    CHECK(b.memory_size == MIB(128) && b.vcpu_count == 1 && !vm_failed(vm_config_check(&b, GUEST_ARCH_COUNT, "a process", MIB(256))));
    struct fault f = fault_page(guest_addr_make(0x1234), ACCESS_ATOMIC, true), g;
    memcpy(&g, &f, sizeof f);
    f.page.addr = guest_addr_make(0);
    CHECK(g.page.addr.v == 0x1234 && g.page.is_write && g.page.is_user);
}

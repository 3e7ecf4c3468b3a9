// SPDX-License-Identifier: Apache-2.0
/* The whole riscv64 machine, built as a VM builds it, with harts that do not run: its map, its reset, its doors. */
#include "hv/base/bits.h"
#include "hv/isa/riscv64/machine.h"
#include "test/unit/riscv64_hart.h"

#define MEMORY MIB(16)
#define HARTS  2

struct world {
    struct gmem gmem;
    struct mmio_bus bus;
    struct guest_clock clock;
    struct vcpu v[HARTS];
    struct machine_config config;
    struct block *disk;
    void *machine;
    char out[256];
    size_t out_length;
    int powered;
    uint32_t code;
};
static uint8_t kernel[0x1000], initrd[100];

static void power(void *vm, enum power_request what, uint32_t code)
{
    struct world *w = vm;
    w->powered = 1 + (int)what;
    w->code = code;
}
static void console_write(void *vm, const char *text, size_t length)
{
    struct world *w = vm;
    CHECK(w->out_length + length < sizeof w->out);
    memcpy(w->out + w->out_length, text, length);
    w->out_length += length;
}
static uint64_t wall_time_s(void) { return 1700000000; }
static bool random_bytes(void *out, size_t size_bytes)
{
    memset(out, 0x5a, size_bytes);
    return true;
}
static void forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes) { (void)v, (void)at, (void)size_bytes; }
static const struct engine_ops idle_engine = { .name = "idle", .forget_code = forget };

static struct world *world_start(bool is_firmware)
{
    struct world *w = calloc(1, sizeof *w);
    hart_pages();
    gmem_init(&w->gmem);
    mmio_init(&w->bus);
    for (unsigned i = 0; i < sizeof kernel; i++) kernel[i] = (uint8_t)(i * 7 + 1);
    memset(initrd, 0x77, sizeof initrd);
    CHECK(!vm_failed(block_ram_create(65536, &w->disk)));
    w->config = (struct machine_config){ .memory_size = MEMORY, .vcpu_count = HARTS, .kernel = { kernel, sizeof kernel },
                                         .initrd = { initrd, sizeof initrd }, .cmdline = "hello", .disk = { w->disk }, .disk_count = 1 };
    if (is_firmware) w->config.firmware = (struct blob){ kernel, sizeof kernel };
    w->clock = (struct guest_clock){ .frequency_hz = 10000000, .offset_ns = 1000, .stopped_at_ns = 1000 + 1000 * TICK_NS };
    for (unsigned i = 0; i < HARTS; i++) {
        struct vcpu *v = &w->v[i];
        v->isa = &RISCV64_ISA;
        v->engine = &idle_engine;
        v->clock = &w->clock;
        v->id = i;
        v->deadline_ns = UINT64_MAX;
        CHECK(!vm_failed(mmu_init(&v->mmu, &w->gmem, &w->bus, RISCV64_ISA.walk, v)));
    }
    const struct machine_host host = { w, power, console_write, wall_time_s, random_bytes };
    CHECK(!vm_failed(RISCV64_VIRT.create(&w->config, &host, &w->gmem, &w->bus, w->v, &w->clock, &w->machine)));
    CHECK(!vm_failed(RISCV64_VIRT.reset(w->machine)));
    return w;
}
static void world_end(struct world *w)
{
    mmio_destroy(&w->bus);
    RISCV64_VIRT.destroy(w->machine);
    for (unsigned i = 0; i < HARTS; i++) mmu_destroy(&w->v[i].mmu);
    gmem_free(&w->gmem);
    block_destroy(w->disk);
    free(w);
}
static uint64_t in(struct world *w, uint64_t at, unsigned size_bytes)
{
    uint64_t v = 0;
    CHECK(mmio_read(&w->bus, guest_phys_addr_make(at), size_bytes, &v));
    return v;
}
static void out(struct world *w, uint64_t at, unsigned size_bytes, uint64_t v)
{
    CHECK(mmio_write(&w->bus, guest_phys_addr_make(at), size_bytes, v));
}
static uint64_t sbi(struct world *w, unsigned hart, uint64_t a7, uint64_t a6, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct vcpu *v = &w->v[hart];
    v->regs.slot[17] = a7, v->regs.slot[16] = a6, v->regs.slot[10] = a0, v->regs.slot[11] = a1, v->regs.slot[12] = a2;
    v->hypercall = RV_HYPERCALL_SBI;
    RISCV64_VIRT.hypercall(w->machine, v);
    CHECK_EQ_U64(v->hypercall, 0);                          /* served once */
    return v->regs.slot[10];
}

TEST(machine_kernel_starts_in_supervisor_mode_on_hart_0)
{
    struct world *w = world_start(false);
    uint8_t got[sizeof kernel];
    CHECK(RISCV64_VIRT.is_started(w->machine, 0) && !RISCV64_VIRT.is_started(w->machine, 1));
    CHECK_EQ_U64(w->v[0].regs.pc, RAM + MIB(2));
    CHECK_EQ_U64(rv_csrs(&w->v[0])->privilege, RV_S);
    CHECK_EQ_U64(w->v[0].regs.slot[10], 0);
    uint64_t dtb = w->v[0].regs.slot[11];
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(dtb), got, 4)));
    CHECK_EQ_U64(load_be32(got), 0xd00dfeed);
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(RAM + MIB(2)), got, sizeof got)));
    CHECK(!memcmp(got, kernel, sizeof kernel));
    CHECK_EQ_U64(sbi(w, 0, 0x48534d, 0, 1, RAM + 0x100, 42), 0);
    CHECK(RISCV64_VIRT.is_started(w->machine, 1));
    CHECK_EQ_U64(w->v[1].regs.pc, RAM + 0x100);
    world_end(w);
}

TEST(machine_firmware_starts_in_machine_mode_on_every_hart)
{
    struct world *w = world_start(true);
    for (unsigned h = 0; h < HARTS; h++) {
        CHECK(RISCV64_VIRT.is_started(w->machine, h));
        CHECK_EQ_U64(w->v[h].regs.pc, RAM);
        CHECK_EQ_U64(rv_csrs(&w->v[h])->privilege, RV_M);
        CHECK_EQ_U64(w->v[h].regs.slot[10], h);
        uint64_t info[6];
        CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(w->v[h].regs.slot[12]), info, sizeof info)));
        CHECK_EQ_U64(info[0], 0x4942534f);
        CHECK_EQ_U64(info[2], RAM + MIB(2));
        CHECK_EQ_U64(info[3], 1);
    }
    world_end(w);
}

TEST(machine_map_is_that_of_qemu_virt)
{
    struct world *w = world_start(false);
    uint64_t v;
    CHECK_EQ_U64(in(w, 0x10000005, 1) & 0x60, 0x60);                    /* UART: transmitter empty */
    CHECK_EQ_U64(in(w, 0x200bff8, 8), 0);                               /* CLINT: mtime, cleared by the reset */
    CHECK_EQ_U64(in(w, 0xc000000, 4), 0);
    uint64_t low = in(w, 0x101000, 4);
    CHECK((low | in(w, 0x101004, 4) << 32) / 1000000000 - 1700000000 < 600);
    static const uint32_t ids[8] = { 2, 0, 0, 0, 0, 0, 3, 4 };          /* disk, empty ..., console, entropy */
    for (unsigned n = 0; n < 8; n++) {
        CHECK_EQ_U64(in(w, 0x10001000 + n * 0x1000, 4), 0x74726976);
        CHECK_EQ_U64(in(w, 0x10001008 + n * 0x1000, 4), ids[n]);
    }
    CHECK(!mmio_read(&w->bus, guest_phys_addr_make(0x10009000), 4, &v));
    CHECK(!mmio_read(&w->bus, guest_phys_addr_make(0x30000000), 4, &v));
    world_end(w);
}

TEST(machine_finisher_powers_off_fails_and_reboots)
{
    struct world *w = world_start(false);
    out(w, 0x100000, 4, 0x5555);
    CHECK(w->powered == 1 + POWER_OFF && w->code == 0);
    out(w, 0x100000, 4, 0x3333 | 7 << 16);
    CHECK(w->powered == 1 + POWER_OFF && w->code == 7);
    out(w, 0x100000, 4, 0x7777);
    CHECK(w->powered == 1 + POWER_REBOOT);
    world_end(w);
}

TEST(machine_wires_end_at_the_right_pins)
{
    struct world *w = world_start(false);
    out(w, 0x2000004, 4, 1);                                            /* msip of hart 1 */
    CHECK_EQ_U64(w->v[1].pins & RV_PINS, 1u << RV_IRQ_MSI);
    out(w, 0x2000004, 4, 0);
    CHECK_EQ_U64(w->v[1].pins & RV_PINS, 0);
    out(w, 0xc000000 + 4 * 10, 4, 1);                                   /* UART's priority */
    out(w, 0xc002000 + 0x80 * 3, 4, 1u << 10);                          /* context 3: hart 1, supervisor */
    out(w, 0x10000001, 1, 1);                                           /* receive interrupt */
    RISCV64_VIRT.console_input(w->machine, "k", 1);
    CHECK_EQ_U64(w->v[1].pins & RV_PINS, 1u << RV_IRQ_SEI);
    CHECK_EQ_U64(in(w, 0xc203004, 4), 10);
    CHECK_EQ_U64(in(w, 0x10000000, 1), 'k');
    CHECK_EQ_U64(w->v[1].pins & RV_PINS, 0);
    CHECK_EQ_U64(w->v[0].pins & RV_PINS, 0);
    world_end(w);
}

TEST(machine_console_is_one_for_uart_and_sbi)
{
    struct world *w = world_start(false);
    out(w, 0x10000000, 1, 'u');
    sbi(w, 0, 1, 0, 's', 0, 0);
    CHECK(w->out_length == 2 && !memcmp(w->out, "us", 2));
    CHECK(RISCV64_VIRT.console_room(w->machine) >= 1);
    RISCV64_VIRT.console_input(w->machine, "k", 1);
    CHECK_EQ_U64(sbi(w, 0, 2, 0, 0, 0, 0), 'k');
    CHECK_EQ_U64(sbi(w, 0, 2, 0, 0, 0, 0), UINT64_MAX);
    world_end(w);
}

TEST(machine_reset_brings_back_images_devices_and_harts)
{
    struct world *w = world_start(false);
    uint8_t got[sizeof kernel];
    memset(got, 0, sizeof got);
    CHECK_EQ_U64(sbi(w, 0, 0x48534d, 0, 1, RAM + 0x100, 42), 0);
    CHECK(!vm_failed(gmem_write_bulk(&w->gmem, guest_phys_addr_make(RAM + MIB(2)), got, sizeof got)));
    out(w, 0x2000000, 4, 1);
    out(w, 0xc000000 + 4 * 10, 4, 7);
    w->v[0].is_halted = true;
    rv_csrs(&w->v[0])->satp = 8ull << 60;
    CHECK(!vm_failed(RISCV64_VIRT.reset(w->machine)));
    CHECK(!RISCV64_VIRT.is_started(w->machine, 1));
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(RAM + MIB(2)), got, sizeof got)));
    CHECK(!memcmp(got, kernel, sizeof kernel));
    CHECK_EQ_U64(w->v[0].pins & RV_PINS, 0);
    CHECK_EQ_U64(in(w, 0xc000000 + 4 * 10, 4), 0);
    CHECK_EQ_U64(w->v[0].regs.pc, RAM + MIB(2));
    CHECK_EQ_U64(rv_csrs(&w->v[0])->satp, 0);
    CHECK(!w->v[0].is_halted);
    world_end(w);
}

TEST(machine_that_runs_out_of_memory_leaves_nothing_behind)
{
    struct world *w = world_start(false);
    struct machine_config c = w->config;
    uint64_t free_pages = page_available();
    for (unsigned n = 1; n < 40; n++) {
        struct gmem g;
        struct mmio_bus bus;
        void *machine = NULL;
        const struct machine_host host = { w, power, console_write, wall_time_s, random_bytes };
        gmem_init(&g);
        mmio_init(&bus);
        page_fail_at(n);
        struct vm_error e = RISCV64_VIRT.create(&c, &host, &g, &bus, w->v, &w->clock, &machine);
        page_fail_at(0);
        CHECK(vm_failed(e) == !machine);
        mmio_destroy(&bus);
        if (machine) RISCV64_VIRT.destroy(machine);
        gmem_free(&g);
    }
    CHECK(page_available() + 64 >= free_pages);                         /* the heap keeps some of its pages */
    world_end(w);
}

TEST(machine_option_limits_the_page_tables)
{
    struct hart h;
    uint64_t old;
    hart_start(&h, true);
    rv_set_max_satp_mode(&h.v, RV_SV48);
    rv_reset(&h.v);                                                     /* a policy outlives a reset */
    CHECK(hart_csr(&h, 1, 0x180, 9ull << 60 | 5, true, &old));
    CHECK_EQ_U64(csrs_of(&h)->satp, 9ull << 60 | 5);
    CHECK(hart_csr(&h, 1, 0x180, 10ull << 60 | 6, true, &old));
    CHECK_EQ_U64(csrs_of(&h)->satp, 9ull << 60 | 5);                    /* unsupported: no bit changes */
    hart_end(&h);
}

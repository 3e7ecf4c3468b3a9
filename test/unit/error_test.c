// SPDX-License-Identifier: Apache-2.0
/* Faults and errors: hv/base/error.h. */
#include "hv/base/error.h"
#include "test/harness/test.h"

static const char *text_of_fault(struct fault f)
{
    static char text[128];
    fault_format(text, sizeof text, &f);
    return text;
}

static const char *text_of(struct vm_error e)
{
    static char text[160];
    vm_error_format(text, sizeof text, &e);
    return text;
}

TEST(R78_a_write_or_an_atomic_is_a_write_fault)
{
    CHECK(!fault_page(guest_addr_make(0), ACCESS_READ, false).page.is_write);
    CHECK(fault_page(guest_addr_make(0), ACCESS_WRITE, false).page.is_write);
    CHECK(!fault_page(guest_addr_make(0), ACCESS_EXECUTE, false).page.is_write);
    CHECK(fault_page(guest_addr_make(0), ACCESS_ATOMIC, false).page.is_write);
}

TEST(R85_invalid_opcode_has_its_pc)     { CHECK_EQ_U64(fault_invalid_opcode(guest_addr_make(0x80000004), 7).invalid_opcode.pc.v, 0x80000004); }
TEST(R86_invalid_opcode_has_the_opcode) { CHECK_EQ_U64(fault_invalid_opcode(guest_addr_make(0), 0xdeadbeef).invalid_opcode.opcode, 0xdeadbeef); }

TEST(R87_a_fault_is_built_taken_apart_and_printed)
{
    struct fault f = fault_page(guest_addr_make(0x1234), ACCESS_WRITE, true);
    CHECK(f.kind == FAULT_PAGE && f.page.addr.v == 0x1234 && f.page.access_type == ACCESS_WRITE && f.page.is_write && f.page.is_user);
    CHECK_STR(text_of_fault(f), "PageFault at 0x1234 (Write, user)");
    CHECK_STR(text_of_fault(fault_protection(0x73)), "GeneralProtection, code 0x73");
    CHECK_STR(text_of_fault((struct fault){ .kind = FAULT_SEGMENT, .segment = { 0x10 } }), "SegmentFault, selector 0x10");
    CHECK_STR(text_of_fault(fault_alignment(guest_addr_make(3), 4, ACCESS_ATOMIC)), "AlignmentFault at 0x3 (Atomic of 4 bytes)");
    CHECK_STR(text_of_fault(fault_bus(guest_phys_addr_make(0x10), guest_addr_make(0x20), ACCESS_READ)), "BusError at physical 0x10 (Read)");
    CHECK_STR(text_of_fault(fault_invalid_opcode(guest_addr_make(0x40), 0xff)), "InvalidOpcode 0x000000ff at 0x40");
    CHECK_STR(text_of_fault(fault_trap(8, 0)), "Trap 8");
    CHECK_STR(text_of_fault((struct fault){ .kind = FAULT_NONE }), "None");
}

TEST(fault_kinds_have_the_reference_names)
{
    static const char *const name[] = { "None", "PageFault", "GeneralProtection", "SegmentFault", "AlignmentFault", "BusError",
                                        "InvalidOpcode", "Trap" };
    for (unsigned k = 0; k < FAULT_KIND_COUNT; k++) CHECK_STR(fault_kind_name((enum fault_kind)k), name[k]);
    CHECK_STR(fault_kind_name((enum fault_kind)99), "?");
}

/* A switch over all domains without a default: a new one would not compile. */
static const char *domain_by_switch(enum vm_error_domain d)
{
    switch (d) {
    case VM_ERROR_NONE:         return "None";
    case VM_ERROR_MEMORY:       return "Memory";
    case VM_ERROR_EXECUTION:    return "Execution";
    case VM_ERROR_CORE:         return "Core";
    case VM_ERROR_DEVICE:       return "Device";
    case VM_ERROR_PLATFORM:     return "Platform";
    case VM_ERROR_DOMAIN_COUNT: break;
    }
    return "?";
}

TEST(R133_five_domains_each_with_its_payload)
{
    CHECK_EQ_U64(VM_ERROR_DOMAIN_COUNT, 6);
    for (unsigned d = 0; d < VM_ERROR_DOMAIN_COUNT; d++) {
        CHECK_STR(vm_error_domain_name((enum vm_error_domain)d), domain_by_switch((enum vm_error_domain)d));
    }
    struct fault f = fault_trap(3, 9);
    struct vm_error e[] = { vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_addr_make(0x99)), vm_error_fault(&f),
                            vm_error_because(VM_CORE_CONFIG, "c"), vm_error_because(VM_DEVICE_BUSY, "d"), vm_error_because(VM_PLATFORM_FIRMWARE, "p") };
    for (unsigned i = 0; i < 5; i++) CHECK(vm_failed(e[i]) && (unsigned)e[i].domain == i + 1);
    CHECK_EQ_U64(e[0].addr.v, 0x99);
    CHECK(e[1].fault.kind == FAULT_TRAP && e[1].fault.trap.number == 3 && e[1].fault.trap.value == 9);
    CHECK_STR(e[2].reason, "c");
    CHECK_STR(e[3].reason, "d");
    CHECK_STR(e[4].reason, "p");
}

static void check_kinds(enum vm_error_domain d, const enum vm_error_kind *kind, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct vm_error e = vm_error_because(kind[i], "why");
        CHECK(e.domain == d && e.kind == kind[i] && vm_failed(e));
        CHECK(strstr(text_of(e), vm_error_domain_name(d)) && strstr(text_of(e), vm_error_text(kind[i])) && strstr(text_of(e), "why"));
    }
}

TEST(R134_core_errors)
{
    check_kinds(VM_ERROR_CORE, (enum vm_error_kind[]){ VM_CORE_CONFIG, VM_CORE_INVALID_CONFIG, VM_CORE_INVALID_STATE, VM_CORE_NOT_SUPPORTED,
                VM_CORE_DECODE, VM_CORE_INTERNAL, VM_CORE_RESOURCE_EXHAUSTED, VM_CORE_CONCURRENCY, VM_CORE_INVALID_PARAMETER }, 9);
}
TEST(R135_device_errors)
{
    check_kinds(VM_ERROR_DEVICE, (enum vm_error_kind[]){ VM_DEVICE_NOT_FOUND, VM_DEVICE_INIT_FAILED, VM_DEVICE_IO_FAILED, VM_DEVICE_CONFIG,
                VM_DEVICE_BUSY, VM_DEVICE_UNSUPPORTED_OPERATION }, 6);
}
TEST(R136_platform_errors_name_missing_acceleration)
{
    check_kinds(VM_ERROR_PLATFORM, (enum vm_error_kind[]){ VM_PLATFORM_ACCELERATION_UNAVAILABLE, VM_PLATFORM_UNSUPPORTED_ARCH,
                VM_PLATFORM_PERMISSION_DENIED, VM_PLATFORM_FIRMWARE }, 4);
    CHECK(strstr(vm_error_text(VM_PLATFORM_ACCELERATION_UNAVAILABLE), "hardware virtualization"));
}

TEST(R140_execution_error_carries_the_fault)
{
    struct fault f = fault_page(guest_addr_make(0x5000), ACCESS_EXECUTE, false);
    struct vm_error e = vm_error_fault(&f);
    CHECK(e.domain == VM_ERROR_EXECUTION && e.kind == VM_EXECUTION_FAULT && e.fault.kind == FAULT_PAGE);
    CHECK_STR(text_of(e), "Execution: PageFault at 0x5000 (Execute, supervisor)");
}

TEST(R141_invalid_instruction_is_not_invalid_opcode)
{
    struct fault f = fault_invalid_opcode(guest_addr_make(4), 0);
    struct vm_error engine = vm_error_because(VM_EXECUTION_INVALID_INSTRUCTION, NULL), guest = vm_error_fault(&f);
    CHECK(engine.domain == VM_ERROR_EXECUTION && guest.domain == VM_ERROR_EXECUTION && engine.kind != guest.kind);
}

TEST(R142_success_is_zero)
{
    struct vm_error zero;
    memset(&zero, 0, sizeof zero);
    CHECK(!vm_failed(VM_SUCCESS) && !vm_failed(zero));
    CHECK(sizeof(struct vm_error) <= 64);                        /* a plain value: returned, never allocated */
}

TEST(every_error_kind_has_a_text_of_its_own)
{
    for (unsigned a = 1; a < VM_ERROR_KIND_COUNT; a++) {
        for (unsigned b = a + 1; b < VM_ERROR_KIND_COUNT; b++) {
            bool same = !strcmp(vm_error_text((enum vm_error_kind)a), vm_error_text((enum vm_error_kind)b));
            CHECK(!same || vm_error_because((enum vm_error_kind)a, "").domain != vm_error_because((enum vm_error_kind)b, "").domain);
        }
    }
}

TEST(formatting_truncates_and_terminates)
{
    char text[8] = "xxxxxxx";
    struct vm_error e = vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_addr_make(0x123456));
    int wanted = vm_error_format(text, sizeof text, &e);
    CHECK(wanted > 8 && strlen(text) == 7);
    CHECK_STR(text, "Memory:");
}

TEST(a_kind_out_of_range_becomes_an_internal_error)
{
    CHECK(vm_error_because((enum vm_error_kind)999, "x").domain == VM_ERROR_CORE);
    CHECK_STR(vm_error_text((enum vm_error_kind)999), vm_error_text(VM_CORE_INTERNAL));
}

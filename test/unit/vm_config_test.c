// SPDX-License-Identifier: Apache-2.0
/* struct vm_config, its defaults and its refusals: hv/vm/vm_config.h. */
#include "hv/vm/vm_config.h"
#include "test/harness/test.h"

static struct vm_config c;
static struct vm_error judge(void) { return vm_config_check(&c, GUEST_X86_64, NULL, GIB(4)); }

TEST(R40_guest_arch_is_any_of_the_four)
{
    c = vm_config_default();
    for (unsigned a = 0; a < GUEST_ARCH_COUNT; a++) {
        c.guest_arch = (enum guest_arch)a;
        CHECK(!vm_failed(judge()));
    }
}

TEST(R41_memory_size_is_in_bytes_up_to_what_the_host_has)
{
    c = vm_config_default();
    c.memory_size = GIB(4);
    CHECK(!vm_failed(judge()));
    c.memory_size += 4096;
    CHECK(vm_failed(judge()));
}

TEST(R42_vcpu_count_is_1_to_64)
{
    c = vm_config_default();
    for (unsigned n = 0; n < 100; n++) {
        c.vcpu_count = (uint16_t)n;
        CHECK(vm_failed(judge()) == (n < 1 || n > VM_MAX_VCPUS));
    }
}

TEST(R46_default_architecture_is_riscv64)    { CHECK(vm_config_default().guest_arch == GUEST_RISCV64); }
TEST(R47_default_memory_is_128_mib)          { CHECK_EQ_U64(vm_config_default().memory_size, 134217728); }
TEST(R48_default_is_one_vcpu)                { CHECK_EQ_U64(vm_config_default().vcpu_count, 1); }
TEST(R49_default_mode_is_the_interpreter)    { CHECK(vm_config_default().exec_mode == EXEC_INTERPRETER && !vm_config_default().is_mode_auto); }

TEST(R50_default_has_no_kernel_and_no_initrd)
{
    c = vm_config_default();
    CHECK(!c.kernel_path && !c.initrd_path && !c.firmware_path && !c.cmdline && !c.disk_count);
    CHECK(!vm_failed(judge()));                                      /* R44: fine without */
    struct vm_config same = VM_CONFIG_DEFAULT;
    CHECK(same.guest_arch == c.guest_arch && same.memory_size == c.memory_size && same.vcpu_count == c.vcpu_count && same.exec_mode == c.exec_mode);
}

TEST(R44_R45_kernel_and_initrd_are_optional_and_independent)
{
    for (unsigned i = 0; i < 4; i++) {
        c = vm_config_default();
        c.kernel_path = i & 1 ? "kernel" : NULL;
        c.initrd_path = i & 2 ? "initrd" : NULL;
        CHECK(!vm_failed(judge()));
    }
}

TEST(R51_all_six_fields_in_one_initialiser)
{
    struct vm_config six = { .guest_arch = GUEST_ARM64, .memory_size = MIB(256), .vcpu_count = 4, .exec_mode = EXEC_JIT,
                             .kernel_path = "/boot/Image", .initrd_path = "/boot/initrd" };
    CHECK(six.guest_arch == GUEST_ARM64 && six.memory_size == MIB(256) && six.vcpu_count == 4 && six.exec_mode == EXEC_JIT);
    CHECK_STR(six.kernel_path, "/boot/Image");
    CHECK_STR(six.initrd_path, "/boot/initrd");
    c = six;
    CHECK(!vm_failed(judge()));
}

#define BASIC(a, m, n, e) { .guest_arch = (a), .memory_size = (m), .vcpu_count = (n), .exec_mode = (e) }

TEST(R52_invalid_configurations_are_core_or_platform_errors)
{
    static const struct { const char *what; struct vm_config c; enum vm_error_kind kind; } bad[] = {
        { "0 bytes",          BASIC(GUEST_RISCV64, 0, 1, EXEC_INTERPRETER),               VM_CORE_INVALID_CONFIG },
        { "odd bytes",        BASIC(GUEST_RISCV64, MIB(1) + 1, 1, EXEC_INTERPRETER),      VM_CORE_INVALID_CONFIG },
        { "0 vCPUs",          BASIC(GUEST_RISCV64, MIB(1), 0, EXEC_INTERPRETER),          VM_CORE_INVALID_CONFIG },
        { "65535 vCPUs",      BASIC(GUEST_RISCV64, MIB(1), 65535, EXEC_INTERPRETER),      VM_CORE_INVALID_CONFIG },
        { "more than host",   BASIC(GUEST_RISCV64, GIB(5), 1, EXEC_INTERPRETER),          VM_CORE_RESOURCE_EXHAUSTED },
        { "absurd",           BASIC(GUEST_RISCV64, ~0ull << 12, 1, EXEC_INTERPRETER),     VM_CORE_RESOURCE_EXHAUSTED },
        { "no such arch",     BASIC((enum guest_arch)7, MIB(1), 1, EXEC_INTERPRETER),     VM_PLATFORM_UNSUPPORTED_ARCH },
        { "negative arch",    BASIC((enum guest_arch)-1, MIB(1), 1, EXEC_INTERPRETER),    VM_PLATFORM_UNSUPPORTED_ARCH },
        { "no such mode",     BASIC(GUEST_RISCV64, MIB(1), 1, (enum exec_mode)3),         VM_CORE_INVALID_CONFIG },
        { "hardware foreign", BASIC(GUEST_RISCV64, MIB(1), 1, EXEC_HARDWARE),             VM_PLATFORM_ACCELERATION_UNAVAILABLE },
        { "audit of two",     { .memory_size = MIB(1), .vcpu_count = 2, .is_audited = true },                 VM_CORE_INVALID_CONFIG },
        { "audit of a CPU",   { .memory_size = MIB(1), .vcpu_count = 1, .exec_mode = EXEC_HARDWARE, .is_audited = true }, VM_CORE_INVALID_CONFIG },
        { "too many disks",   { .memory_size = MIB(1), .vcpu_count = 1, .disk_count = VM_MAX_DISKS + 1 },     VM_CORE_INVALID_CONFIG },
        { "too many options", { .memory_size = MIB(1), .vcpu_count = 1, .option_count = VM_MAX_OPTIONS + 1 }, VM_CORE_INVALID_CONFIG },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        c = bad[i].c;
        struct vm_error e = judge();
        if (e.kind != bad[i].kind) printf("%s\n", bad[i].what);
        CHECK(e.kind == bad[i].kind && (e.domain == VM_ERROR_CORE || e.domain == VM_ERROR_PLATFORM) && e.reason && *e.reason);
    }
    c = vm_config_default();
    c.guest_arch = GUEST_X86_64, c.exec_mode = EXEC_HARDWARE;
    CHECK(!vm_failed(judge()));                                      /* the host's own kind, with hardware */
    struct vm_error none = vm_config_check(&c, GUEST_X86_64, "this host has no hardware virtualization", GIB(4));
    CHECK(none.domain == VM_ERROR_PLATFORM && none.kind == VM_PLATFORM_ACCELERATION_UNAVAILABLE);
    c.is_mode_auto = true;                                           /* "the fastest there is" cannot fail for this reason */
    CHECK(!vm_failed(vm_config_check(&c, GUEST_X86_64, "this host has no hardware virtualization", GIB(4))));
}

// SPDX-License-Identifier: Apache-2.0
/* Addresses, architectures, modes, access types: hv/base/types.h. */
#include "hv/base/types.h"
#include "hv/base/fmt.h"
#include "test/harness/test.h"

static guest_addr ga(uint64_t v) { return guest_addr_make(v); }

_Static_assert(!__builtin_types_compatible_p(guest_addr, guest_phys_addr), "R2");
_Static_assert(!__builtin_types_compatible_p(guest_addr, host_addr), "R2");
_Static_assert(!__builtin_types_compatible_p(guest_phys_addr, host_addr), "R2");

TEST(R13_guest_addr_is_64_bits)
{
    CHECK_EQ_U64(sizeof(guest_addr), 8);
    CHECK_EQ_U64(ga(~0ull).v, ~0ull);
}

TEST(R14_wrapping_add_wraps_at_2_64)
{
    CHECK_EQ_U64(guest_addr_wrapping_add(ga(0xffffffffffffffff), 1).v, 0);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t a = test_random(), b = test_random(), sum;
        (void)__builtin_add_overflow(a, b, &sum);
        CHECK_EQ_U64(guest_addr_wrapping_add(ga(a), b).v, sum);
        CHECK_EQ_U64(guest_phys_addr_wrapping_add(guest_phys_addr_make(a), b).v, sum);
    }
}

TEST(R16_wrapping_sub_continues_from_the_maximum)
{
    CHECK_EQ_U64(guest_addr_wrapping_sub(ga(0), 1).v, 0xffffffffffffffff);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t a = test_random(), b = test_random();
        CHECK_EQ_U64(guest_addr_wrapping_sub(guest_addr_wrapping_add(ga(a), b), b).v, a);
    }
}

TEST(R17_value_round_trips)
{
    for (unsigned i = 0; i < 100; i++) {
        uint64_t v = test_random();
        CHECK_EQ_U64(guest_addr_value(guest_addr_make(v)), v);
        CHECK_EQ_U64(guest_phys_addr_value(guest_phys_addr_make(v)), v);
    }
}

TEST(R18_as_i64_reads_twos_complement)
{
    CHECK(guest_addr_as_i64(ga(0xffffffffffffffff)) == -1);
    CHECK(guest_addr_as_i64(ga(0x8000000000000000)) == INT64_MIN);
    CHECK(guest_addr_as_i64(ga(0x7fffffffffffffff)) == INT64_MAX);
}

TEST(R19_address_plus_number) { CHECK_EQ_U64(guest_addr_wrapping_add(ga(0x1000), 0x100).v, 0x1100); }

TEST(R20_address_minus_address)
{
    CHECK_EQ_U64(guest_addr_diff(ga(0x1100), ga(0x1000)), 0x100);
    CHECK_EQ_U64(guest_addr_diff(ga(0), ga(1)), 0xffffffffffffffff);
    CHECK(guest_addr_equal(ga(5), ga(5)) && !guest_addr_equal(ga(5), ga(6)));
}

TEST(R21_an_address_prints_in_hex)
{
    char text[32];
    hv_snprintf(text, sizeof text, "%lx", (unsigned long)guest_addr_value(ga(0xdeadbeef12345678)));
    CHECK_STR(text, "deadbeef12345678");
}

TEST(R22_guest_phys_addr_is_64_bits) { CHECK_EQ_U64(sizeof(guest_phys_addr), 8); }

TEST(R23_to_guest_addr_keeps_the_number)
{
    CHECK_EQ_U64(guest_phys_addr_to_guest_addr(guest_phys_addr_make(0x80000000)).v, 0x80000000);
}

TEST(R24_host_addr_is_a_host_pointer)
{
    int x = 7;
    CHECK_EQ_U64(sizeof(host_addr), sizeof(void *));
    CHECK(host_addr_pointer(host_addr_make(&x)) == &x);
    CHECK(*(int *)host_addr_pointer(host_addr_make(&x)) == 7);
}

TEST(R38_architecture_names_are_lower_case)
{
    CHECK_STR(guest_arch_name(GUEST_RISCV64), "riscv64");
    CHECK_STR(guest_arch_name(GUEST_ARM64), "arm64");
    CHECK_STR(guest_arch_name(GUEST_X86_64), "x86_64");
    CHECK_STR(guest_arch_name(GUEST_PPC64), "powerpc64");
    CHECK(guest_arch_name(GUEST_ARM64) == guest_arch_name(GUEST_ARM64));         /* static */
    CHECK_STR(guest_arch_name((enum guest_arch)99), "?");
}

TEST(execution_mode_names)
{
    CHECK_STR(exec_mode_name(EXEC_INTERPRETER), "interpreter");
    CHECK_STR(exec_mode_name(EXEC_JIT), "jit");
    CHECK_STR(exec_mode_name(EXEC_HARDWARE), "hardware");
    CHECK_STR(exec_mode_name((enum exec_mode)99), "?");
}

TEST(R73_access_types_are_constants)
{
    static const enum access_type all[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE, ACCESS_ATOMIC };
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < 4; j++) CHECK((all[i] == all[j]) == (i == j));
    }
    CHECK(!access_is_write(ACCESS_READ) && access_is_write(ACCESS_WRITE));
    CHECK(!access_is_write(ACCESS_EXECUTE) && access_is_write(ACCESS_ATOMIC));
}

TEST(R74_access_types_have_names)
{
    CHECK_STR(access_type_name(ACCESS_READ), "Read");
    CHECK_STR(access_type_name(ACCESS_WRITE), "Write");
    CHECK_STR(access_type_name(ACCESS_EXECUTE), "Execute");
    CHECK_STR(access_type_name(ACCESS_ATOMIC), "Atomic");
    CHECK_STR(access_type_name((enum access_type)99), "?");
}

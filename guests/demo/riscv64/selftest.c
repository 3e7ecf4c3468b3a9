// SPDX-License-Identifier: Apache-2.0
/* What the kernel tries at each boot, one line each. A test returns NULL (ok), a reason (FAIL), or a
 * reason that begins with '-' (not there: skipped). */
#include "demo.h"

enum { ATOMIC_ROUNDS = 2000 };

static u8 page_a[PAGE_SIZE] __attribute__((aligned(4096))), page_b[PAGE_SIZE] __attribute__((aligned(4096)));
static volatile u64 seen;
static u64 added, swapped, guarded;
static u32 guard;

static void read_byte(u64 address)
{
    (void)*(volatile u8 *)address;
}

static void write_byte(u64 address)
{
    *(volatile u8 *)address = 0;
}

static void jump(u64 address)
{
    ((void (*)(void))address)();
}

static void look(u64 address)
{
    seen = *(volatile u64 *)address;
}

static bool faults(void (*function)(u64), u64 address, u64 cause)
{
    struct fault fault;
    return !survives(function, address, &fault) && fault.cause == cause && fault.value == address;
}

static const char *test_harts(void)
{
    for (u32 h = 0; h < machine.hart_count; h++) {
        if (!harts[h].online) {
            return "a hart did not start";
        }
    }
    return NULL;
}

static const char *test_paging(void)
{
    enum { FETCH_FAULT = 12, LOAD_FAULT = 13, STORE_FAULT = 15 };
    if (!faults(write_byte, (u64)hart_entry, STORE_FAULT)) {
        return "text is writable";
    }
    if (!faults(jump, (u64)page_a, FETCH_FAULT)) {
        return "data is executable";
    }
    if (!faults(write_byte, harts[0].stack - STACK_SIZE - 1, STORE_FAULT)) {
        return "no guard below the stack";
    }
    if (!faults(read_byte, 1ul << 38, LOAD_FAULT) || !faults(read_byte, USER_PAGE, LOAD_FAULT)) {
        return "a non-canonical address or a user page was read";
    }
    *(volatile u64 *)page_a = 0xa;
    *(volatile u64 *)page_b = 0xb;
    paging_set(WINDOW, (u64)page_a, PAGE_RW);
    look(WINDOW);
    if (seen != 0xa) {
        return "a mapped page shows something else";
    }
    paging_set(WINDOW, (u64)page_b, PAGE_RW);
    *(volatile u64 *)WINDOW = 0xbb;
    if (*(volatile u64 *)page_a != 0xa || *(volatile u64 *)page_b != 0xbb) {
        return "a remapped page writes to the old one";
    }
    paging_set(WINDOW, 0, 0);
    return faults(read_byte, WINDOW, LOAD_FAULT) ? NULL : "an unmapped page is still there";
}

u32 user_round_trip(void)
{
    struct fault fault = {0};
    return survives(enter_user, USER_PAGE, &fault) ? ~0u : (u32)fault.cause;
}

static const char *test_user(void)
{
    enum { ECALL_FROM_USER = 8 };
    return user_round_trip() == ECALL_FROM_USER ? NULL : "a user-mode ecall did not arrive";
}

static const char *test_timer(void)
{
    u64 start = now(), ticks = harts[0].ticks;
    while (harts[0].ticks < ticks + 2) {
        if (microseconds(start) > 5000000) {
            return "no ticks";
        }
    }
    return microseconds(start) >= 1000000 / TICKS_PER_SECOND ? NULL : "ticks come too early";
}

static void nothing(u64 argument)
{
    (void)argument;
}

static const char *test_ipi(void)
{
    u64 before = __atomic_load_n(&harts[0].ipis, __ATOMIC_ACQUIRE), start = now();
    if (sbi_send_ipi(harts[0].id)) {
        return "the firmware refuses";
    }
    while (__atomic_load_n(&harts[0].ipis, __ATOMIC_ACQUIRE) == before) {
        if (microseconds(start) > 2000000) {
            return "an IPI to the own hart does not arrive";
        }
    }
    for (u32 h = 1; h < machine.hart_count; h++) {
        if (!hart_call(&harts[h], nothing, 0) || !hart_wait(&harts[h])) {
            return "a hart does not answer";
        }
    }
    return NULL;
}

/* Every hart sees page A, the window moves to page B, a remote fence: every hart must see page B. */
bool test_tlb(u32 rounds)
{
    *(volatile u64 *)page_a = 0xa;
    *(volatile u64 *)page_b = 0xb;
    for (u32 round = 0; round < rounds; round++) {
        for (u32 h = 0; h < machine.hart_count; h++) {
            for (u32 side = 0; side < 2; side++) {
                paging_set(WINDOW, side ? (u64)page_b : (u64)page_a, PAGE_RW);
                seen = 0;
                if (h == 0) {
                    look(WINDOW);
                } else if (sbi_remote_sfence(harts[h].id, WINDOW, PAGE_SIZE) ||
                           !hart_call(&harts[h], look, WINDOW) || !hart_wait(&harts[h])) {
                    return false;
                }
                if (seen != (side ? 0xb : 0xa)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static const char *test_fence(void)
{
    return test_tlb(10) ? NULL : "a hart still sees the old page after a remote fence";
}

static void add_together(u64 rounds)
{
    for (u64 i = 0; i < rounds; i++) {
        __atomic_fetch_add(&added, 1, __ATOMIC_RELAXED);
        u64 old, failed;
        __asm__ volatile("1: lr.d %0, (%2); addi %0, %0, 1; sc.d %1, %0, (%2); bnez %1, 1b"
                         : "=&r"(old), "=&r"(failed) : "r"(&swapped) : "memory");
        while (__atomic_exchange_n(&guard, 1, __ATOMIC_ACQUIRE)) {
        }
        *(volatile u64 *)&guarded += 1;
        __atomic_store_n(&guard, 0, __ATOMIC_RELEASE);
    }
}

static const char *test_atomics(void)
{
    u64 all = ATOMIC_ROUNDS;
    added = swapped = guarded = 0;
    for (u32 h = 1; h < machine.hart_count; h++) {
        all += hart_call(&harts[h], add_together, ATOMIC_ROUNDS) ? ATOMIC_ROUNDS : 0;
    }
    add_together(ATOMIC_ROUNDS);
    for (u32 h = 1; h < machine.hart_count; h++) {
        if (!hart_wait(&harts[h])) {
            return "a hart does not finish";
        }
    }
    return added != all     ? "AMO lost counts"
           : swapped != all ? "LR/SC lost counts"
           : guarded != all ? "a lock leaks"
                            : NULL;
}

static u64 bits(double d)
{
    u64 u;
    memcpy(&u, &d, sizeof u);
    return u;
}

static const char *test_fp(void)
{
    enum { DIVIDE_BY_ZERO = 8, UP = 3 };
    volatile double one = 1, two = 2, three = 3, zero = 0;
    double root, third_up;
    u64 flags;
    __asm__ volatile("fsflags zero");
    __asm__("fsqrt.d %0, %1" : "=f"(root) : "f"(two));
    if (bits(root) != 0x3ff6a09e667f3bcd || bits(one / three) != 0x3fd5555555555555) {
        return "sqrt(2) or 1/3 is wrong";
    }
    __asm__ volatile("fsrmi %3; fdiv.d %0, %1, %2; fsrmi 0; fsflags zero"
                     : "=&f"(third_up) : "f"(one), "f"(three), "i"(UP));
    if (bits(third_up) != 0x3fd5555555555556) {
        return "rounding up is wrong";
    }
    __asm__ volatile("fdiv.d %0, %1, %2" : "=f"(root) : "f"(one), "f"(zero));
    __asm__ volatile("frflags %0; fsflags zero" : "=r"(flags));
    return flags == DIVIDE_BY_ZERO && bits(root) == 0x7ff0000000000000 ? NULL : "1/0 sets the wrong flags";
}

/* The last sector: read, changed, read back, put back as it was. */
static const char *test_disk(void)
{
    u8 before[512], mark[512], after[512];
    if (!disk.present) {
        return disk.legacy ? "-legacy virtio, not driven" : "-none";
    }
    if (!disk.sectors || !disk_transfer(disk.sectors - 1, before, false)) {
        return "cannot read";
    }
    if (!disk.irqs) {
        return "no interrupts";
    }
    if (disk.read_only) {
        return NULL;
    }
    for (u32 i = 0; i < sizeof mark; i++) {
        mark[i] = (u8)(before[i] ^ (i * 7 + 1));
    }
    if (!disk_transfer(disk.sectors - 1, mark, true) || !disk_transfer(disk.sectors - 1, after, false)) {
        return "cannot write";
    }
    if (memcmp(mark, after, sizeof mark) || !disk_transfer(disk.sectors - 1, before, true)) {
        return "what was written is not what is read";
    }
    return NULL;
}

static const char *test_rng(void)
{
    u64 numbers[2] = {0, 0};
    if (!rng_present) {
        return "-none";
    }
    return rng_read(numbers, sizeof numbers) && numbers[0] != numbers[1] ? NULL : "no random bytes";
}

u32 selftest(void)
{
    static const struct { const char *name, *what; const char *(*run)(void); } tests[] = {
        {"harts",   "all started by SBI HSM",                     test_harts},
        {"paging",  "W^X, guard pages, remapping",                test_paging},
        {"user",    "into U-mode and back by ecall",              test_user},
        {"timer",   "ticks, and not too early",                   test_timer},
        {"ipi",     "to myself and to every hart",                test_ipi},
        {"fence",   "remote fences move a page under every hart", test_fence},
        {"atomics", "AMO, LR/SC and a lock, all harts at once",   test_atomics},
        {"fp",      "results, rounding, flags",                   test_fp},
        {"disk",    "the last sector written, read, restored",    test_disk},
        {"rng",     "random bytes",                               test_rng},
    };
    u32 failed = 0;
    for (u32 i = 0; i < COUNT_OF(tests); i++) {
        const char *why = tests[i].run();
        bool is_skip = why && *why == '-', ok = !why;
        failed += !ok && !is_skip;
        print("  %-10s %-5s %s\n", tests[i].name, ok ? "ok" : is_skip ? "skip" : "FAIL",
              ok ? tests[i].what : is_skip ? why + 1 : why);
    }
    return failed;
}

// SPDX-License-Identifier: Apache-2.0
/* Loads, stores, atomics, instruction fetch, floating point, and translation (unprivileged spec chapters
 * 2, 3, 8, 11, 12; privileged spec chapter 4). */
#include "conform.h"

static bool misaligned_ok(u64 base)
{
    volatile u8 *bytes = (volatile u8 *)base;
    for (u32 f3 = 1; f3 < 4; f3++) {
        for (u32 offset = 1; offset < 1u << f3; offset++) {
            u64 want = 0, mask = f3 == 3 ? ~0ul : BIT(8 << f3) - 1, value = 0x1122334455667788;
            for (u32 i = 0; i < 16; i++) {
                bytes[i] = (u8)(0x31 + i);
            }
            for (u32 i = 0; i < 1u << f3; i++) {
                want |= (u64)bytes[offset + i] << 8 * i;
            }
            struct outcome o = run(M, LOAD(f3), base + offset, 0);
            if (o.cause != DONE || (o.a0 & mask) != want) {
                return false;
            }
            if (run(M, STORE(f3), base + offset, value).cause != DONE) {
                return false;
            }
            for (u32 i = 0; i < 16; i++) {
                bool inside = i >= offset && i < offset + (1u << f3);
                if (bytes[i] != (inside ? (u8)(value >> 8 * (i - offset)) : 0x31 + i)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static void check_atomics(void)
{
    enum { LR = 2, WORD = 2, DOUBLE = 3 };
    static const struct {
        const char *word, *twice;
        u32 f5;
        u64 want;
    } rows[] = {
        /* of memory and register below */
        {"amoswap.w", "amoswap.d", 1, 0x00000003fffffffe},
        {"amoadd.w", "amoadd.d", 0, 0x80000008000000ff},
        {"amoxor.w", "amoxor.d", 4, 0x80000007fffffeff},
        {"amoand.w", "amoand.d", 12, 0x0000000000000100},
        {"amoor.w", "amoor.d", 8, 0x80000007ffffffff},
        {"amomin.w", "amomin.d", 16, 0x8000000400000101},
        {"amomax.w", "amomax.d", 20, 0x00000003fffffffe},
        {"amominu.w", "amominu.d", 24, 0x00000003fffffffe},
        {"amomaxu.w", "amomaxu.d", 28, 0x8000000400000101},
    };
    const u64 memory = 0x8000000400000101, reg = 0x00000003fffffffe;
    static const u32 words[] = {0xfffffffe, 0x000000ff, 0xfffffeff, 0x100,     0xffffffff,
                                0xfffffffe, 0x101,      0x101,      0xfffffffe};
    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        *(volatile u64 *)scratch = memory;
        u64 old = run(M, AMO(rows[i].f5, DOUBLE), (u64)scratch, reg).a0;
        expect(rows[i].twice, old == memory ? scratch[0] : old, rows[i].want);
        *(volatile u64 *)scratch = memory;
        old = run(M, AMO(rows[i].f5, WORD), (u64)scratch, reg).a0;
        expect(rows[i].word, old == 0x101 ? scratch[0] : old, (memory & ~0xfffffffful) | words[i]);
    }
    *(volatile u64 *)scratch = 0xffffffff80000000;
    expect("amo.w-sign-extends", run(M, AMO(8, WORD), (u64)scratch, 0).a0, 0xffffffff80000000);

    u64 failed, value;
    volatile u64 *p = scratch;
    p[0] = 5, p[8] = 7;
    __asm__ volatile("lr.d %1, (%2); addi %1, %1, 1; sc.d %0, %1, (%2)"
                     : "=&r"(failed), "=&r"(value)
                     : "r"(p)
                     : "memory");
    expect("sc.succeeds", failed ? failed : p[0], 6);
    __asm__ volatile("li %1, 9; sc.d %0, %1, (%2)" : "=&r"(failed), "=&r"(value) : "r"(p) : "memory");
    expect("sc.without-reservation", failed ? p[0] : ~0ul, 6);
    __asm__ volatile("lr.d %1, (%2); sc.d %0, %1, (%3)"
                     : "=&r"(failed), "=&r"(value)
                     : "r"(p), "r"(p + 8)
                     : "memory");
    expect("sc.elsewhere", failed ? p[8] : ~0ul, 7);
    expect_or("amo.misaligned", run(M, AMO(0, DOUBLE), (u64)scratch + 4, 0).cause, STORE_MISALIGNED,
              LOAD_MISALIGNED);
    expect_trap("lr.misaligned", run(M, AMO(LR, DOUBLE) & ~(31u << 20), (u64)scratch + 4, 0), LOAD_MISALIGNED,
                (u64)scratch + 4);
    expect_or("amo.hole", run(M, AMO(0, DOUBLE), 0x08000000, 0).cause, STORE_ACCESS, LOAD_ACCESS);
}

void check_memory(void)
{
    *(volatile u64 *)scratch = 0xf1e2d3c4b5a69788;
    const u64 want[] = {
        0xffffffffffffff88, 0xffffffffffff9788, 0xffffffffb5a69788, 0xf1e2d3c4b5a69788, 0x88, 0x9788,
        0xb5a69788};
    const char *const names[] = {"lb", "lh", "lw", "ld", "lbu", "lhu", "lwu"};
    for (u32 f3 = 0; f3 < COUNT_OF(want); f3++) {
        expect(names[f3], run(M, LOAD(f3), (u64)scratch, 0).a0, want[f3]);
    }
    expect("misaligned.inside-page", misaligned_ok((u64)scratch + 64), 1);
    expect("misaligned.across-pages", misaligned_ok((u64)scratch + 4096 - 8), 1);
    expect("fence.i", run(M, 0x02a00513, 0, 0).a0 == 42 ? run(M, 0x02b00513, 0, 0).a0 : 0,
           43); /* li a0, 42; 43 */
    check_atomics();
}

static u64 divide(u64 a, u64 b, u64 *flags)
{
    u64 result;
    __asm__ volatile(
        "fsflags zero; fmv.d.x ft0, %2; fmv.d.x ft1, %3; fdiv.d ft0, ft0, ft1; fmv.x.d %0, ft0; frflags %1"
        : "=&r"(result), "=r"(*flags)
        : "r"(a), "r"(b)
        : "ft0", "ft1");
    return result;
}

void check_floats(void)
{
    enum { NX = 1, DZ = 8, NV = 16 };
    const u64 one = 0x3ff0000000000000, three = 0x4008000000000000, infinity = 0x7ff0000000000000;
    u64 flags, result;
    csr_clear(mstatus, MSTATUS_FS);
    expect_trap("fs.off", run(S, FADD, 0, 0), ILLEGAL, FADD);
    expect_trap("fs.off-fcsr", run(S, CSRR(3), 0, 0), ILLEGAL, CSRR(3));
    csr_set(mstatus, BIT(13));
    expect("fs.dirty", run(S, FADD, 0, 0).status & (BIT(63) | MSTATUS_FS), BIT(63) | MSTATUS_FS);
    csr_set(mstatus, MSTATUS_FS);
    expect("fdiv.third", divide(one, three, &flags), 0x3fd5555555555555);
    expect("fdiv.inexact", flags, NX);
    expect("fdiv.by-zero", divide(one, 0, &flags), infinity);
    expect("fdiv.by-zero-flag", flags, DZ);
    expect("fdiv.zero-by-zero", divide(0, 0, &flags), 0x7ff8000000000000);
    expect("fdiv.invalid-flag", flags, NV);
    csr_write(frm, 3);
    expect("frm.up", divide(one, three, &flags), 0x3fd5555555555556);
    csr_write(frm, 5);
    expect_trap("frm.reserved", run(M, FADD, 0, 0), ILLEGAL, FADD);
    csr_write(fcsr, 0);
    __asm__ volatile("fmv.w.x ft0, %1; fmv.x.d %0, ft0" : "=r"(result) : "r"(0x3f800000ul) : "ft0");
    expect("nan-box.written", result, 0xffffffff3f800000);
    __asm__ volatile("fmv.d.x ft0, %1; fadd.s ft0, ft0, ft0; fmv.x.d %0, ft0"
                     : "=r"(result)
                     : "r"(0x3f800000ul)
                     : "ft0");
    expect("nan-box.checked", result, 0xffffffff7fc00000);
    __asm__ volatile("fmv.d.x ft0, %1; fcvt.w.d %0, ft0, rtz" : "=r"(result) : "r"(infinity) : "ft0");
    expect("fcvt.w.d-saturates", result, 0x7fffffff);
    __asm__ volatile("fmv.d.x ft0, %1; fmv.d.x ft1, %2; fmin.d ft0, ft0, ft1; fmv.x.d %0, ft0"
                     : "=r"(result) : "r"(0x7ff8000000000000), "r"(one) : "ft0", "ft1");
    expect("fmin.nan", result, one);
    __asm__ volatile("fmv.d.x ft0, %1; fclass.d %0, ft0" : "=r"(result) : "r"(0x7ff0000000000001) : "ft0");
    expect("fclass.signalling", result, BIT(8));
    csr_write(fcsr, 0);
}

/* Translation. The tables map RAM one to one by a gigapage (for the code under test) and one page or
 * superpage at TEST, in the slot that a row's flags describe. */
#define TEST 0x140000000ul
enum { ENTRIES = 512 };
static u64 top[ENTRIES] __attribute__((aligned(4096))), root[ENTRIES] __attribute__((aligned(4096))),
    middle[ENTRIES] __attribute__((aligned(4096))), leaves[ENTRIES] __attribute__((aligned(4096)));

enum { V = PTE_V, R = PTE_R, W = PTE_W, X = PTE_X, PU = PTE_U, AD = PTE_A | PTE_D };

static u64 entry(const void *to, u64 flags)
{
    return (u64)to >> 12 << 10 | flags;
}

static void fence(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

static void tables_reset(u64 leaf_flags)
{
    root[0x80000000 >> 30] = entry((void *)0x80000000, V | R | W | X | AD);
    root[TEST >> 30] = entry(middle, V);
    middle[0] = entry(leaves, V);
    leaves[0] = entry(scratch, leaf_flags);
    leaves[1] = 0;
    top[0] = entry(root, V);
    fence();
}

struct row {
    const char *name;
    u64 flags;
    enum mode mode;
    u32 instruction;
    u64 status, cause;                                       /* mstatus bits to set; what must come */
};

static void check_rows(const char *prefix)
{
    static const struct row rows[] = {
        {"load",               V | R | W | AD,      S, LD,    0,           DONE},
        {"store",              V | R | W | AD,      S, SD,    0,           DONE},
        {"fetch",              V | R | X | AD,      S, JR_A0, 0,           DONE},
        {"invalid-load",       R | W | X | AD,      S, LD,    0,           LOAD_PAGE},
        {"invalid-store",      R | W | X | AD,      S, SD,    0,           STORE_PAGE},
        {"invalid-fetch",      R | W | X | AD,      S, JR_A0, 0,           FETCH_PAGE},
        {"read-only-store",    V | R | AD,          S, SD,    0,           STORE_PAGE},
        {"no-execute",         V | R | W | AD,      S, JR_A0, 0,           FETCH_PAGE},
        {"execute-only-load",  V | X | AD,          S, LD,    0,           LOAD_PAGE},
        {"execute-only-mxr",   V | X | AD,          S, LD,    MSTATUS_MXR, DONE},
        {"write-only",         V | W | AD,          S, SD,    0,           STORE_PAGE},
        {"write-execute",      V | W | X | AD,      S, LD,    MSTATUS_MXR, LOAD_PAGE},
        {"user-from-s",        V | R | W | AD | PU, S, LD,    0,           LOAD_PAGE},
        {"user-from-s-sum",    V | R | W | AD | PU, S, LD,    MSTATUS_SUM, DONE},
        {"user-fetch-s-sum",   V | R | X | AD | PU, S, JR_A0, MSTATUS_SUM, FETCH_PAGE},
        {"user-mprv",          V | R | W | AD | PU, M, LD,    MSTATUS_MPRV, DONE},
        {"supervisor-mprv",    V | R | W | AD,      M, LD,    MSTATUS_MPRV, LOAD_PAGE},
        {"pointer-at-last",    V,                   S, LD,    0,           LOAD_PAGE},
        {"amo-read-only",      V | R | AD,          S, AMO(0, 3), 0,       STORE_PAGE},
        {"reserved-bit",       V | R | W | AD | BIT(58), S, LD, 0,         LOAD_PAGE},
    };
    char name[40];
    scratch[0] = (u64)done_code[1] << 32 | done_code[0];     /* data that is also code: li a7, done; ecall */
    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        memcpy(name, prefix, 5);
        memcpy(name + 5, row->name, strlen(row->name) + 1);
        tables_reset(row->flags);
        csr_set(mstatus, row->status);
        struct outcome o = run(row->mode, row->instruction, TEST, scratch[0]);
        csr_clear(mstatus, MSTATUS_MXR | MSTATUS_SUM | MSTATUS_MPRV);
        expect_trap(name, o, row->cause, TEST);
    }
}

/* Both answers of the specification are right (Svade: fault, entry untouched; Svadu: bits set), mixtures are
 * not. */
static void check_accessed_dirty(void)
{
    struct outcome o;
    tables_reset(V | R | W);
    o = run(S, LD, TEST, 0);
    expect("ad.load",
           o.cause == LOAD_PAGE ? leaves[0] & AD
           : o.cause == DONE    ? (leaves[0] & AD) ^ PTE_A
                                : ~0ul,
           0);
    tables_reset(V | R | W | PTE_A);
    o = run(S, SD, TEST, scratch[0]);
    expect("ad.store",
           o.cause == STORE_PAGE ? (leaves[0] & AD) ^ PTE_A
           : o.cause == DONE     ? (leaves[0] & AD) ^ AD
                                 : ~0ul,
           0);
    tables_reset(V | R | W | PTE_A);
    o = run(S, LD, TEST, 0);
    expect("ad.load-leaves-d", o.cause == DONE ? leaves[0] & AD : ~0ul, PTE_A);
    tables_reset(V | R | W | PTE_A);
    run(S, LD, TEST, 0);                                  /* in the TLB as clean: a store must still notice */
    o = run(S, SD, TEST, scratch[0]);
    expect("ad.store-after-load", o.cause == STORE_PAGE || (o.cause == DONE && leaves[0] & PTE_D), 1);
}

static void check_shapes(void)
{
    tables_reset(V | R | W | AD);
    scratch[0] = 1, scratch[512] = 2;
    run(S, LD, TEST, 0);
    leaves[0] = entry(scratch + 512, V | R | W | AD);
    fence();
    expect("sfence.new-page", run(S, LD, TEST, 0).a0, 2);
    leaves[0] = 0;
    __asm__ volatile("sfence.vma %0" ::"r"(TEST) : "memory");
    expect_trap("sfence.one-page", run(S, LD, TEST, 0), LOAD_PAGE, TEST);

    tables_reset(V | R | W | AD);
    middle[0] = entry((void *)((u64)scratch >> 21 << 21), V | R | W | AD);
    fence();
    scratch[0] = 77;
    expect("superpage.2m", run(S, LD, TEST + ((u64)scratch & 0x1fffff), 0).a0, 77);
    middle[0] = entry((void *)(((u64)scratch >> 21 << 21) + 4096), V | R | W | AD);
    fence();
    expect_trap("superpage.misaligned", run(S, LD, TEST, 0), LOAD_PAGE, TEST);
    tables_reset(V | R | W | AD);
    middle[0] = entry((void *)0x08000000, V);
    fence();
    expect_or("walk.hole", run(S, LD, TEST, 0).cause, LOAD_ACCESS, LOAD_PAGE);
    tables_reset(V | R | W | AD);
    middle[0] |= PTE_A;
    fence();
    expect_trap("walk.pointer-with-a", run(S, LD, TEST, 0), LOAD_PAGE, TEST);
    tables_reset(V | R | W | AD);
    csr_write(pmpaddr0, (u64)leaves >> 2 | 511);
    csr_write(pmpcfg0, 24);
    fence();
    expect_trap("walk.pmp", run(S, SD, TEST, 0), STORE_ACCESS, TEST);
    csr_write(pmpcfg0, 0);
    tables_reset(V | R | W | AD);
    expect_trap("across.second-page-missing", run(S, SD, TEST + 4092, 0), STORE_PAGE, TEST + 4096);
    leaves[1] = entry(scratch, V | R | W | AD);
    fence();
    expect_trap("across.both-present", run(S, SD, TEST + 4092, ~0ul), DONE, 0);
    expect("across.value", scratch[511] >> 32 | scratch[0] << 32, ~0ul);
    tables_reset(V | R | X | AD);
    *(volatile u16 *)((u64)scratch + 4094) = (u16)NOP;       /* the first half of a long instruction */
    __asm__ volatile("fence.i");
    struct outcome o = run_at(S, TEST + 4094, 0, 0);
    expect_trap("fetch.across", o, FETCH_PAGE, TEST + 4096);
    expect("fetch.across-pc", o.pc, TEST + 4094);

    tables_reset(V | R | W | X | AD | PU);
    scratch[0] = (u64)done_code[1] << 32 | done_code[0];
    __asm__ volatile("fence.i");
    expect("user.fetch", run_at(U, TEST, 0, 0).cause, DONE);
    expect_trap("user.supervisor-page", run_at(U, (u64)code, 0, 0), FETCH_PAGE, (u64)code);
    csr_write(medeleg, BIT(LOAD_PAGE));
    expect("page-fault.delegated", run(S, LD, TEST + 8192, 0).a0, LOAD_PAGE);
    expect("page-fault.stval", csr_read(stval), TEST + 8192);
    csr_write(medeleg, 0);
}

static bool set_mode(u64 mode, const void *table)
{
    csr_write(satp, mode << 60 | (u64)table >> 12);
    fence();
    return csr_read(satp) >> 60 == mode;
}

void check_paging(void)
{
    enum { BARE = 0, SV39 = 8, SV48 = 9 };
    tables_reset(0);
    expect("satp.sv39", set_mode(SV39, root), 1);
    check_rows("sv39.");
    check_accessed_dirty();
    check_shapes();
    expect_trap("sv39.non-canonical", run(S, LD, 1ul << 38, 0), LOAD_PAGE, 1ul << 38);
    tables_reset(V | R | W | AD);
    if (set_mode(SV48, top)) {
        check_rows("sv48.");
        expect_trap("sv48.non-canonical", run(S, LD, 1ul << 47, 0), LOAD_PAGE, 1ul << 47);
        expect_trap("sv48.upper-empty", run(S, LD, ~0xffful, 0), LOAD_PAGE, ~0xffful);
    }
    set_mode(BARE, NULL);
}

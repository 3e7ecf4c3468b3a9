// SPDX-License-Identifier: Apache-2.0
/* What orders memory in emitted code, construct by construct, against a golden list for each back end: an emulator on a strong
 * host would not show what is missing. Runs nothing that it emits. */
#include "hv/jit/target.h"
#include "test/harness/test.h"

enum { AQ = MEM_ACQUIRE, RL = MEM_RELEASE, R = FENCE_R, W = FENCE_W, I = FENCE_I, O = FENCE_O };

/* Base words and the fields that do not count (Arm ARM C6.2); the access of a load-reserved is ldr w1 or x1, [x0]. */
static const struct { uint32_t word, mask; const char *name; } a64_words[] = {
    { 0xd5033bbf, 0xffffffff, "dmb.ish" }, { 0xd50339bf, 0xffffffff, "dmb.ishld" }, { 0xd5033abf, 0xffffffff, "dmb.ishst" },
    { 0x885f7c00, 0xbffffc00, "ldxr" },    { 0x885ffc00, 0xbffffc00, "ldaxr" },     { 0x88dffc00, 0xbffffc00, "ldar" },
    { 0x88007c00, 0xbfe0fc00, "stxr" },    { 0x8800fc00, 0xbfe0fc00, "stlxr" },     { 0xb9400001, 0xbfffffff, "ldr" },
};
/* Bytes behind LOCK and REX; ff: none. mov: the access of a load-reserved, ecx or rcx from [rax]. */
static const struct { bool is_locked; uint8_t bytes[3], count; const char *name; } x64_bytes[] = {
    { false, { 0x0f, 0xae, 0xf0 }, 3, "mfence" }, { true, { 0x0f, 0xb1 }, 2, "lock.cmpxchg" }, { true, { 0x0f, 0xc1 }, 2, "lock.xadd" },
    { false, { 0x87, 0x08 }, 2, "xchg" },         { false, { 0x8b, 0x08 }, 2, "mov" },
};

static uint8_t code[4096];
static char said[256];

static void say(const char *name)
{
    if (said[0]) strcat(said, " ");
    strcat(said, name);
}

static const char *a64_said(const struct emit *e)
{
    said[0] = 0;
    for (uint32_t at = 0; at < e->at; at += 4) {
        uint32_t word;
        memcpy(&word, code + at, 4);
        for (unsigned n = 0; n < ARRAY_COUNT(a64_words); n++) {
            if ((word & a64_words[n].mask) == a64_words[n].word) say(a64_words[n].name);
        }
    }
    return said;
}

static const char *x64_said(const struct emit *e)
{
    said[0] = 0;
    for (uint32_t at = 0; at < e->at; at++) {
        uint32_t from = at;
        bool is_locked = code[from] == 0xf0 && (at < 2 || code[at - 1] != 0xae);             /* mfence ends in the same byte */
        if (is_locked && (code[++from] & 0xf0) == 0x40) from++;
        for (unsigned n = 0; n < ARRAY_COUNT(x64_bytes); n++) {
            if (is_locked == x64_bytes[n].is_locked && !memcmp(code + from, x64_bytes[n].bytes, x64_bytes[n].count)) say(x64_bytes[n].name);
        }
    }
    return said;
}

static const char *emitted(const struct jit_target *t, const struct jit_access *a, unsigned fence)
{
    static struct emit e;
    memset(code, 0, sizeof code);
    e = (struct emit){ .base = code, .end = sizeof code };
    if (a) t->access(&e, a);
    else t->fence(&e, fence);
    CHECK(!e.is_full);
    return t == &JIT_X64 ? x64_said(&e) : a64_said(&e);
}

TEST(each_kind_of_fence_becomes_the_barrier_of_the_golden_list)
{
    static const struct { unsigned before, after; const char *x64, *a64; } golden[] = {
        { R | W, R | W, "mfence", "dmb.ish" },   { W, R, "mfence", "dmb.ish" },       { R | W | I | O, R | W | I | O, "mfence", "dmb.ish" },
        { R, R | W, "", "dmb.ishld" },           { R, R, "", "dmb.ishld" },           { R, W, "", "dmb.ishld" },
        { R | W, W, "", "dmb.ish" },             { W, W, "", "dmb.ishst" },           { R | W, R, "mfence", "dmb.ish" },
        { O, I, "mfence", "dmb.ish" },           { W, O, "", "dmb.ishst" },           { I, R, "", "dmb.ishld" },
    };
    for (unsigned n = 0; n < ARRAY_COUNT(golden); n++) {
        CHECK_STR(emitted(&JIT_X64, NULL, golden[n].before | golden[n].after << 4), golden[n].x64);
        CHECK_STR(emitted(&JIT_A64, NULL, golden[n].before | golden[n].after << 4), golden[n].a64);
    }
}

TEST(each_atomic_access_carries_the_barriers_of_the_golden_list)
{
    static const struct { enum ir_op op; enum ir_amo amo; unsigned order; const char *x64, *a64; } golden[] = {
        { JIT_PLAIN, 0, 0,        "",             "" },
        { IR_LL, 0, 0,            "mov",          "ldr" },
        { IR_LL, 0, AQ,           "mov",          "ldar" },
        { IR_LL, 0, RL,           "mfence mov",   "dmb.ish ldr" },
        { IR_LL, 0, AQ | RL,      "mfence mov",   "dmb.ish ldar" },
        { IR_SC, 0, 0,            "lock.cmpxchg", "ldxr stxr" },
        { IR_SC, 0, AQ,           "lock.cmpxchg", "ldaxr stxr dmb.ish" },
        { IR_SC, 0, RL,           "lock.cmpxchg", "dmb.ish ldxr stlxr" },
        { IR_SC, 0, AQ | RL,      "lock.cmpxchg", "dmb.ish ldaxr stlxr dmb.ish" },
        { IR_AMO, AMO_ADD, 0,         "lock.xadd",    "ldxr stxr" },
        { IR_AMO, AMO_ADD, AQ,        "lock.xadd",    "ldaxr stxr dmb.ish" },
        { IR_AMO, AMO_ADD, RL,        "lock.xadd",    "dmb.ish ldxr stlxr" },
        { IR_AMO, AMO_ADD, AQ | RL,   "lock.xadd",    "dmb.ish ldaxr stlxr dmb.ish" },
        { IR_AMO, AMO_SWAP, AQ,       "xchg",         "ldaxr stxr dmb.ish" },
        { IR_AMO, AMO_SWAP, AQ | RL,  "xchg",         "dmb.ish ldaxr stlxr dmb.ish" },
        { IR_AMO, AMO_AND, RL,        "lock.cmpxchg", "dmb.ish ldxr stlxr" },
        { IR_AMO, AMO_MAXU, AQ | RL,  "lock.cmpxchg", "dmb.ish ldaxr stlxr dmb.ish" },
    };
    for (unsigned n = 0; n < ARRAY_COUNT(golden); n++) {
        for (unsigned size = MEM_32; size <= MEM_64; size++) {
            struct jit_access a = { .atomic = golden[n].op, .base = 11, .value = golden[n].op == IR_LL ? NO_REG : 6, .result = 9, .page_reg = NO_REG,
                                    .memop = size | golden[n].order | (uint32_t)golden[n].amo << MEM_AMO_SHIFT };
            CHECK_STR(emitted(&JIT_X64, &a, 0), golden[n].x64);
            CHECK_STR(emitted(&JIT_A64, &a, 0), golden[n].a64);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
/* Whether two riscv64 harts are in the same architectural state, and random programs that bring them there. */
#pragma once
#include "test/unit/guest.h"
#include "riscv64_decode.h"

/* The first register that differs, or NULL; reads through the API, so that counters count. */
static inline const char *regs_differ(const struct vcpu *a, const struct vcpu *b)
{
    for (unsigned i = 0; i < a->isa->reg_count; i++) {
        uint64_t x, y;
        CHECK(!vm_failed(vcpu_get_reg(a, i, &x)) && !vm_failed(vcpu_get_reg(b, i, &y)));
        if (x != y) return a->isa->regs[i].name;
    }
    if (a->regs.mode != b->regs.mode) return "mode";
    if (a->mmu.data_context != b->mmu.data_context || a->mmu.fetch_context != b->mmu.fetch_context) return "context";
    if (a->reservation.size_bytes != b->reservation.size_bytes) return "reservation";
    return a->mmu.asid != b->mmu.asid ? "asid" : NULL;
}
static inline const void *ram_at(struct guest *g, uint64_t at, uint64_t bytes)
{
    const void *p = gmem_slice(&g->gmem, guest_phys_addr_make(at), bytes, ACCESS_READ);
    CHECK(p);
    return p;
}
static inline bool ram_differs(struct guest *a, struct guest *b)
{
    for (uint64_t at = GUEST_RAM; at < GUEST_RAM + GUEST_RAM_SIZE; at += GMEM_CHUNK_BYTES) {
        if (memcmp(ram_at(a, at, GMEM_CHUNK_BYTES), ram_at(b, at, GMEM_CHUNK_BYTES), GMEM_CHUNK_BYTES)) return true;
    }
    return false;
}
static inline void ram_copy(struct guest *to, struct guest *from)
{
    for (uint64_t at = GUEST_RAM; at < GUEST_RAM + GUEST_RAM_SIZE; at += GMEM_CHUNK_BYTES) {
        CHECK(!vm_failed(gmem_write_bulk(&to->gmem, guest_phys_addr_make(at), ram_at(from, at, GMEM_CHUNK_BYTES), GMEM_CHUNK_BYTES)));
    }
}

/* A random instruction of any row of the decode table; jumps stay near. */
static inline uint32_t random_insn(unsigned *size_bytes)
{
    for (;;) {
        unsigned row = (unsigned)(test_random() % RVOP_ROW_COUNT);
        const struct decode_row *r = &riscv64_rows[row];
        struct insn i = { .bits = r->match | ((uint32_t)test_random() & ~r->mask & (r->size_bytes == 2 ? 0xffffu : ~0u)) };
        if (!riscv64_decode(i.bits, r->size_bytes, &i) || i.op != row) continue;
        *size_bytes = r->size_bytes;
        if (!strcmp(r->name, "jal")) i.bits = rv_jal((unsigned)(test_random() % 32), (int32_t)(test_random() % 256) * 2 - 256);
        if (r->name[0] == 'b' && i.arg_count == 3 && !(r->mask & 0xff000000)) {
            i.bits = rv_b((i.bits >> 12) & 7, i.bits >> 15 & 31, i.bits >> 20 & 31, (int32_t)(test_random() % 128) * 2 - 128);
        }
        return i.bits;
    }
}

#define RANDOM_CODE_BYTES 4096u

/* The same random program and state in both guests. Its code can only be executed and the rest of RAM only be written, by
 * locked PMP entries, so that the program does not change itself. The handler steps over what faulted. */
static inline void random_program(struct guest *a, struct guest *b, bool with_paging)
{
    uint32_t code[RANDOM_CODE_BYTES / 4];
    struct guest *both[] = { a, b };
    for (unsigned at = 0; at < RANDOM_CODE_BYTES;) {
        unsigned n;
        uint32_t bits = random_insn(&n);
        memcpy((char *)code + at, &bits, at + n <= RANDOM_CODE_BYTES ? n : 2);
        at += n;
    }
    uint64_t seed[96], data[64];
    for (unsigned i = 0; i < ARRAY_COUNT(seed); i++) seed[i] = test_random();
    for (unsigned i = 0; i < ARRAY_COUNT(data); i++) data[i] = test_random();
    unsigned round = (unsigned)(test_random() % 5), fs = test_random() % 8 ? 1 : 0;
    for (unsigned n = 0; n < 2; n++) {
        struct guest *g = both[n];
        struct vcpu *v = &g->v[0];
        struct rv_csrs *c = rv_csrs(v);
        guest_reset(g);
        guest_load(g, GUEST_CODE, code, ARRAY_COUNT(code));
        GUEST_LOAD(g, GUEST_HANDLER, rv_csrrs(T6, 0x341, ZERO), rv_addi(T6, T6, 4), rv_csrrw(ZERO, 0x341, T6), rv_mret());
        CHECK(!vm_failed(gmem_write_bulk(&g->gmem, guest_phys_addr_make(GUEST_DATA), data, sizeof data)));
        if (with_paging) guest_paging(g, v);
        c->pmpaddr[0] = GUEST_RAM >> 2 | ((1 << 17) / 8 - 1);
        c->pmpaddr[1] = GUEST_RAM >> 2 | ((1 << 22) / 8 - 1);
        c->pmpcfg[0] = RV_PMP_L | RV_PMP_NAPOT << 3 | RV_PMP_R | RV_PMP_X;
        c->pmpcfg[1] = RV_PMP_L | RV_PMP_NAPOT << 3 | RV_PMP_R | RV_PMP_W;
        rv_pmp_sync(v);
        for (unsigned i = 1; i < 32; i++) {
            bool is_pointer = seed[i] & 3;
            v->regs.slot[i] = is_pointer ? GUEST_DATA + (seed[i] >> 8 & 0x1f8) : (uint64_t)((int64_t)seed[i + 32] >> (seed[i] >> 2 & 63));
            v->regs.slot[RV_SLOT_F + i] = seed[i] & 4 ? seed[i + 64] : seed[i + 64] | 0xffffffff00000000;
        }
        guest_set_reg(v, "frm", round);
        guest_set_reg(v, "mstatus", c->mstatus | fs << RV_FS_SHIFT);
        v->request = 0;
    }
}

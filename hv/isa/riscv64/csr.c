// SPDX-License-Identifier: Apache-2.0
/* CSR accesses: the table csr.def, and what its rows do beyond storing (privileged manual 2 to 4). A write names the bits
 * it changes, so that csrrs and csrrc touch only those: reading mip.SEIP's pin never latches it. Own thread. */
#include "hv/base/fmt.h"
#include "hv/isa/riscv64/state.h"
#include "riscv64_decode.h"

#define MSTATUS_MASK (RV_SIE | RV_MIE | RV_SPIE | RV_MPIE | RV_SPP | RV_MPP | RV_FS | RV_MPRV | RV_SUM | RV_MXR | RV_TVM | RV_TW | RV_TSR)
#define SSTATUS_MASK (RV_SIE | RV_SPIE | RV_SPP | RV_FS | RV_SUM | RV_MXR)
#define MIDELEG_MASK (1ull << RV_IRQ_SSI | 1ull << RV_IRQ_STI | 1ull << RV_IRQ_SEI)
#define MIE_MASK     (MIDELEG_MASK | 1ull << RV_IRQ_MSI | 1ull << RV_IRQ_MTI | 1ull << RV_IRQ_MEI)
#define MIP_MASK     MIDELEG_MASK
#define MENVCFG_MASK (RV_ENVCFG_FIOM | RV_ENVCFG_ADUE | RV_ENVCFG_STCE)
#define MISA         (2ull << 62 | 1 << ('A' - 'A') | 1 << ('C' - 'A') | 1 << ('D' - 'A') | 1 << ('F' - 'A') | 1 << ('I' - 'A') | \
                      1 << ('M' - 'A') | 1 << ('S' - 'A') | 1 << ('U' - 'A'))
#define NO_FIELD     0xffff

struct csr {
    const char *name;
    uint16_t first, offset;             /* offset in rv_csrs, or NO_FIELD */
    int8_t   from;                      /* number in the name of a range's first; -1: not a range */
    uint64_t mask;
    bool     (*guard)(struct vcpu *v, unsigned number);
    uint64_t (*read)(struct vcpu *v, unsigned number, uint64_t done_before);
    void     (*write)(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask);
};

static void merge(uint64_t *field, uint64_t value, uint64_t mask)
{
    *field = (*field & ~mask) | (value & mask);
}

/* ---- guards ---- */
static bool may_fp(struct vcpu *v, unsigned number)
{
    (void)number;
    return rv_csrs(v)->mstatus & RV_FS;
}
/* Counters: each level below M must be let in by the ones above (3.1.11, 4.1.5). */
static bool may_count(struct vcpu *v, unsigned number)
{
    const struct rv_csrs *c = rv_csrs(v);
    uint64_t bit = 1ull << (number & 31);
    return c->privilege == RV_M || ((c->mcounteren & bit) && (c->privilege == RV_S || (c->scounteren & bit)));
}
static bool may_sstc(struct vcpu *v, unsigned number)
{
    const struct rv_csrs *c = rv_csrs(v);
    (void)number;
    return c->privilege == RV_M || ((c->menvcfg & RV_ENVCFG_STCE) && (c->mcounteren & 2));
}
static bool may_satp(struct vcpu *v, unsigned number)
{
    const struct rv_csrs *c = rv_csrs(v);
    (void)number;
    return c->privilege == RV_M || !(c->mstatus & RV_TVM);
}

/* ---- constants, counters, time ---- */
static uint64_t read_zero(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)v; (void)number; (void)done_before;
    return 0;
}
static void write_nothing(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    (void)v; (void)number; (void)value; (void)mask;
}
static uint64_t read_misa(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)v; (void)number; (void)done_before;
    return MISA;
}
static uint64_t read_mhartid(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)number; (void)done_before;
    return v->id;
}
/* One instruction, one cycle. */
static uint64_t *counter_offset(struct vcpu *v, unsigned number)
{
    return number & 2 ? &rv_csrs(v)->minstret_offset : &rv_csrs(v)->mcycle_offset;
}
static uint64_t read_counter(struct vcpu *v, unsigned number, uint64_t done_before)
{
    return vcpu_insns_retired(v, done_before) + *counter_offset(v, number);
}
/* The writing instruction itself is not counted into the new value (3.1.10): the next read sees value + what ran since.
 * `value` is whole here: access() merges it for counters. */
static void write_counter(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    (void)mask;
    *counter_offset(v, number) = value;
}
static uint64_t read_time(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)number; (void)done_before;
    return rv_time(v);
}

/* ---- floating point: fcsr is the vCPU's fp_env ---- */
static uint64_t read_fcsr(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)done_before;
    uint64_t flags = v->regs.fp.flags & 31u, round = v->regs.fp.round & 7u;
    return number == 1 ? flags : number == 2 ? round : flags | round << 5;
}
static void write_fcsr(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    uint64_t fcsr = read_fcsr(v, 3, 0);
    unsigned shift = number == 2 ? 5 : 0;
    merge(&fcsr, value << shift, (mask << shift) & (number == 1 ? 0x1f : number == 2 ? 0xe0 : 0xff));
    v->regs.fp.flags = fcsr & 31;
    v->regs.fp.round = (uint8_t)(fcsr >> 5);
    rv_csrs(v)->mstatus |= RV_FS;
    rv_sync(v);
}

/* ---- status ---- */
static uint64_t read_mstatus(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)number; (void)done_before;
    uint64_t s = rv_csrs(v)->mstatus;
    return (s & RV_FS) == RV_FS ? s | RV_SD : s;
}
static void write_mstatus(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    struct rv_csrs *c = rv_csrs(v);
    (void)number;
    uint64_t old_mpp = c->mstatus & RV_MPP;
    merge(&c->mstatus, value, mask & MSTATUS_MASK);
    if ((c->mstatus & RV_MPP) >> RV_MPP_SHIFT == 2) {
        c->mstatus = (c->mstatus & ~(uint64_t)RV_MPP) | old_mpp;
    }
    rv_sync(v);
    rv_notice_irq(v);
}
static uint64_t read_sstatus(struct vcpu *v, unsigned number, uint64_t done_before)
{
    return read_mstatus(v, number, done_before) & (SSTATUS_MASK | 3ull << 32 | RV_SD);
}
static void write_sstatus(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    write_mstatus(v, number, value, mask & SSTATUS_MASK);
}
static void write_menvcfg(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    struct rv_csrs *c = rv_csrs(v);
    uint64_t old = c->menvcfg;
    (void)number;
    merge(&c->menvcfg, value, mask & MENVCFG_MASK & (c->has_svadu ? ~0ull : ~RV_ENVCFG_ADUE));
    if ((old ^ c->menvcfg) & RV_ENVCFG_ADUE) {
        mmu_flush_tlb(&v->mmu);
    }
    if ((old ^ c->menvcfg) & RV_ENVCFG_STCE) {
        c->mip &= ~(1ull << RV_IRQ_STI);
    }
    rv_arm_stimer(v);
}

/* ---- interrupts ---- */
static uint64_t read_mip(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)number; (void)done_before;
    return rv_mip(v);
}
static void write_mip_bits(struct vcpu *v, uint64_t value, uint64_t mask)
{
    struct rv_csrs *c = rv_csrs(v);
    merge(&c->mip, value, mask & MIP_MASK & (c->menvcfg & RV_ENVCFG_STCE ? ~(1ull << RV_IRQ_STI) : ~0ull));
    if (mask & ~value & 1u << RV_IRQ_SSI) {        /* takes back an IPI; pairs with vcpu_set_pin of its sender */
        (void)__atomic_fetch_and(&v->pins, ~(1u << RV_IRQ_SSI), __ATOMIC_ACQ_REL);
    }
    rv_notice_irq(v);
}
static void write_mip(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    (void)number;
    write_mip_bits(v, value, mask);
}
static void write_irqs(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    struct rv_csrs *c = rv_csrs(v);
    merge(number == 0x303 ? &c->mideleg : &c->mie, value, mask);
    rv_notice_irq(v);
}
static uint64_t read_sie(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)number; (void)done_before;
    return rv_csrs(v)->mie & rv_csrs(v)->mideleg;
}
static void write_sie(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    (void)number;
    write_irqs(v, 0x304, value, mask & rv_csrs(v)->mideleg);
}
static uint64_t read_sip(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)number; (void)done_before;
    return rv_mip(v) & rv_csrs(v)->mideleg;
}
static void write_sip(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    (void)number;
    write_mip_bits(v, value, mask & rv_csrs(v)->mideleg & 1u << RV_IRQ_SSI);
}
static void write_stimecmp(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    (void)number;
    merge(&rv_csrs(v)->stimecmp, value, mask);
    rv_arm_stimer(v);
}
/* Modes above vectored are reserved: the write leaves the register as it was. */
static void write_tvec(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    uint64_t *tvec = number == 0x305 ? &rv_csrs(v)->mtvec : &rv_csrs(v)->stvec, next = *tvec;
    merge(&next, value, mask);
    if ((next & 3) <= 1) {
        *tvec = next;
    }
}

/* ---- address translation and protection ---- */
static bool is_satp_mode(const struct rv_csrs *c, uint64_t satp)
{
    uint64_t mode = satp >> 60;
    return mode == RV_BARE || (mode >= RV_SV39 && mode <= (c->max_satp_mode ? c->max_satp_mode : RV_SV57));
}
static void write_satp(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    struct rv_csrs *c = rv_csrs(v);
    uint64_t next = c->satp;
    (void)number;
    merge(&next, value, mask);
    if (!is_satp_mode(c, next)) {
        return;                                     /* "no bits in satp change" (4.1.11) */
    }
    bool is_new_mode = (next ^ c->satp) >> 60;
    c->satp = next;
    if (is_new_mode) {
        mmu_flush_tlb(&v->mmu);
    }
    rv_sync(v);
}
static uint64_t read_pmpaddr(struct vcpu *v, unsigned number, uint64_t done_before)
{
    (void)done_before;
    return rv_csrs(v)->pmpaddr[number & 15];
}
/* A locked entry is closed, and so is the address below a locked top-of-range entry (3.7.1). */
static void write_pmpaddr(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    struct rv_csrs *c = rv_csrs(v);
    unsigned n = number & 15;
    bool is_base_of_locked = n + 1 < RV_PMP_ENTRIES && (c->pmpcfg[n + 1] & RV_PMP_L) && (c->pmpcfg[n + 1] & RV_PMP_A) == RV_PMP_TOR << 3;
    if ((c->pmpcfg[n] & RV_PMP_L) || is_base_of_locked) {
        return;
    }
    merge(&c->pmpaddr[n], value, mask & ((1ull << 54) - 1));
    rv_pmp_sync(v);
}
static uint8_t lawful_pmpcfg(uint8_t cfg)
{
    cfg &= RV_PMP_R | RV_PMP_W | RV_PMP_X | RV_PMP_A | RV_PMP_L;
    return cfg & RV_PMP_R ? cfg : cfg & (uint8_t)~RV_PMP_W;      /* W without R is reserved */
}
static void write_pmpcfg(struct vcpu *v, unsigned number, uint64_t value, uint64_t mask)
{
    struct rv_csrs *c = rv_csrs(v);
    unsigned first = (number & 2) * 4;
    uint64_t next = c->pmpcfg_word[first / 8];
    merge(&next, value, mask);
    for (unsigned i = 0; i < 8; i++) {
        if (!(c->pmpcfg[first + i] & RV_PMP_L)) {
            c->pmpcfg[first + i] = lawful_pmpcfg((uint8_t)(next >> i * 8));
        }
    }
    rv_pmp_sync(v);
}

/* ---- the table ---- */
#define FIELD(f) (uint16_t)offsetof(struct rv_csrs, f)
#define STORED(number, name, field, mask, guard, read, write) { #name, number, FIELD(field), -1, mask, guard, read, write },
#define VIEW(number, name, guard, read, write)                { #name, number, NO_FIELD, -1, 0, guard, read, write },
#define RANGE(number, count, name, from, guard, read, write)  { #name, number, NO_FIELD, from, 0, guard, read, write },
static const struct csr csrs[] = {
#include "hv/isa/riscv64/csr.def"
};
#undef STORED
#undef VIEW
#undef RANGE

#define STORED(number, name, field, mask, guard, read, write) CSR_ROW_##name,
#define VIEW(number, name, guard, read, write)                CSR_ROW_##name,
#define RANGE(number, count, name, from, guard, read, write)  CSR_ROW_##name,
enum {
#include "hv/isa/riscv64/csr.def"
    CSR_ROW_COUNT
};
#undef STORED
#undef VIEW
#undef RANGE

/* number -> row + 1; 0: no such CSR */
#define STORED(number, name, field, mask, guard, read, write) [number] = CSR_ROW_##name + 1,
#define VIEW(number, name, guard, read, write)                [number] = CSR_ROW_##name + 1,
#define RANGE(number, count, name, from, guard, read, write)  [number ... number + count - 1] = CSR_ROW_##name + 1,
static const uint8_t row_of[4096] = {
#include "hv/isa/riscv64/csr.def"
};
#undef STORED
#undef VIEW
#undef RANGE

static const struct csr *find(unsigned number)
{
    unsigned row = row_of[number & 0xfff];
    return row ? &csrs[row - 1] : NULL;
}
static uint64_t *field_of(struct vcpu *v, const struct csr *c)
{
    return (uint64_t *)((uint8_t *)rv_csrs(v) + c->offset);
}

static uint64_t value_of(struct vcpu *v, const struct csr *c, unsigned number, uint64_t done_before)
{
    return c->read ? c->read(v, number, done_before) : *field_of(v, c);
}

static void change(struct vcpu *v, const struct csr *c, unsigned number, uint64_t value, uint64_t mask, uint64_t old, uint64_t done_before)
{
    if (c->write == write_counter) {
        merge(&old, value, mask);
        write_counter(v, number, old - vcpu_insns_retired(v, done_before + 1), ~0ull);
    } else if (c->write) {
        c->write(v, number, value, c->offset == NO_FIELD ? mask : mask & c->mask);
    } else {
        merge(field_of(v, c), value, mask & c->mask);
    }
}

/* a = opcode: csr in 31:20, rs1 or uimm in 19:15, funct3 in 14:12 (1 swap, 2 set, 3 clear); b = operand; c = instructions
 * of the block done before this one. */
static uint64_t access(struct vcpu *v, uint64_t opcode, uint64_t operand, uint64_t done_before)
{
    unsigned number = (unsigned)bits64(opcode, 31, 20), how = (unsigned)bits64(opcode, 13, 12);
    bool is_write = how == 1 || bits64(opcode, 19, 15);
    const struct csr *c = find(number);
    if (!c || (number >> 8 & 3) > rv_csrs(v)->privilege || (is_write && number >> 10 == 3) || (c->guard && !c->guard(v, number))) {
        (void)rv_illegal(v, opcode);
        return 0;
    }
    uint64_t old = value_of(v, c, number, done_before);
    if (is_write) {
        change(v, c, number, how == 3 ? 0 : how == 2 ? ~0ull : operand, how == 1 ? ~0ull : operand, old, done_before);
    }
    return old;
}
const struct ir_helper RV_HELPER_CSR = { "riscv64_csr", access, HELPER_MAY_FAULT };

int riscv64_print_csr(int32_t number, char *out, size_t cap_bytes)
{
    const struct csr *c = find((unsigned)number);
    if (!c) {
        return hv_snprintf(out, cap_bytes, "0x%x", (unsigned)number);
    }
    return c->from < 0 ? hv_snprintf(out, cap_bytes, "%s", c->name)
                       : hv_snprintf(out, cap_bytes, "%s%u", c->name, (unsigned)number - c->first + (unsigned)c->from);
}

/* A register was written from outside, past every rule: make each CSR lawful again and derive what hangs on them. */
void rv_reg_written(struct vcpu *v, unsigned reg)
{
    struct rv_csrs *c = rv_csrs(v);
    v->regs.slot[0] = 0;
    if (reg != 0 && reg < 2 * RV_SLOT_F) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_COUNT(csrs); i++) {
        if (csrs[i].offset != NO_FIELD) {
            *field_of(v, &csrs[i]) &= csrs[i].mask;
        }
    }
    v->regs.pc &= ~1ull;
    v->regs.fp.flags &= 31;
    v->regs.fp.round &= 7;
    c->mstatus |= RV_UXL | RV_SXL;
    if ((c->mstatus & RV_MPP) >> RV_MPP_SHIFT == 2) {
        c->mstatus &= ~(uint64_t)RV_MPP;
    }
    c->mtvec &= ~2ull;
    c->stvec &= ~2ull;
    if (!c->has_svadu) {
        c->menvcfg &= ~RV_ENVCFG_ADUE;
    }
    if (!is_satp_mode(c, c->satp)) {
        c->satp = 0;
    }
    if (c->privilege > RV_M || c->privilege == 2) {
        c->privilege = RV_U;
    }
    for (unsigned i = 0; i < RV_PMP_ENTRIES; i++) {
        c->pmpcfg[i] = lawful_pmpcfg(c->pmpcfg[i]);
        c->pmpaddr[i] &= (1ull << 54) - 1;
    }
    rv_pmp_sync(v);
    rv_sync(v);
    rv_arm_stimer(v);
    rv_notice_irq(v);
}

/* ---- the register table: x, f, pc, then everything with storage ---- */
#define SLOT(n, name, class, abi) { name, class, (uint16_t)(offsetof(struct vcpu_regs, slot) + 8 * (n)), 8, abi }
#define X(n, abi) SLOT(n, "x" #n, REG_GENERAL, #abi)
#define F(n, abi) SLOT(RV_SLOT_F + n, "f" #n, REG_FP, #abi)
#define IS_COUNTER(field) (offsetof(struct rv_csrs, field) == offsetof(struct rv_csrs, mcycle_offset) || \
                           offsetof(struct rv_csrs, field) == offsetof(struct rv_csrs, minstret_offset))
#define CONTROL(name, field) { name, IS_COUNTER(field) ? REG_COUNTER : REG_CONTROL, \
                               (uint16_t)(offsetof(struct vcpu_regs, isa) + offsetof(struct rv_csrs, field)), 8, NULL }
#define PMPADDR(n) CONTROL("pmpaddr" #n, pmpaddr[n])
#define STORED(number, name, field, mask, guard, read, write) CONTROL(#name, field),
#define VIEW(...)
#define RANGE(...)
const struct reg_desc rv_regs[RV_REG_COUNT] = {
    X(0, zero), X(1, ra), X(2, sp), X(3, gp), X(4, tp), X(5, t0), X(6, t1), X(7, t2),
    X(8, s0), X(9, s1), X(10, a0), X(11, a1), X(12, a2), X(13, a3), X(14, a4), X(15, a5),
    X(16, a6), X(17, a7), X(18, s2), X(19, s3), X(20, s4), X(21, s5), X(22, s6), X(23, s7),
    X(24, s8), X(25, s9), X(26, s10), X(27, s11), X(28, t3), X(29, t4), X(30, t5), X(31, t6),
    F(0, ft0), F(1, ft1), F(2, ft2), F(3, ft3), F(4, ft4), F(5, ft5), F(6, ft6), F(7, ft7),
    F(8, fs0), F(9, fs1), F(10, fa0), F(11, fa1), F(12, fa2), F(13, fa3), F(14, fa4), F(15, fa5),
    F(16, fa6), F(17, fa7), F(18, fs2), F(19, fs3), F(20, fs4), F(21, fs5), F(22, fs6), F(23, fs7),
    F(24, fs8), F(25, fs9), F(26, fs10), F(27, fs11), F(28, ft8), F(29, ft9), F(30, ft10), F(31, ft11),
    { "pc", REG_CONTROL, offsetof(struct vcpu_regs, pc), 8, NULL },
    { "fflags", REG_CONTROL, offsetof(struct vcpu_regs, fp.flags), 1, NULL },
    { "frm", REG_CONTROL, offsetof(struct vcpu_regs, fp.round), 1, NULL },
    CONTROL("privilege", privilege),
#include "hv/isa/riscv64/csr.def"
    PMPADDR(0), PMPADDR(1), PMPADDR(2), PMPADDR(3), PMPADDR(4), PMPADDR(5), PMPADDR(6), PMPADDR(7),
    PMPADDR(8), PMPADDR(9), PMPADDR(10), PMPADDR(11), PMPADDR(12), PMPADDR(13), PMPADDR(14), PMPADDR(15),
};

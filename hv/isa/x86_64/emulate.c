// SPDX-License-Identifier: Apache-2.0
/* Instructions that touch devices, carried out for the CPU: moves, ALU, bit tests, exchanges, strings, and string port I/O. Their
 * segments' limits are not looked at. SDM volume 2. */
#include "hv/isa/x86_64/access.h"
#include "hv/isa/x86_64/insn.h"

#define STRING_ROUNDS 512                   /* of one visit; the guest comes back with the rest, and with what else is to do */

/* x: the exit that an operand is looked at for; NULL: none. */
struct work { struct vcpu *v; struct x86_frame *f; const struct x86_insn *i; const struct hw_exit *x; uint64_t at; unsigned size_bytes; bool is_done; };

/* ---- registers ---- */
static uint64_t read_register(const struct work *w, unsigned n, unsigned size_bytes)
{
    bool is_high = size_bytes == 1 && !w->i->has_rex && n >= 4 && n < 8;       /* ah, ch, dh, bh */
    return x86_low(is_high ? w->v->regs.slot[n - 4] >> 8 : w->v->regs.slot[n], size_bytes);
}

static void write_register(struct work *w, unsigned n, unsigned size_bytes, uint64_t value)
{
    uint64_t *slot = w->v->regs.slot;
    bool is_high = size_bytes == 1 && !w->i->has_rex && n >= 4 && n < 8;
    if (is_high) slot[n - 4] = (slot[n - 4] & ~0xff00ull) | (value & 0xff) << 8;
    else if (size_bytes >= 4) slot[n] = x86_low(value, size_bytes);
    else slot[n] = (slot[n] & ~((1ull << 8 * size_bytes) - 1)) | x86_low(value, size_bytes);
}

/* ---- addresses ---- */
static uint64_t segment_base(const struct work *w, unsigned s)
{
    if (x86_is_64bit(w->f) && s != X86_FS && s != X86_GS) return 0;
    x86_complete(w->v);
    return w->f->segment[s].base;
}

static uint64_t linear(const struct work *w, unsigned s, uint64_t offset)
{
    uint64_t at = segment_base(w, s) + x86_low(offset, w->i->address_bytes);
    return x86_is_64bit(w->f) ? at : (uint32_t)at;
}

static uint64_t operand_address(const struct work *w)
{
    const struct x86_insn *i = w->i;
    uint64_t offset = (uint64_t)i->displacement;
    if (i->base != X86_NO_REG) offset += w->v->regs.slot[i->base];
    if (i->index != X86_NO_REG) offset += w->v->regs.slot[i->index] << i->scale;
    if (i->is_rip_relative) offset += w->v->regs.pc + i->length;
    unsigned s = i->base == X86_RSP || i->base == X86_RBP ? X86_SS : X86_DS;
    return linear(w, i->segment != X86_NO_REG ? i->segment : s, offset);
}

/* ---- flags ---- */
static bool top_bit(uint64_t v, unsigned size_bytes)  { return v >> (8 * size_bytes - 1) & 1; }

static uint64_t result_flags(uint64_t r, unsigned size_bytes)
{
    r = x86_low(r, size_bytes);
    return (r ? 0 : X86_ZF) | (top_bit(r, size_bytes) ? X86_SF : 0) | (__builtin_parity((unsigned)r & 0xff) ? 0 : X86_PF_FLAG);
}

static void set_flags(struct work *w, uint64_t mask, uint64_t flags) { w->f->rflags = (w->f->rflags & ~mask) | flags; }

enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

static uint64_t alu(struct work *w, enum alu op, uint64_t a, uint64_t b)
{
    unsigned n = w->size_bytes;
    uint64_t carry = (op == ALU_ADC || op == ALU_SBB) && w->f->rflags & X86_CF, r = 0, flags = 0;
    bool is_sum = op == ALU_ADD || op == ALU_ADC, is_difference = op == ALU_SUB || op == ALU_SBB || op == ALU_CMP;
    if (is_sum) {
        r = x86_low(a + b + carry, n);
        flags |= r < a || (carry && r == a) ? X86_CF : 0;
        flags |= top_bit((a ^ r) & (b ^ r), n) ? X86_OF : 0;
    } else if (is_difference) {
        r = x86_low(a - b - carry, n);
        flags |= a < b || (carry && a == b) ? X86_CF : 0;
        flags |= top_bit((a ^ b) & (a ^ r), n) ? X86_OF : 0;
    } else {
        r = op == ALU_OR ? a | b : op == ALU_AND ? a & b : a ^ b;
    }
    if (is_sum || is_difference) flags |= (a ^ b ^ r) & 0x10 ? X86_AF : 0;
    set_flags(w, X86_ARITHMETIC_FLAGS, flags | result_flags(r, n));
    return r;
}

/* ---- one memory operand ---- */

/* The CPU has walked the guest's tables for this very operand, and says where it led. */
static bool is_told(const struct work *w, unsigned size_bytes)
{
    uint64_t offset = w->at % HV_PAGE_BYTES;
    return w->f->exit.is_operand && w->x && offset == w->x->gpa.v % HV_PAGE_BYTES && offset + size_bytes <= HV_PAGE_BYTES;
}

static bool load_bytes(struct work *w, unsigned size_bytes, uint64_t *out)
{
    if (!is_told(w, size_bytes)) return x86_load(w->v, w->at, size_bytes, out);
    x86_physical(w->v, w->x->gpa.v, size_bytes, ACCESS_READ, out);
    return true;
}
static bool load(struct work *w, uint64_t *out) { return load_bytes(w, w->size_bytes, out); }

static bool store(struct work *w, uint64_t value)
{
    value = x86_low(value, w->size_bytes);
    if (w->x && w->x->how != ACCESS_WRITE) return x86_store(w->v, w->at, w->size_bytes, value);
    if (!is_told(w, w->size_bytes)) return x86_store(w->v, w->at, w->size_bytes, value);
    x86_physical(w->v, w->x->gpa.v, w->size_bytes, ACCESS_WRITE, &value);
    return true;
}

static bool modify(struct work *w, enum alu op, uint64_t b)
{
    uint64_t a;
    if (op != ALU_CMP && !x86_may_store(w->v, w->at, w->size_bytes)) return false;
    if (!load(w, &a)) return false;
    uint64_t r = alu(w, op, a, x86_low(b, w->size_bytes));
    return op == ALU_CMP || store(w, r);
}

static bool do_alu(struct work *w)
{
    uint64_t a = read_register(w, w->i->reg, w->size_bytes), b;
    enum alu op = (enum alu)(w->i->op >> 3);
    if (!(w->i->op & 2)) return modify(w, op, a);
    if (!load(w, &b)) return false;
    uint64_t r = alu(w, op, a, b);
    if (op != ALU_CMP) write_register(w, w->i->reg, w->size_bytes, r);
    return true;
}

static bool do_test(struct work *w, uint64_t b)
{
    uint64_t a;
    if (!load(w, &a)) return false;
    (void)alu(w, ALU_AND, a, x86_low(b, w->size_bytes));
    return true;
}

/* INC and DEC leave the carry alone. */
static bool do_increment(struct work *w, enum alu op)
{
    uint64_t carry = w->f->rflags & X86_CF;
    if (!modify(w, op, 1)) return false;
    set_flags(w, X86_CF, carry);
    return true;
}

static bool do_group_3(struct work *w)
{
    uint64_t a;
    unsigned n = w->i->modrm >> 3 & 7;
    if (n < 2) return do_test(w, (uint64_t)w->i->immediate);
    if (!x86_may_store(w->v, w->at, w->size_bytes) || !load(w, &a)) return false;
    return store(w, n == 2 ? ~a : alu(w, ALU_SUB, 0, a));
}

static bool do_exchange(struct work *w)
{
    uint64_t a;
    if (!x86_may_store(w->v, w->at, w->size_bytes) || !load(w, &a) || !store(w, read_register(w, w->i->reg, w->size_bytes))) return false;
    write_register(w, w->i->reg, w->size_bytes, a);
    return true;
}

static bool do_exchange_add(struct work *w)
{
    uint64_t a, b = read_register(w, w->i->reg, w->size_bytes);
    if (!x86_may_store(w->v, w->at, w->size_bytes) || !load(w, &a) || !store(w, alu(w, ALU_ADD, a, b))) return false;
    write_register(w, w->i->reg, w->size_bytes, a);
    return true;
}

static bool do_compare_exchange(struct work *w)
{
    uint64_t a, expected = read_register(w, X86_RAX, w->size_bytes);
    if (!x86_may_store(w->v, w->at, w->size_bytes) || !load(w, &a)) return false;
    (void)alu(w, ALU_CMP, expected, a);
    bool is_equal = a == expected;
    if (!store(w, is_equal ? read_register(w, w->i->reg, w->size_bytes) : a)) return false;
    if (!is_equal) write_register(w, X86_RAX, w->size_bytes, a);
    return true;
}

/* By a register the bit may be anywhere around the operand, by an immediate it is inside. */
static bool do_bit(struct work *w, unsigned op, uint64_t number, bool is_anywhere)
{
    enum { TEST, SET, RESET, COMPLEMENT };
    unsigned bits = 8 * w->size_bytes;
    uint64_t a;
    if (is_anywhere) w->at += (uint64_t)((sign_extend64(number, bits) >> (3 + (w->size_bytes == 2 ? 1 : w->size_bytes == 4 ? 2 : 3))) * (int64_t)w->size_bytes);
    uint64_t bit = bit64((unsigned)(number & (bits - 1)));
    if (op != TEST && !x86_may_store(w->v, w->at, w->size_bytes)) return false;
    if (!load(w, &a)) return false;
    set_flags(w, X86_CF, a & bit ? X86_CF : 0);
    return op == TEST || store(w, op == SET ? a | bit : op == RESET ? a & ~bit : a ^ bit);
}

static bool do_widen(struct work *w, unsigned from_bytes, bool is_signed)
{
    uint64_t a;
    if (!load_bytes(w, from_bytes, &a)) return false;
    write_register(w, w->i->reg, w->i->op_bytes, is_signed ? (uint64_t)sign_extend64(a, 8 * from_bytes) : a);
    return true;
}

static bool do_load_register(struct work *w, unsigned n)
{
    uint64_t a;
    if (!load(w, &a)) return false;
    write_register(w, n, w->size_bytes, a);
    return true;
}

/* ---- strings ---- */
static void step_register(struct work *w, unsigned n)
{
    uint64_t by = w->f->rflags & X86_DF_FLAG ? 0 - (uint64_t)w->size_bytes : w->size_bytes;
    write_register(w, n, w->i->address_bytes, w->v->regs.slot[n] + by);
}

/* One round. */
static bool do_string_once(struct work *w)
{
    uint64_t *slot = w->v->regs.slot, a = slot[X86_RAX];
    uint64_t from = linear(w, w->i->segment != X86_NO_REG ? w->i->segment : X86_DS, slot[X86_RSI]), to = linear(w, X86_ES, slot[X86_RDI]);
    uint16_t port = (uint16_t)slot[X86_RDX];
    unsigned op = w->i->op & 0xfe, n = w->size_bytes;
    bool reads = op == 0xa4 || op == 0xac || op == 0x6e, writes = op == 0xa4 || op == 0xaa || op == 0x6c;
    if (writes && !x86_may_store(w->v, to, n)) return false;
    if (reads && !x86_load(w->v, from, n, &a)) return false;
    if (op == 0x6c) x86_port(w->v, port, n, ACCESS_READ, &a);
    if (op == 0x6e) x86_port(w->v, port, n, ACCESS_WRITE, &a);
    if (writes && !x86_store(w->v, to, n, a)) return false;
    if (op == 0xac) write_register(w, X86_RAX, n, a);
    if (reads) step_register(w, X86_RSI);
    if (writes) step_register(w, X86_RDI);
    return true;
}

static bool do_string(struct work *w)
{
    uint64_t *rcx = &w->v->regs.slot[X86_RCX];
    if (!w->i->repeat) return do_string_once(w);
    for (unsigned rounds = 0; x86_low(*rcx, w->i->address_bytes); rounds++) {
        if (rounds == STRING_ROUNDS) {
            w->is_done = false;
            return true;
        }
        if (!do_string_once(w)) return false;
        write_register(w, X86_RCX, w->i->address_bytes, *rcx - 1);
    }
    return true;
}

/* ---- by opcode ---- */
enum outcome { DONE, FAULT, UNKNOWN };
static enum outcome if_done(bool ok) { return ok ? DONE : FAULT; }

static enum outcome one_byte(struct work *w)
{
    const struct x86_insn *i = w->i;
    unsigned op = i->op, group = i->modrm >> 3 & 7;
    if (op < 0x40 && (op & 7) < 4) return if_done(do_alu(w));
    switch (op & 0xfe) {
    case 0x80: return if_done(modify(w, (enum alu)group, (uint64_t)i->immediate));
    case 0x82: return op == 0x83 ? if_done(modify(w, (enum alu)group, (uint64_t)i->immediate)) : UNKNOWN;
    case 0x84: return if_done(do_test(w, read_register(w, i->reg, w->size_bytes)));
    case 0x86: return if_done(do_exchange(w));
    case 0x88: return if_done(store(w, read_register(w, i->reg, w->size_bytes)));
    case 0x8a: return if_done(do_load_register(w, i->reg));
    case 0xa0: return if_done(do_load_register(w, X86_RAX));
    case 0xa2: return if_done(store(w, read_register(w, X86_RAX, w->size_bytes)));
    case 0xa4: case 0xaa: case 0xac: case 0x6c: case 0x6e: return if_done(do_string(w));
    case 0xc6: return group ? UNKNOWN : if_done(store(w, (uint64_t)i->immediate));
    case 0xf6: return group < 4 ? if_done(do_group_3(w)) : UNKNOWN;
    case 0xfe: return group < 2 ? if_done(do_increment(w, group ? ALU_SUB : ALU_ADD)) : UNKNOWN;
    }
    if (op == 0x63 && x86_is_64bit(w->f)) return if_done(do_widen(w, 4, true));
    return UNKNOWN;
}

static enum outcome two_byte(struct work *w)
{
    const struct x86_insn *i = w->i;
    unsigned group = i->modrm >> 3 & 7;
    switch (i->op) {
    case 0xa3: case 0xab: case 0xb3: case 0xbb: return if_done(do_bit(w, i->op >> 3 & 3, read_register(w, i->reg, w->size_bytes), true));
    case 0xba: return group >= 4 ? if_done(do_bit(w, group & 3, (uint64_t)i->immediate, false)) : UNKNOWN;
    case 0xb0: case 0xb1: return if_done(do_compare_exchange(w));
    case 0xb6: case 0xb7: return if_done(do_widen(w, i->op & 1 ? 2 : 1, false));
    case 0xbe: case 0xbf: return if_done(do_widen(w, i->op & 1 ? 2 : 1, true));
    case 0xc0: case 0xc1: return if_done(do_exchange_add(w));
    case 0xc3: return if_done(store(w, read_register(w, i->reg, w->size_bytes)));
    }
    return UNKNOWN;
}

/* Byte forms have an even opcode, but for the bit tests and MOVNTI. */
static unsigned operand_bytes(const struct x86_insn *i)
{
    bool is_byte = !(i->op & 1);
    if (i->map == X86_MAP_0F) is_byte = i->op == 0xb0 || i->op == 0xc0;
    return is_byte ? 1 : i->op_bytes;
}

static bool is_string(const struct x86_insn *i)
{
    unsigned op = i->op & 0xfe;
    return i->map == X86_MAP_ONE && (op == 0xa4 || op == 0xaa || op == 0xac || op == 0x6c || op == 0x6e);
}
static bool is_absolute(const struct x86_insn *i) { return i->map == X86_MAP_ONE && i->op >= 0xa0 && i->op <= 0xa3; }

enum exec_status x86_emulate(struct vcpu *v, const struct hw_exit *x, struct vm_error *error)
{
    const struct x86_insn *i = x86_insn_at_pc(v);
    enum outcome outcome = UNKNOWN;
    bool is_done = true;
    if (i && !i->has_vex) {
        struct work w = { .v = v, .f = x86_frame(v), .i = i, .x = x, .size_bytes = operand_bytes(i), .is_done = true };
        bool has_operand = i->has_memory;
        if (has_operand) {
            w.at = operand_address(&w);
        } else if (is_absolute(i)) {
            w.at = linear(&w, i->segment != X86_NO_REG ? i->segment : X86_DS, (uint64_t)i->immediate);
            has_operand = true;
        } else if (is_string(i)) {
            if (w.size_bytes == 8 && (i->op & 0xf0) == 0x60) w.size_bytes = 4;
            has_operand = true;
        }
        if (has_operand && i->map == X86_MAP_ONE) outcome = one_byte(&w);
        if (has_operand && i->map == X86_MAP_0F) outcome = two_byte(&w);
        is_done = w.is_done;
    }
    if (outcome == UNKNOWN) {
        *error = vm_error_because(VM_EXECUTION_INVALID_INSTRUCTION, "an instruction that touches a device cannot be carried out");
        return EXEC_FAILED;
    }
    if (outcome == DONE && is_done) x86_advance_by(v, i->length);
    return EXEC_CONTINUE;
}

/* MOV to or from a control register where the CPU does not say which: 0F 20, 0F 22. */
enum exec_status x86_emulate_cr(struct vcpu *v, struct vm_error *error)
{
    struct x86_frame *f = x86_frame(v);
    const struct x86_insn *i = x86_insn_at_pc(v);
    if (!i || i->map != X86_MAP_0F || (i->op != 0x20 && i->op != 0x22)) {
        *error = vm_error_because(VM_EXECUTION_INVALID_INSTRUCTION, "a control register is moved in an unknown way");
        return EXEC_FAILED;
    }
    f->exit.cr = i->reg == 0 && i->has_lock ? 8 : i->reg;
    f->exit.is_cr_read = i->op == 0x20;
    f->exit.cr_slot = i->rm;
    f->exit.insn_bytes = i->length;
    return EXEC_CONTINUE;
}

// SPDX-License-Identifier: Apache-2.0
/* A block as text, for documents, tests and debugging. The form is stable: docs/ir.md shows it, and a test compares the
 * two. Values are numbered by their place in the block; what ir_seal deleted is left out. */
#include "hv/base/fmt.h"
#include "hv/ir/ir.h"

struct text { char *out; size_t cap_bytes; int length; };
#define PUT(t, ...) ((t)->length += hv_snprintf((t)->out + ((size_t)(t)->length < (t)->cap_bytes ? (size_t)(t)->length : (t)->cap_bytes), \
                                                (size_t)(t)->length < (t)->cap_bytes ? (t)->cap_bytes - (size_t)(t)->length : 0, __VA_ARGS__))

static const char *const rounds[] = { "rne", "rtz", "rdn", "rup", "rmm", "?", "?", "dyn" };
static const char *const amos[]   = { "swap", "add", "and", "or", "xor", "min", "max", "minu", "maxu" };

typedef void put_fn(struct text *t, const struct ir_insn *i);
static void put_none(struct text *t, const struct ir_insn *i)   { if (i->imm) PUT(t, " #0x%lx", (unsigned long)i->imm); }
static void put_value(struct text *t, const struct ir_insn *i)  { PUT(t, " 0x%lx", (unsigned long)i->imm); }
static void put_slot(struct text *t, const struct ir_insn *i)   { PUT(t, " r%lu", (unsigned long)i->imm); }
static void put_pc(struct text *t, const struct ir_insn *i)     { put_value(t, i); }
static void put_field(struct text *t, const struct ir_insn *i)  { PUT(t, " <%lu,%lu>", (unsigned long)i->imm & 0xff, (unsigned long)i->imm >> 8 & 0xff); }
static void put_round(struct text *t, const struct ir_insn *i)  { PUT(t, " %s%s", rounds[i->imm & 7], i->imm & FP_SILENT ? " silent" : ""); }
static void put_quiet(struct text *t, const struct ir_insn *i)  { PUT(t, " %s", i->imm == FP_QUIET ? "quiet" : "signalling"); }
static void put_helper(struct text *t, const struct ir_insn *i)
{
    const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)i->imm;
    PUT(t, " %s", h ? h->name : "?");
}
static void put_memop(struct text *t, const struct ir_insn *i)
{
    PUT(t, " [%u%s%s%s%s%s", 8 * memop_bytes(i->imm), i->imm & MEM_SIGNED ? " signed" : "", i->imm & MEM_BIG_ENDIAN ? " big" : "",
        i->imm & MEM_ALIGNED ? " aligned" : "", i->imm & MEM_ACQUIRE ? " acquire" : "", i->imm & MEM_RELEASE ? " release" : "");
    if (i->op == IR_AMO) PUT(t, " %s", memop_amo(i->imm) <= AMO_MAXU ? amos[memop_amo(i->imm)] : "?");
    PUT(t, "]");
}
static void put_fence(struct text *t, const struct ir_insn *i)
{
    for (unsigned shift = 0; shift < 8; shift += 4) {
        PUT(t, " ");
        for (unsigned k = 0; k < 4; k++) {
            if (i->imm >> (shift + k) & 1) PUT(t, "%c", "rwio"[k]);
        }
    }
}

static put_fn *const put_immediate[IR_OP_COUNT] = {
#define NONE   put_none
#define VALUE  put_value
#define SLOT   put_slot
#define PC     put_pc
#define FIELD  put_field
#define MEMOP  put_memop
#define FENCE  put_fence
#define ROUND  put_round
#define QUIET  put_quiet
#define HELPER put_helper
#define IMM(x) x
#define X(name, r, a, b, c, imm, flags) [IR_##name] = IMM(imm),
    IR_OPS(X)
#undef X
};

static void put_operands(struct text *t, const struct ir_insn *i)
{
    const ir_ref refs[] = { i->a, i->b, i->c };
    unsigned count = i->c != IR_NONE ? 3 : i->b != IR_NONE ? 2 : i->a != IR_NONE;
    for (unsigned k = 0; k < count; k++) {
        if (refs[k] == IR_NONE) PUT(t, " _");                       /* a helper's unused argument before a used one */
        else PUT(t, " %%%u", refs[k]);
    }
}

static void put_insn(struct text *t, const struct ir_insn *i, unsigned n)
{
    bool is_name_first = i->op == IR_SETR || i->op == IR_CALL;      /* SETR r3 %5; CALL.i64 name %1 %2 */
    if (i->op == IR_INSN) {
        PUT(t, "0x%lx:\n", (unsigned long)i->imm);
        return;
    }
    if (i->type == IR_VOID) PUT(t, "  %s", ir_op_name((enum ir_op)i->op));
    else PUT(t, "  %%%u = %s.%s", n, ir_op_name((enum ir_op)i->op), ir_type_name((enum ir_type)i->type));
    if (is_name_first) put_immediate[i->op](t, i);
    put_operands(t, i);
    if (!is_name_first) put_immediate[i->op](t, i);
    PUT(t, "\n");
}

static void put_end(struct text *t, const struct ir_end *e)
{
    static const char *const names[] = { "open", "jump", "branch", "indirect", "leave", "leave_indirect", "halt", "fault" };
    static const char *const hints[] = { "", " call", " return" };
    bool has_taken = e->kind == IR_END_JUMP || e->kind == IR_END_BRANCH || e->kind == IR_END_LEAVE || e->kind == IR_END_HALT;
    PUT(t, "  %s", names[e->kind]);
    if (e->value != IR_NONE) PUT(t, " %%%u", e->value);
    if (has_taken) PUT(t, " 0x%lx", (unsigned long)e->taken.v);
    if (e->kind == IR_END_BRANCH) PUT(t, " 0x%lx", (unsigned long)e->fall.v);
    if (e->kind == IR_END_FAULT) PUT(t, " %s", fault_kind_name(e->fault.kind));
    PUT(t, "%s\n", hints[e->hint]);
}

int ir_dump(const struct ir_block *b, char *out, size_t cap_bytes)
{
    struct text t = { out, cap_bytes, 0 };
    if (cap_bytes) out[0] = 0;
    for (unsigned n = 0; n < b->count; n++) {
        if (b->insn[n].op != IR_CONST || b->insn[n].type != IR_VOID) put_insn(&t, &b->insn[n], n);
    }
    put_end(&t, &b->end);
    return t.length;
}

// SPDX-License-Identifier: Apache-2.0
/* The audit's inside: two engines for one vCPU, and what a piece of guest code began and ended with. Owner: the vCPU's thread. */
#pragma once
#include "hv/audit/audit.h"
#include "hv/audit/journal.h"

enum { FIRST, SECOND, PARTS };                        /* the interpreter, whose word counts; the JIT, which is judged */

/* Everything of a vCPU that guest code may change. */
struct audit_point {
    struct vcpu_regs regs;
    typeof(((struct vcpu *)0)->reservation) reservation;
    struct fault fault;
    uint64_t deadline_ns;
    uint32_t hypercall;
    unsigned data_context, fetch_context;
    uint16_t asid;
    bool     is_past_break;
    unsigned next_device;
    struct exec_stats stats;
    struct vcpu_exits exits;
};

/* spent: of a budget. status: CONTINUE also where a device or the guest asked for the way out. */
struct audit_outcome { enum exec_status status; uint64_t spent, insns, accesses; enum fault_kind fault; struct vm_error error; };

struct audit {
    const struct engine_ops *engine[PARTS];
    void *state[PARTS];
    struct isa_ops quiet;                             /* the vCPU's, with no interrupts: a piece runs to its end */
    struct audit_stats stats;
    uint64_t random;                                  /* how long pieces are */
    struct audit_point start, end, second_end;        /* of this piece; what the parts came to when they differed */
    struct audit_outcome outcome[PARTS];
    struct journal journal;
    char what[160];                                   /* the difference */
    struct ir_block ir;
    char text[1 << 16];
};

/* compare.c: NULL, or a->what says where the vCPU and its memory are not as a->end and the journal say. */
const char *audit_compare(struct audit *a, struct vcpu *v);
/* report.c: at the start of the piece; tells the log what was to be done there and what became of it. */
void audit_report(struct audit *a, struct vcpu *v);

// SPDX-License-Identifier: Apache-2.0
/* A toy guest ISA without instructions, for vCPU tests: registers of every size and class, and what was asked of it. */
#pragma once
#include "hv/exec/engine.h"
#include "test/unit/toy_mmu.h"

struct toy_csrs { uint64_t control, writes, deadlines; };
enum { TOY_ZERO, TOY_A, TOY_B, TOY_NARROW, TOY_VECTOR, TOY_FLAGS, TOY_CONTROL, TOY_REG_COUNT };
static const struct reg_desc TOY_REGS[TOY_REG_COUNT] = {
    [TOY_ZERO]    = { "zero",    REG_GENERAL, offsetof(struct vcpu_regs, slot[0]), 8, NULL },
    [TOY_A]       = { "a",       REG_GENERAL, offsetof(struct vcpu_regs, slot[1]), 8, NULL },
    [TOY_B]       = { "b",       REG_GENERAL, offsetof(struct vcpu_regs, slot[2]), 8, NULL },
    [TOY_NARROW]  = { "narrow",  REG_GENERAL, offsetof(struct vcpu_regs, slot[3]), 2, NULL },
    [TOY_VECTOR]  = { "vector",  REG_FP,      offsetof(struct vcpu_regs, slot[4]), 16, NULL },
    [TOY_FLAGS]   = { "flags",   REG_CONTROL, offsetof(struct vcpu_regs, fp.flags), 1, NULL },
    [TOY_CONTROL] = { "control", REG_CONTROL, offsetof(struct vcpu_regs, isa), 8, NULL },
};

static inline void toy_reg_written(struct vcpu *v, unsigned reg)
{
    struct toy_csrs *c = (void *)v->regs.isa;
    (void)reg;
    v->regs.slot[0] = 0;                     /* wired */
    c->control &= 0xff;                      /* WARL */
    c->writes++;
}

static const struct isa_ops TOY_ISA = { .arch = GUEST_RISCV64, .name = "toy", .regs = TOY_REGS, .reg_count = TOY_REG_COUNT,
                                        .insn_align_bytes = 2, .insn_max_bytes = 4, .walk = toy_walk, .reg_written = toy_reg_written };

struct toy_engine { uint64_t forgotten, last_at, last_size; };
static inline void toy_forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    struct toy_engine *e = v->engine_state;
    __atomic_fetch_add(&e->forgotten, 1, __ATOMIC_RELAXED);
    e->last_at = at.v, e->last_size = size_bytes;
}
static const struct engine_ops TOY_ENGINE = { .mode = EXEC_INTERPRETER, .name = "toy", .forget_code = toy_forget };

struct toy_vcpu { struct toy *t; struct vcpu v; struct toy_engine engine; uint32_t wakes; };
static inline void toy_wake(struct vcpu *v) { __atomic_fetch_add(&CONTAINER_OF(v, struct toy_vcpu, v)->wakes, 1, __ATOMIC_RELAXED); }

/* Shares t's RAM, bus and tables. */
static inline void toy_vcpu_start(struct toy_vcpu *c, struct toy *t, unsigned id)
{
    memset(c, 0, sizeof *c);
    c->t = t;
    c->v.id = id;
    c->v.isa = &TOY_ISA;
    c->v.engine = &TOY_ENGINE;
    c->v.engine_state = &c->engine;
    c->v.wake = toy_wake;
    c->v.deadline_ns = UINT64_MAX;
    CHECK(!vm_failed(mmu_init(&c->v.mmu, &t->gmem, &t->bus, toy_walk, t)));
    c->v.mmu.code_changed = NULL;
}
static inline void toy_vcpu_end(struct toy_vcpu *c) { mmu_destroy(&c->v.mmu); }

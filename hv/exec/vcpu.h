// SPDX-License-Identifier: Apache-2.0
/* A virtual CPU: registers, MMU, requests from others, statistics. Everything but `request`, `pins`, `in_guest` and
 * `fence_*` belongs to the thread that runs it (or to whoever holds it stopped). */
#pragma once
#include "hv/exec/exits.h"
#include "hv/exec/isa.h"

#define VCPU_SLOTS     256
#define VCPU_TEMP_SLOT 200          /* engines may use slots 200..255 for temporaries; ISAs use those below */
#define VCPU_ISA_BYTES 4096

/* The architectural state. Slots are 64-bit words that IR addresses by index (128-bit values take two). */
struct vcpu_regs {
    uint64_t      slot[VCPU_SLOTS];
    uint64_t      pc;               /* of the next instruction; exact whenever the engine is not running */
    uint64_t      insns_before;     /* retired before this vCPU's statistics began: what a state brought along */
    uint32_t      mode;             /* the ISA's key for translated code: everything lifting depends on */
    struct fp_env fp;
    ALIGNED(64) uint8_t isa[VCPU_ISA_BYTES];    /* control registers: struct of the ISA; XSAVE wants the alignment */
};

/* Why an engine must come out at the next block boundary. */
enum vcpu_request {
    VCPU_REQUEST_HOST  = 1,         /* the core has work: interrupt, timer */
    VCPU_REQUEST_IRQ   = 2,         /* pins changed */
    VCPU_REQUEST_STOP  = 4,         /* pause, stop, reset: look at the VM's state */
    VCPU_REQUEST_FENCE = 8,         /* fence_pending has work */
    VCPU_REQUEST_EXIT  = 16,        /* the guest powered off (set by a device or hypercall) */
};
enum vcpu_fence { VCPU_FENCE_TLB = 1, VCPU_FENCE_CODE = 2 };

/* The guest's clock: ticks of frequency_hz since the VM started, standing still while the VM is paused. */
struct guest_clock { uint64_t frequency_hz, offset_ns, stopped_at_ns; };
uint64_t guest_clock_ticks(const struct guest_clock *c);                      /* now */
uint64_t guest_clock_deadline_ns(const struct guest_clock *c, uint64_t ticks); /* host time of that tick; UINT64_MAX: never */
void     guest_clock_start(struct guest_clock *c, uint64_t frequency_hz);
void     guest_clock_pause(struct guest_clock *c);
void     guest_clock_resume(struct guest_clock *c);

/* The reference's seven; all start at 0 and rise. tlb_hits = translations - misses. */
struct exec_stats { uint64_t executed_insns, mem_accesses, exec_time_ns, tlb_hits, tlb_misses, jit_compiles, jit_compile_time_ns; };
void exec_stats_add(struct exec_stats *sum, const struct exec_stats *one);

/* Virtual addresses at which a vCPU stops before the instruction. Changed only while the vCPUs that use it are stopped, and
 * engine->drop_code follows each change: blocks end where a breakpoint is. */
#define VCPU_MAX_BREAKS 16
struct breakpoints { unsigned count; guest_addr at[VCPU_MAX_BREAKS]; };
bool breakpoints_have(const struct breakpoints *b, guest_addr at);

struct engine_ops;
struct vcpu {
    struct vcpu_regs         regs;
    struct mmu               mmu;
    uint32_t                 request;       /* atomic: set by anyone (release), taken by the run loop (acquire) */
    uint32_t                 pins;          /* atomic: level of each interrupt input, ISA-numbered bits */
    uint32_t                 in_guest;      /* atomic: 1 while the engine runs; pairs with fence_pending */
    uint32_t                 fence_pending; /* atomic: enum vcpu_fence bits asked for */
    uint32_t                 fence_busy;    /* atomic: 1 while its thread obeys what it took from fence_pending */
    int64_t                  budget;        /* instructions left; engines store it before every helper call and on exit */
    int64_t                  budget_start;
    struct fault             fault;         /* set by helpers; FAULT_NONE otherwise */
    struct {                                /* LL/SC: SC succeeds when the word still has the value that LL saw. Engines emit
                                               accesses to these words; host: where it is in RAM; value_high: of 16 bytes */
        uint64_t host, value, value_high, size_bytes;          /* size_bytes 0: none */
    } reservation;
    uint64_t                 deadline_ns;   /* when isa->deadline is due; UINT64_MAX: never */
    uint32_t                 hypercall;     /* for EXEC_IO_REQUEST: which one, the ISA's number */
    unsigned                 id;
    bool                     is_halted, running;
    const struct isa_ops    *isa;
    const struct engine_ops *engine;
    void                    *engine_state, *engine_vm;    /* its own; what the VM's vCPUs share */
    uint32_t                 code_limit_bytes;            /* of translated code, set before it is made; 0: the engine's own */
    uint32_t                 core;          /* atomic: where it is in guest code, while in_guest */
    struct guest_clock      *clock;
    void                    *machine;       /* the ISA's machine (hv/isa/<isa>/machine.c) */
    void                    *vm;            /* struct vm, for the room above */
    void                   (*wake)(struct vcpu *v);   /* upcall of the scheduler: pins or requests changed; any context but interrupts */
    struct exec_stats        stats;         /* cumulative; tlb_* filled on reading */
    struct vcpu_exits        exits;
    const struct breakpoints *breaks;       /* NULL: none */
    bool                     is_past_break; /* it has been told of the breakpoint at pc: the next run goes over it */
    void                   (*trace)(struct vcpu *v, const struct insn *i);   /* tests and debuggers: before each single step; NULL */
};

/* Instructions retired since power-on, exact also inside a helper; `before` = instructions of the running block that are
 * done already (lifters pass it as a constant, since engines count at block ends). */
static inline uint64_t vcpu_insns_retired(const struct vcpu *v, uint64_t before)
{
    return v->regs.insns_before + v->stats.executed_insns + (uint64_t)(v->budget_start - v->budget) + before;
}

/* Numbered by the isa's register table. get is zero-extended; set normalises (riscv x0 stays 0). A counter reads as what the
 * guest would read after the last instruction.
 * Core(INVALID_PARAMETER) for an index out of range or a register wider than 64 bits. Only while not running. */
NODISCARD struct vm_error vcpu_get_reg(const struct vcpu *v, unsigned reg, uint64_t *out);
NODISCARD struct vm_error vcpu_set_reg(struct vcpu *v, unsigned reg, uint64_t value);
int        vcpu_find_reg(const struct vcpu *v, const char *name);        /* or its alias; -1: no such register */
guest_addr vcpu_get_pc(const struct vcpu *v);
void       vcpu_set_pc(struct vcpu *v, guest_addr pc);      /* rounded down to where an instruction may start */

/* The complete state: general, FP, control registers, pc; memory by reference. */
struct vm_state { struct vcpu_regs regs; struct gmem *memory; guest_addr pc; };
struct vcpu_state { size_t vcpu_id; struct vm_state state; bool running; enum guest_arch guest_arch; };
void                      vcpu_get_state(const struct vcpu *v, struct vcpu_state *out);
/* Only while not running (InvalidState), and a state of the same guest_arch (InvalidParameter). The vCPU keeps its id and
 * its RAM; every register is normalised, TLB and translated code are dropped, a reservation is lost, and a halted vCPU
 * goes on (its wait instruction just returns early). */
NODISCARD struct vm_error vcpu_set_state(struct vcpu *v, const struct vcpu_state *in);

/* Gives the vCPU another MMU, made with mmu_init for this vCPU (its owner); *m then holds the old one. Only while not running
 * (InvalidState). Registers stay, everything derived from the old MMU is dropped. */
NODISCARD struct vm_error vcpu_bind_mmu(struct vcpu *v, struct mmu *m);

void vcpu_set_pin(void *vcpu, uint32_t pin, bool level);      /* an irq_line sink; any thread */
void vcpu_ask(struct vcpu *v, uint32_t request);              /* sets request bits and wakes; any thread */
void vcpu_set_deadline(struct vcpu *v, uint64_t deadline_ns); /* own thread */
/* Fences on other vCPUs (TLB shootdown, remote fence.i): ask, then wait until the target has obeyed or is not in guest
 * code (then it obeys before it enters again). The waiter serves its own fences meanwhile, so two may wait on each other. */
void vcpu_fence_ask(struct vcpu *v, uint32_t fences);
void vcpu_fence_wait(struct vcpu *v, struct vcpu *self);
void vcpu_fence_obey(struct vcpu *v);                         /* own thread */
/* Around every engine run: from enter to leave the vCPU is in guest code, and has obeyed all fences asked before. */
void vcpu_enter_guest(struct vcpu *v);                        /* own thread */
void vcpu_leave_guest(struct vcpu *v);                        /* own thread */
/* For mmu.code_changed: the engine forgets what it made from that memory, and a reservation in it is lost. Own thread, or
 * the vCPU is stopped. */
void vcpu_code_changed(void *vcpu, guest_phys_addr at, uint64_t size_bytes);
/* Cumulative statistics with the TLB figures filled in; exact while it is stopped. */
void vcpu_stats(const struct vcpu *v, struct exec_stats *out);

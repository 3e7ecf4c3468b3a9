// SPDX-License-Identifier: Apache-2.0
/* Traps, on the trap stack of the hart they happen on, interrupts off. An exception goes to whoever asked
 * for it (survives), else it ends the kernel with a dump. */
#include "demo.h"

enum { SOFT = 1, TIMER = 5, EXTERNAL = 9, CAUSE_INTERRUPT_BIT = 63 };

static const char *const registers[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6",   "a7", "s2", "s3", "s4",  "s5",  "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

const char *cause_name(u64 cause)
{
    static const char *const names[] = {
        "instruction address misaligned", "instruction access fault", "illegal instruction", "breakpoint",
        "load address misaligned", "load access fault", "store address misaligned", "store access fault",
        "ecall from U", "ecall from S", "?", "?", "instruction page fault", "load page fault", "?",
        "store page fault",
    };
    return cause < COUNT_OF(names) ? names[cause] : "?";
}

static void dump(const struct frame *f)
{
    print("\nhart %lu: %s, scause %lu, stval 0x%lx, sepc 0x%lx, sstatus 0x%lx\n", this_hart()->id,
          cause_name(csr_read(scause)), csr_read(scause), csr_read(stval), f->pc, f->status);
    for (u32 i = 1; i < 32; i++) {
        print("  %-4s%016lx%s", registers[i], f->x[i], i % 4 == 3 ? "\n" : "");
    }
}

static void interrupt(u64 cause)
{
    struct hart *hart = this_hart();
    hart->interrupts++;
    if (cause == TIMER) {
        hart->ticks++;
        sbi_set_timer(now() + machine.timebase_hz / TICKS_PER_SECOND);
    } else if (cause == SOFT) {
        csr_clear(sip, SIE_SOFT);
        __atomic_fetch_add(&hart->ipis, 1, __ATOMIC_RELEASE);
    } else if (cause == EXTERNAL) {
        plic_interrupt();
    }
}

void trap(struct frame *f);
void trap(struct frame *f)
{
    u64 cause = csr_read(scause);
    struct hart *hart = this_hart();
    if (cause >> CAUSE_INTERRUPT_BIT) {
        interrupt(cause & 63);
    } else if (hart->recover) {
        hart->fault = (struct fault){cause, csr_read(stval), f->pc};
        f->pc = (u64)jump_to;
        f->x[10] = (u64)hart->recover;
        f->x[11] = 1;
        f->status |= SSTATUS_SPP | SSTATUS_SPIE;
        hart->recover = NULL;
    } else {
        dump(f);
        print("the kernel stops\n");
        machine_stop(false, true);
    }
}

void trap_in_trap_report(u64 cause, u64 value, u64 pc);
void trap_in_trap_report(u64 cause, u64 value, u64 pc)
{
    print("\ntrap in the trap handler: %s, stval 0x%lx, sepc 0x%lx\n", cause_name(cause), value, pc);
    machine_stop(false, true);
}

bool survives(void (*function)(u64), u64 argument, struct fault *fault)
{
    struct jump_buffer here;
    struct hart *hart = this_hart();
    if (jump_set(&here)) {
        *fault = this_hart()->fault;
        return false;
    }
    hart->recover = &here;
    function(argument);
    hart->recover = NULL;
    return true;
}

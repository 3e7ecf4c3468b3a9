// SPDX-License-Identifier: Apache-2.0
/* VMs on a core that the test itself turns: small kernels in S-mode, run by the scheduler one turn at a time. */
#pragma once
#include "hv/core/percpu.h"
#include "hv/core/timer.h"
#include "hv/core/work.h"
#include "hv/vm/keeper.h"
#include "hv/vm/sched.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"
#include "test/unit/rv_asm.h"

#define ONE_KERNEL 0x80200000ull

struct one_file { const uint32_t *code; size_t size_bytes; unsigned opened; };

static inline const char *one_open(void *ctx, const char *path, struct blob *out)
{
    struct one_file *f = ctx;
    (void)path;
    *out = (struct blob){ f->code, f->size_bytes };
    f->opened++;
    return NULL;
}
static inline void one_close(void *ctx, const struct blob *b)
{
    struct one_file *f = ctx;
    CHECK(b->data == f->code && f->opened);
    f->opened--;
}

static inline void one_core(void)
{
    test_pages();
    if (!percpu()) percpu_init(0);
}
/* A VM whose kernel is these words. `f` lives as long as the VM. */
static inline struct vm *one_vm_of(struct one_file *f, struct vm_config c, const char *name)
{
    const struct file_source files = { .ctx = f, .open = one_open, .close = one_close };
    struct vm *vm = NULL;
    one_core();
    c.name = name;
    c.memory_size = MIB(8);
    if (!c.vcpu_count) c.vcpu_count = 1;
    c.kernel_path = "kernel";
    struct vm_error e = vm_create(&c, &files, &vm);
    if (vm_failed(e)) printf("%s: %s\n", name, e.domain == VM_ERROR_CORE ? e.reason : vm_error_text(e.kind));
    CHECK(!vm_failed(e));
    return vm;
}
/* A kernel's words, as `name` and name_code. */
#define ONE_FILE(name, ...)                                                                                          \
    static uint32_t name##_code[64];                                                                                 \
    static struct one_file name = { name##_code, 0, 0 };                                                             \
    __attribute__((constructor)) static void name##_fill(void)                                                       \
    {                                                                                                                \
        const uint32_t code[] = { __VA_ARGS__ };                                                                     \
        name.size_bytes = sizeof code;                                                                               \
        memcpy(name##_code, code, sizeof code);                                                                      \
    }

/* Turns; what timers and others posted is done between them, without the host's interrupts. */
static inline bool one_turn_on(unsigned cpu)
{
    timer_run_due();
    work_run_all();
    return sched_turn(cpu);
}
static inline bool one_turn(void) { return one_turn_on(0); }
static inline void one_turns(unsigned n) { while (n--) one_turn(); }
/* Until the VM is in that state; gives up after many turns. */
static inline void one_until(struct vm *vm, enum vm_lifecycle state)
{
    for (unsigned n = 0; n < 100000 && vm_state(vm) != state; n++) one_turn();
    CHECK(vm_state(vm) == state);
}
/* Ends and frees it, whatever it was doing; no timer and no work stays behind. */
static inline void one_end(struct vm *vm)
{
    struct vm_error e = vm_stop(vm);
    CHECK(!vm_failed(e) || e.kind == VM_CORE_INVALID_STATE);
    CHECK(!vm_failed(vm_destroy(vm)));
    work_run_all();
    keeper_look();
}
/* Registers by slot, a word of RAM. */
static inline uint64_t one_ram(struct vm *vm, uint64_t at)
{
    uint64_t v = 0;
    CHECK(!vm_failed(gmem_read_bulk(&vm->gmem, guest_phys_addr_make(at), &v, 8)));
    return v;
}
/* Power off by the finisher: three words, from S-mode with translation off. */
#define ONE_POWER_OFF  rv_lui(T5, 0x100), rv_lui(T6, 5), rv_addi(T6, T6, 0x555), rv_sw(T6, T5, 0), rv_j(0)
/* Writes "end with code" to the finisher: code << 16 | 0x3333. */
#define ONE_FAIL(code) rv_lui(T5, 0x100), rv_lui(T6, ((code) << 4) + 3), rv_addi(T6, T6, 0x333), rv_sw(T6, T5, 0), rv_j(0)

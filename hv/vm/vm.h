// SPDX-License-Identifier: Apache-2.0
/* A virtual machine and its life: Created -start-> Running <-pause, resume-> Paused -stop-> Stopped, or Failed with its
 * reason; reset makes the machine anew and leaves Running and Paused as they are, all others Created. What is not possible in
 * a state is Core(InvalidState), and its reason says what to do. The scheduler
 * (sched.h) owns who runs; a VM's struct is stable from create to destroy. API calls come from one core's loop (timers,
 * work), or a thread that is no core, one at a time; guests' own requests (power-off, reboot) come from any core, and
 * each change of state happens once, whoever asks at the same time. */
#pragma once
#include "hv/core/log.h"
#include "hv/core/timer.h"
#include "hv/isa/machine.h"
#include "hv/vm/vm_config.h"

/* Where paths of a configuration come from: the bundle, or the host's files when hosted. */
struct file_source {
    void *ctx;
    /* NULL, or why not (valid until the next call). The data stay valid until they are closed: when the VM is destroyed. */
    const char *(*open)(void *ctx, const char *path, struct blob *out);
    void        (*close)(void *ctx, const struct blob *b);       /* NULL: nothing to do */
};

enum vm_lifecycle { VM_CREATED, VM_RUNNING, VM_PAUSED, VM_STOPPED, VM_FAILED };
const char *vm_lifecycle_name(enum vm_lifecycle s);
/* Why a VM is Stopped or Failed. */
enum vm_end { VM_END_NONE, VM_END_POWER_OFF, VM_END_CODE, VM_END_STOPPED_BY_HOST, VM_END_FAILED };
const char *vm_end_name(enum vm_end e);

struct vm_console;
struct code_notes { uint64_t compiles, hotspots; struct log_limit limit; };      /* history.h: what was told of translated code */
struct sched_vcpu {                      /* the scheduler's; see sched.c */
    struct list   link;
    struct vcpu  *vcpu;
    struct vm    *vm;
    enum { SCHED_PARKED, SCHED_QUEUED, SCHED_RUNNING } state;
    struct timer  deadline;
    uint64_t      deadline_armed_ns;     /* atomic: what the timer is armed for; UINT64_MAX: not, or it has fired */
    struct timer  turn_end;              /* armed where the engine does not look at the clock */
    uint64_t      turn_ns;               /* how long this turn may be; its VM has paid that */
    uint64_t      run_ns;                /* ever, on all cores */
    uint64_t      left_ns;               /* when it left guest code, or 0; and why */
    enum exit_reason left_why;
    struct code_notes noted;
};
struct sched_vm {                        /* the scheduler's */
    struct list   link;                  /* in the queue of VMs that have queued vCPUs */
    struct list   queued;                /* sched_vcpu.link, whose turn is next first */
    unsigned      running;               /* vCPUs that a core holds */
    bool          is_settling;           /* a core is in vm_settle */
    int64_t       credit_ns;             /* time it may still take before others' turns, by weight; below 0: it took too much */
    int64_t       cap_left_ns;           /* of this period, where it has a cap */
    uint64_t      cap_period;
    struct timer  uncap;                 /* armed while its cap is used up */
};

struct vm_keep {                         /* the keeper's; see keeper.c */
    uint64_t      restart_at_ns;         /* atomic; 0: it will not be restarted */
    uint64_t      started_ns;
    unsigned      backoff_s, restarts, bites;
    uint64_t      signs, time_ns, sign_ns;   /* at the last look: signs, time in the guest; when there was a sign of life */
};

struct vm {
    struct list        link;             /* all VMs, in order of creation */
    char               name[VM_NAME_BYTES];
    uint32_t           number;           /* in the event store: 1, 2, ... in order of creation */
    struct vm_config   config;           /* its texts are the VM's own, in `text` */
    char              *text;
    struct file_source files;
    struct blob        blob[3 + VM_MAX_DISKS];
    unsigned           blob_count;
    char               device_name[MMIO_MAX_REGIONS][32];
    struct breakpoints breaks;           /* see debug.h */
    const struct machine_ops *ops;
    const struct engine_ops *engine;
    void              *engine_vm;        /* the engine's own */
    void              *machine;
    struct machine_config machine_config;
    struct gmem        gmem;
    struct mmio_bus    bus;
    struct guest_clock clock;
    struct vcpu       *vcpus;
    struct sched_vcpu *sched;
    struct sched_vm    run;
    struct vm_keep     keep;
    struct vm_console *console;
    enum vm_lifecycle  state;            /* atomic */
    uint64_t           ask;              /* atomic: 0, or what the guest wants: enum vm_ask, its code in the upper half */
    enum vm_end        end;              /* with STOPPED and FAILED */
    uint32_t           exit_code;        /* finisher's code of a normal end; 0 */
    uint32_t           reboots;
    struct log_limit   reboot_log;
    char               reason[160];      /* of FAILED */
    /* Upcall: state became STOPPED or FAILED. Not when it is to be restarted. Some core's loop, no lock held; it may
     * not destroy the VM itself. */
    void             (*ended)(struct vm *vm);
};

/* The description is copied; its texts may go when this returns. */
NODISCARD struct vm_error vm_create(const struct vm_config *c, const struct file_source *files, struct vm **out);
NODISCARD struct vm_error vm_start(struct vm *vm);
NODISCARD struct vm_error vm_pause(struct vm *vm);
NODISCARD struct vm_error vm_resume(struct vm *vm);
NODISCARD struct vm_error vm_stop(struct vm *vm);
/* The machine anew, as at power-on, with the same disks. Running: it goes on from there. Its history and statistics stay. */
NODISCARD struct vm_error vm_reset(struct vm *vm);
/* Only when Created, Stopped or Failed; gives every page back. */
NODISCARD struct vm_error vm_destroy(struct vm *vm);
void                      vm_stats(const struct vm *vm, struct exec_stats *out);
struct vm                *vm_find(const char *name);
struct list              *vm_all(void);
void                      vm_numbers_after(uint32_t highest);       /* VMs to come get higher numbers */
/* It has ended, and will be restarted by its policy; vm_stop, vm_reset and vm_destroy prevent that. */
bool                      vm_is_coming_back(const struct vm *vm);
unsigned                  vm_count(void);                   /* any core */
enum vm_lifecycle         vm_state(const struct vm *vm);    /* any core */
/* For the scheduler: the guest has asked for power-off or reboot, or failed, and no vCPU of it runs. */
bool                      vm_wants_settling(const struct vm *vm);
void                      vm_settle(struct vm *vm);
/* By the core that holds one of its vCPUs, `vcpu`, at a breakpoint: the VM pauses when that vCPU is put away. False: the VM
 * is about to do something else; the vCPU has to stop there again. */
NODISCARD bool            vm_stop_at_break(struct vm *vm, unsigned vcpu);
/* For a moment no vCPU runs: for those who look inside. True: it was Running, and vm_release lets it go on. */
bool                      vm_hold(struct vm *vm);
void                      vm_release(struct vm *vm);
/* What may be done in which state: Core(InvalidState) with what to do instead, or success. */
enum vm_action { VM_ACTION_START, VM_ACTION_PAUSE, VM_ACTION_RESUME, VM_ACTION_STOP, VM_ACTION_DESTROY, VM_ACTION_TOUCH, VM_ACTION_COUNT };
NODISCARD struct vm_error vm_may(const struct vm *vm, enum vm_action what);
/* By the core that holds one of its vCPUs: the VM cannot go on. It ends when that vCPU is put away. */
void                      vm_fail(struct vm *vm, const char *format, ...) PRINTF(2, 3);
/* One line, "NAME: powered off" and the like, for reports. */
void                      vm_describe_end(const struct vm *vm, char *out, size_t cap_bytes);
/* Why vCPUs left guest code, and what they met: a row for each reason that occurred. The texts live as long as the VM. Returns
 * how many rows there are, which may be more than cap. vcpu: a number, or VM_ALL_VCPUS for their sum. */
struct vm_exit_row {
    const char *reason, *detail;
    uint64_t    count, time_ns;             /* of all */
    uint64_t    ticks;                      /* the same time as the host counts it: cycles of the TSC, ticks of the generic timer; instructions where an
                                               emulator counts by these. 0: not measured so */
};
#define VM_ALL_VCPUS (~0u)
unsigned                  vm_exit_rows(const struct vm *vm, unsigned vcpu, struct vm_exit_row *out, unsigned cap);
/* All VMs' statistics as one JSON object, exact while none runs; returns the length it wanted, as snprintf does. */
int                       vm_stats_json(char *out, size_t cap_bytes);

// SPDX-License-Identifier: Apache-2.0
/* The scheduler; see sched.h. The queues, `idle_cores`, every sched_vm and every sched_vcpu's link and state belong to
 * `lock`. A vCPU is run by the core that took it from the queue; everything else about it is asked for through its
 * request word: whoever wants something of a vCPU sets a bit, then looks whether it is parked. */
#include "hv/vm/sched.h"
#include "hv/core/percpu.h"
#include "hv/vm/history.h"

static struct list queue = { &queue, &queue };               /* sched_vm.link of the VMs with queued vCPUs */
static unsigned queue_length;                                /* vCPUs */
static struct spinlock lock;
static uint64_t idle_cores;
static void (*turn)(void);

void sched_on_turn(void (*poll)(void)) { turn = poll; }

/* ---- the queue; lock held ---- */
static void enqueue_last(struct sched_vcpu *s)
{
    struct sched_vm *r = &s->vm->run;
    if (list_is_empty(&r->queued)) list_add_tail(&queue, &r->link);
    list_add_tail(&r->queued, &s->link);
    s->state = SCHED_QUEUED;
    queue_length++;
}

/* Its turn is not over: it and its VM come next. */
static void enqueue_first(struct sched_vcpu *s)
{
    struct sched_vm *r = &s->vm->run;
    list_remove(&r->link);
    list_add_tail(queue.next, &r->link);
    list_add_tail(r->queued.next, &s->link);
    s->state = SCHED_QUEUED;
    queue_length++;
}

static void dequeue(struct sched_vcpu *s)
{
    struct sched_vm *r = &s->vm->run;
    list_remove(&s->link);
    list_remove(&r->link);
    if (!list_is_empty(&r->queued)) list_add_tail(&queue, &r->link);       /* behind the other VMs */
    queue_length--;
}

static struct vm *vm_of(struct sched_vm *r) { return CONTAINER_OF(r, struct vm, run); }

static uint64_t cores_of(const struct vm *vm) { return vm->config.cpus ? vm->config.cpus : ~0ull; }

/* An idle core to kick for what was queued of this VM, or -1. It is not idle for anybody else from now on. */
static int claim_idle_core(const struct vm *vm)
{
    uint64_t cores = idle_cores & cores_of(vm);
    if (!cores) return -1;
    int cpu = __builtin_ctzll(cores);
    idle_cores &= ~(1ull << cpu);
    return cpu;
}

/* ---- shares; lock held ----
 * VMs stand in a circle. Whoever is at the front may go as far as its credit; one without credit gets its share of a slice (all
 * of it for the heaviest that waits here) and goes to the end when that was not enough. Time is paid when a turn begins and
 * settled when it ends, so that a turn that took too long is paid by fewer or shorter ones later. */
static uint64_t weight_of(const struct vm *vm) { return vm->config.weight ? vm->config.weight : VM_DEFAULT_WEIGHT; }

static int64_t allowance_of(const struct vm *vm) { return (int64_t)(SCHED_CAP_PERIOD_NS / 100 * vm->config.cap_percent); }

static bool is_capped(struct vm *vm, uint64_t now)
{
    struct sched_vm *r = &vm->run;
    uint64_t period = now / SCHED_CAP_PERIOD_NS, passed = period - r->cap_period;
    if (!vm->config.cap_percent) return false;
    if (passed) {
        int64_t all = allowance_of(vm), left = r->cap_left_ns + all * (int64_t)(passed < SCHED_DEBT_PERIODS ? passed : SCHED_DEBT_PERIODS);
        r->cap_left_ns = left < all ? left : all;
        r->cap_period = period;
    }
    if (r->cap_left_ns > 0) return false;
    timer_arm(&r->uncap, (period + 1) * SCHED_CAP_PERIOD_NS);
    return true;
}

static bool may_take(struct vm *vm, unsigned cpu, uint64_t now) { return cores_of(vm) >> cpu & 1 && !is_capped(vm, now); }

static void pay(struct vm *vm, int64_t ns)
{
    struct sched_vm *r = &vm->run;
    int64_t all = allowance_of(vm), bottom = -(int64_t)SCHED_DEBT_PERIODS * all;
    r->credit_ns -= ns;
    if (r->credit_ns < -(int64_t)SCHED_MAX_DEBT_NS) r->credit_ns = -(int64_t)SCHED_MAX_DEBT_NS;
    if (r->credit_ns > SCHED_SLICE_NS) r->credit_ns = SCHED_SLICE_NS;
    if (!all) return;
    r->cap_left_ns -= ns;
    if (r->cap_left_ns < bottom) r->cap_left_ns = bottom;
    if (r->cap_left_ns > all) r->cap_left_ns = all;
}

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The VM whose turn is next on this core, or NULL. */
static struct vm *next_vm(unsigned cpu, uint64_t now)
{
    uint64_t heaviest = 0;
    unsigned count = 0;
    struct vm *only = NULL;
    LIST_FOR_EACH(it, &queue) {
        struct vm *vm = vm_of(CONTAINER_OF(it, struct sched_vm, link));
        if (!may_take(vm, cpu, now)) continue;
        if (weight_of(vm) > heaviest) heaviest = weight_of(vm);
        only = vm;
        count++;
    }
    if (!count) return NULL;
    if (count == 1) {
        only->run.credit_ns = SCHED_SLICE_NS;                /* nobody to owe to */
        return only;
    }
    for (struct list *it = queue.next, *after;; it = after) {
        after = it->next;
        if (it == &queue) continue;
        struct sched_vm *r = CONTAINER_OF(it, struct sched_vm, link);
        if (!may_take(vm_of(r), cpu, now)) continue;
        if (r->credit_ns <= 0) r->credit_ns += most(1, (int64_t)(SCHED_SLICE_NS * weight_of(vm_of(r)) / heaviest));
        if (r->credit_ns > 0) return vm_of(r);
        list_remove(&r->link);
        list_add_tail(&queue, &r->link);
    }
}

static void begin_turn(struct vm *vm, struct sched_vcpu *s)
{
    int64_t ns = most(vm->run.credit_ns, SCHED_LEAST_TURN_NS);
    if (vm->config.cap_percent) ns = least(ns, vm->run.cap_left_ns);
    s->turn_ns = (uint64_t)ns;
    pay(vm, ns);
}

/* Its cap has a new period: those who wait may go on, on cores that sleep. */
static void uncap(void *arg)
{
    struct vm *vm = arg;
    uint64_t kicks = 0;
    spin_lock(&lock);
    LIST_FOR_EACH(it, &vm->run.queued) {
        int cpu = claim_idle_core(vm);
        if (cpu >= 0) kicks |= 1ull << cpu;
    }
    spin_unlock(&lock);
    for (; kicks; kicks &= kicks - 1) arch_kick((unsigned)__builtin_ctzll(kicks));
}

/* ---- waking ---- */
void sched_wake(struct vcpu *v)
{
    struct vm *vm = v->vm;
    struct sched_vcpu *s = &vm->sched[v->id];
    int cpu = -1;
    spin_lock(&lock);
    if (s->state == SCHED_PARKED && s->vm) {
        enqueue_last(s);
        cpu = claim_idle_core(vm);
    }
    spin_unlock(&lock);
    if (cpu >= 0) arch_kick((unsigned)cpu);
}

void sched_wake_all(struct vm *vm)
{
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) vcpu_ask(&vm->vcpus[i], VCPU_REQUEST_STOP);
}

bool sched_is_quiet(struct vm *vm)
{
    spin_lock(&lock);
    bool is_quiet = !vm->run.running && !vm->run.is_settling;
    spin_unlock(&lock);
    return is_quiet;
}

static void deadline_passed(void *arg)
{
    struct sched_vcpu *s = arg;
    __atomic_store_n(&s->deadline_armed_ns, UINT64_MAX, __ATOMIC_RELAXED);
    vcpu_ask(s->vcpu, VCPU_REQUEST_HOST);                    /* wakes it too */
}

/* A guest on the CPU itself looks at no clock: a timer ends its turn. */
static void turn_is_over(void *arg)
{
    struct sched_vcpu *s = arg;
    vcpu_ask(s->vcpu, VCPU_REQUEST_HOST);
}

/* ---- life ---- */
void sched_vm_init(struct vm *vm)
{
    vm->run = (struct sched_vm){ .running = 0 };
    list_init(&vm->run.link);
    list_init(&vm->run.queued);
    timer_init(&vm->run.uncap, uncap, vm);
}

void sched_vcpu_init(struct vm *vm, unsigned id)
{
    struct sched_vcpu *s = &vm->sched[id];
    *s = (struct sched_vcpu){ .vcpu = &vm->vcpus[id], .vm = vm, .state = SCHED_PARKED, .deadline_armed_ns = UINT64_MAX };
    list_init(&s->link);
    timer_init(&s->deadline, deadline_passed, s);
    timer_init(&s->turn_end, turn_is_over, s);
    s->vcpu->vm = vm;
    s->vcpu->wake = sched_wake;
}

static bool forget(struct vm *vm)
{
    spin_lock(&lock);
    bool is_quiet = !vm->run.running && !vm->run.is_settling;
    for (unsigned i = 0; is_quiet && i < vm->config.vcpu_count; i++) {
        struct sched_vcpu *s = &vm->sched[i];
        if (s->state == SCHED_QUEUED) dequeue(s);
        s->state = SCHED_PARKED;
        s->vm = NULL;
    }
    spin_unlock(&lock);
    return is_quiet;
}

void sched_vm_forget(struct vm *vm)
{
    if (!vm->sched) return;
    while (!forget(vm)) arch_cpu_relax();
    timer_cancel_sync(&vm->run.uncap);
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        if (!vm->sched[i].vcpu) continue;
        timer_cancel_sync(&vm->sched[i].deadline);
        timer_cancel_sync(&vm->sched[i].turn_end);
    }
}

/* ---- running ---- */
static bool may_run(struct sched_vcpu *s)
{
    struct vm *vm = s->vm;
    return vm_state(vm) == VM_RUNNING && !__atomic_load_n(&vm->ask, __ATOMIC_ACQUIRE) && vm->ops->is_started(vm->machine, s->vcpu->id);
}

static void arm_deadline(struct sched_vcpu *s)
{
    uint64_t wanted = s->vcpu->deadline_ns;
    if (__atomic_load_n(&s->deadline_armed_ns, __ATOMIC_RELAXED) == wanted) return;
    __atomic_store_n(&s->deadline_armed_ns, wanted, __ATOMIC_RELAXED);     /* before it can fire */
    timer_arm(&s->deadline, wanted);
}

static void hypercall(struct vm *vm, struct vcpu *v)
{
    struct event_count *c = &v->exits.hypercall[vm->ops->hypercall_kind(v)];
    uint64_t start = arch_time_ns();
    vm->ops->hypercall(vm->machine, v);
    exit_count_timed(c, arch_time_ns() - start);
}

static void serve(struct sched_vcpu *s, const struct exec_result *r)
{
    struct vcpu *v = s->vcpu;
    char text[128];
    switch (r->status) {
    case EXEC_CONTINUE:
    case EXEC_INTERRUPT_PENDING:                             /* taken before the next run */
        break;
    case EXEC_HALTED:
        __atomic_store_n(&v->is_halted, true, __ATOMIC_RELAXED);
        break;
    case EXEC_IO_REQUEST:
        hypercall(s->vm, v);
        break;
    case EXEC_BREAKPOINT:
        if (vm_stop_at_break(s->vm, v->id)) v->is_past_break = true;
        break;
    case EXEC_OK:
        break;                                               /* vm->ask says what the guest asked for */
    case EXEC_FAULT:
    case EXEC_FAILED:
        vm_error_format(text, sizeof text, &r->error);
        vm_fail(s->vm, "vcpu %u at 0x%lx: %s", v->id, (unsigned long)r->next_pc.v, text);
        break;
    case EXEC_STATUS_COUNT:
        break;
    }
}

static bool host_wants_core(void) { return __atomic_load_n(&percpu()->attention, __ATOMIC_SEQ_CST) != 0; }

enum leave { LEAVE_PARKED, LEAVE_EXPIRED, LEAVE_FOR_HOST };

/* ---- why it left, and for how long ---- */
static enum exit_reason why_it_left(const struct vcpu *v, enum exec_status status)
{
    switch (status) {
    case EXEC_CONTINUE:          return __atomic_load_n(&v->request, __ATOMIC_RELAXED) ? EXIT_HOST : EXIT_BUDGET;
    case EXEC_INTERRUPT_PENDING: return EXIT_INTERRUPT;
    case EXEC_HALTED:            return EXIT_HALTED;
    case EXEC_IO_REQUEST:        return EXIT_HYPERCALL;
    case EXEC_BREAKPOINT:        return EXIT_BREAKPOINT;
    case EXEC_OK: case EXEC_FAULT: case EXEC_FAILED: case EXEC_STATUS_COUNT: break;
    }
    return EXIT_OTHER;
}

/* Enters guest code once. */
static struct exec_result enter(struct sched_vcpu *s)
{
    struct vcpu *v = s->vcpu;
    if (s->left_ns) {
        struct event_count *c = &v->exits.reason[s->left_why];
        __atomic_store_n(&c->time_ns, c->time_ns + (arch_time_ns() - s->left_ns), __ATOMIC_RELAXED);
    }
    v->running = true;
    vcpu_enter_guest(v);
    struct exec_result r = v->engine->run(v, SCHED_BUDGET_INSNS);
    vcpu_leave_guest(v);
    v->running = false;
    s->left_ns = arch_time_ns();
    s->left_why = why_it_left(v, r.status);
    exit_count(&v->exits.reason[s->left_why].count);
    vm_note_code(s->vm, v, &s->noted);
    return r;
}

/* Runs the vCPU until it waits, its turn is over, or the core has other work. */
static enum leave run(struct sched_vcpu *s)
{
    struct vcpu *v = s->vcpu;
    uint64_t start = arch_time_ns();
    for (;;) {
        /* First the request word, then what it may stand for: a bit that comes later ends the next run. */
        (void)__atomic_exchange_n(&v->request, 0, __ATOMIC_SEQ_CST);
        if (!may_run(s)) return LEAVE_PARKED;
        if (host_wants_core()) return LEAVE_FOR_HOST;
        if (v->deadline_ns <= arch_time_ns()) v->isa->deadline(v);
        arm_deadline(s);
        if (v->is_halted) {
            if (!v->isa->wakes(v)) return LEAVE_PARKED;
            __atomic_store_n(&v->is_halted, false, __ATOMIC_RELAXED);
        }
        (void)v->isa->take_irq(v);
        struct exec_result r = enter(s);
        serve(s, &r);
        mmu_poll_devices(&s->vm->bus, s->left_ns);
        if (s->left_ns - start >= s->turn_ns) return LEAVE_EXPIRED;
    }
}

/* Lock held: the guest wants an end or a reboot, and nobody else sees to it. */
static bool may_settle(const struct vm *vm) { return !vm->run.running && !vm->run.is_settling && vm_wants_settling(vm); }

/* The last core that lets go of a VM which asked for it ends it or starts it anew. */
static void settle(struct vm *vm)
{
    vm_settle(vm);
    spin_lock(&lock);
    vm->run.is_settling = false;
    /* It ran again meanwhile and asked again: whoever lets go of its vCPU next settles. */
    if (may_settle(vm) && list_is_empty(&vm->run.queued)) enqueue_last(&vm->sched[0]);
    spin_unlock(&lock);
}

/* After this the vCPU and, but for the settling core, the VM are others'. A wake-up that came while it ran left a bit in
 * the request word, one that comes later finds it parked: the lock orders the two. */
static void put_away(struct sched_vcpu *s, enum leave why, uint64_t used_ns)
{
    struct vm *vm = s->vm;
    int cpu = -1;
    spin_lock(&lock);
    vm->run.running--;
    pay(vm, (int64_t)used_ns - (int64_t)s->turn_ns);
    if (why == LEAVE_FOR_HOST) {
        enqueue_first(s);
    } else if (why == LEAVE_EXPIRED || __atomic_load_n(&s->vcpu->request, __ATOMIC_SEQ_CST)) {
        enqueue_last(s);
        if (queue_length > 1) cpu = claim_idle_core(vm);     /* who waits may be for this core alone */
    } else {
        s->state = SCHED_PARKED;
    }
    bool is_settler = may_settle(vm);
    if (is_settler) vm->run.is_settling = true;
    spin_unlock(&lock);
    if (cpu >= 0) arch_kick((unsigned)cpu);
    if (is_settler) settle(vm);
}

static void run_turn(struct sched_vcpu *s)
{
    uint64_t start = arch_time_ns();
    bool needs_timer = s->vcpu->engine->mode == EXEC_HARDWARE;
    percpu_preempt(&s->vcpu->request, VCPU_REQUEST_HOST);
    if (needs_timer) timer_arm(&s->turn_end, start + s->turn_ns);
    enum leave why = run(s);
    if (needs_timer) timer_cancel(&s->turn_end);
    percpu_preempt(NULL, 0);
    uint64_t used = arch_time_ns() - start;
    __atomic_store_n(&s->run_ns, s->run_ns + used, __ATOMIC_RELAXED);    /* others may look */
    put_away(s, why, used);
}

static struct sched_vcpu *next_or_idle(unsigned cpu)
{
    struct sched_vcpu *s = NULL;
    uint64_t now = arch_time_ns();
    spin_lock(&lock);
    struct vm *vm = next_vm(cpu, now);
    if (!vm) {
        idle_cores |= 1ull << cpu;
    } else {
        s = CONTAINER_OF(vm->run.queued.next, struct sched_vcpu, link);
        dequeue(s);
        s->state = SCHED_RUNNING;
        vm->run.running++;
        begin_turn(vm, s);
        idle_cores &= ~(1ull << cpu);
    }
    spin_unlock(&lock);
    return s;
}

bool sched_turn(unsigned cpu)
{
    percpu_service();
    if (cpu == 0 && turn) turn();
    struct sched_vcpu *s = next_or_idle(cpu);
    if (s) run_turn(s);
    return s != NULL;
}

NORETURN void sched_loop(unsigned cpu)
{
    for (;;) {
        if (!sched_turn(cpu)) percpu_idle();
    }
}

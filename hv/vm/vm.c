// SPDX-License-Identifier: Apache-2.0
/* Lives of machines; see vm.h. */
#include "hv/vm/vm.h"
#include "hv/base/fmt.h"
#include "hv/arch/hwvirt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/log.h"
#include "hv/core/page.h"
#include "hv/vm/history.h"
#include "hv/vm/keeper.h"
#include "hv/vm/make.h"
#include "hv/vm/mode.h"
#include "hv/vm/sched.h"

static struct list all_vms = { &all_vms, &all_vms };
static unsigned all_count;                    /* atomic */
static uint32_t numbers;                      /* VMs ever made */

/* What struct vm.ask says, in its lower half. */
enum vm_ask { ASK_NOTHING, ASK_POWER_OFF, ASK_REBOOT, ASK_FAIL, ASK_BREAK };

static const struct machine_ops *const machines[GUEST_ARCH_COUNT] = {
#define _(arch, isa, machine) [arch] = &machine,
#include "hv/isa/isas.def"
#undef _
};

const char *vm_lifecycle_name(enum vm_lifecycle s)
{
    static const char *const name[] = { "created", "running", "paused", "stopped", "failed" };
    return name[s];
}

const char *vm_end_name(enum vm_end e)
{
    static const char *const name[] = { "none", "power-off", "code", "stopped", "failed" };
    return name[e];
}

void vm_numbers_after(uint32_t highest) { if (highest > numbers) numbers = highest; }

struct list *vm_all(void) { return &all_vms; }

unsigned vm_count(void) { return __atomic_load_n(&all_count, __ATOMIC_RELAXED); }

enum vm_lifecycle vm_state(const struct vm *vm) { return __atomic_load_n(&vm->state, __ATOMIC_ACQUIRE); }

static bool change_state(struct vm *vm, enum vm_lifecycle from, enum vm_lifecycle to)
{
    return __atomic_compare_exchange_n(&vm->state, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

struct vm *vm_find(const char *name)
{
    LIST_FOR_EACH(it, &all_vms) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        if (!strcmp(vm->name, name)) return vm;
    }
    return NULL;
}

/* The first one counts: a guest that powers off on one vCPU and reboots on another does what came first. A breakpoint is no
 * wish of the guest's and gives way to one. */
static bool ask(struct vm *vm, enum vm_ask what, uint32_t code)
{
    uint64_t before = __atomic_load_n(&vm->ask, __ATOMIC_ACQUIRE);
    do {
        bool is_free = before == ASK_NOTHING || ((uint32_t)before == ASK_BREAK && what != ASK_BREAK);
        if (!is_free) return false;
    } while (!__atomic_compare_exchange_n(&vm->ask, &before, what | (uint64_t)code << 32, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return true;
}

static void guest_power(void *ctx, enum power_request what, uint32_t code)
{
    struct vm *vm = ctx;
    if (!ask(vm, what == POWER_OFF ? ASK_POWER_OFF : ASK_REBOOT, code)) return;
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) vcpu_ask(&vm->vcpus[i], VCPU_REQUEST_STOP | VCPU_REQUEST_EXIT);
}

/* The reason of a refusal that names an architecture; the operator makes one VM at a time. */
static char refusal[96];

struct vm_error vm_create(const struct vm_config *c, const struct file_source *files, struct vm **out)
{
    if ((unsigned)c->guest_arch < GUEST_ARCH_COUNT && !machines[c->guest_arch]) {
        hv_snprintf(refusal, sizeof refusal, "%s guests are not supported yet", guest_arch_name(c->guest_arch));
        return vm_error_because(VM_PLATFORM_UNSUPPORTED_ARCH, refusal);
    }
    struct vm_error e = vm_config_check(c, hw_support()->arch, hw_support()->absence, page_available() * HV_PAGE_BYTES);
    if (vm_failed(e)) return e;
    unsigned cores = arch_cpu_count();
    if (cores < 64 && c->cpus >> cores) {
        hv_snprintf(refusal, sizeof refusal, cores > 1 ? "cpus: this host has the cores 0-%u" : "cpus: this host has one core, 0", cores - 1);
        return vm_error_because(VM_CORE_INVALID_CONFIG, refusal);
    }
    if (c->name && vm_find(c->name)) return vm_error_because(VM_CORE_INVALID_STATE, "a VM of this name exists");
    struct vm *vm = heap_alloc(sizeof *vm);
    if (!vm) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a VM");
    hv_snprintf(vm->name, sizeof vm->name, "%s", c->name ? c->name : "guest");
    vm->ops = machines[c->guest_arch];
    list_init(&vm->link);
    sched_vm_init(vm);
    gmem_init(&vm->gmem);
    mmio_init(&vm->bus);
    e = vm_config_copy(&vm->config, c, &vm->text) ? VM_SUCCESS : vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a VM");
    if (!vm_failed(e)) e = vm_choose_engine(&vm->config, vm->ops->isa, &vm->engine);
    if (!vm_failed(e)) e = vm_make(vm, files, guest_power);
    if (vm_failed(e)) {
        vm_unmake(vm);
        return e;
    }
    vm->state = VM_CREATED;
    vm->number = ++numbers;
    list_add_tail(&all_vms, &vm->link);
    __atomic_fetch_add(&all_count, 1, __ATOMIC_RELAXED);
    vm_note(vm, EVENT_VM_CREATED, c->memory_size, c->vcpu_count);
    *out = vm;
    return VM_SUCCESS;
}

struct vm_error vm_may(const struct vm *vm, enum vm_action what)
{
    static const char *const instead[VM_ACTION_COUNT][VM_FAILED + 1] = {
        [VM_ACTION_START]   = { NULL, "it runs already", "it is paused: resume it", "it is stopped: reset it first", "it has failed: reset it first" },
        [VM_ACTION_PAUSE]   = { "it is not started yet: start it first", NULL, "it is paused already", "it is stopped: reset it and start it first",
                                "it has failed: reset it and start it first" },
        [VM_ACTION_RESUME]  = { "it is not started yet: start it", "it runs already", NULL, "it is stopped: reset it, then start it",
                                "it has failed: reset it, then start it" },
        [VM_ACTION_STOP]    = { "it is not started yet: destroy it if it is not wanted", NULL, NULL, "it is stopped already", "it has failed already" },
        [VM_ACTION_DESTROY] = { NULL, "it is running: stop it first", "it is paused: stop it first", NULL, NULL },
        [VM_ACTION_TOUCH]   = { NULL, "it is running: pause it first", NULL, "it is stopped: reset it first", "it has failed: reset it first" },
    };
    const char *why = instead[what][vm_state(vm)];
    return why ? vm_error_because(VM_CORE_INVALID_STATE, why) : VM_SUCCESS;
}

struct vm_error vm_start(struct vm *vm)
{
    struct vm_error e = vm_may(vm, VM_ACTION_START);
    if (vm_failed(e)) return e;
    log_info("vm %s: Architecture: %s, %u vCPU%s, %lu MiB", vm->name, guest_arch_name(vm->config.guest_arch), vm->config.vcpu_count,
             vm->config.vcpu_count > 1 ? "s" : "", (unsigned long)(vm->config.memory_size >> 20));
    if (!vm->config.kernel_path && !vm->config.firmware_path) log_notice("vm %s: neither kernel nor firmware: it starts in bare RAM", vm->name);
    guest_clock_resume(&vm->clock);
    vm_note(vm, EVENT_VM_STARTED, 0, 0);
    keeper_started(vm);
    (void)change_state(vm, VM_CREATED, VM_RUNNING);
    sched_wake_all(vm);
    return VM_SUCCESS;
}

static void wait_quiet(struct vm *vm)
{
    sched_wake_all(vm);
    while (!sched_is_quiet(vm)) arch_cpu_relax();
}

struct vm_error vm_pause(struct vm *vm)
{
    if (!change_state(vm, VM_RUNNING, VM_PAUSED)) return vm_may(vm, VM_ACTION_PAUSE);
    wait_quiet(vm);
    guest_clock_pause(&vm->clock);
    vm_note(vm, EVENT_VM_PAUSED, 0, 0);
    return VM_SUCCESS;
}

struct vm_error vm_resume(struct vm *vm)
{
    struct vm_error e = vm_may(vm, VM_ACTION_RESUME);
    if (vm_failed(e)) return e;
    wait_quiet(vm);                                           /* a breakpoint may be pausing it right now */
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) vm->vcpus[i].is_past_break &= breakpoints_have(&vm->breaks, vcpu_get_pc(&vm->vcpus[i]));
    guest_clock_resume(&vm->clock);
    vm_note(vm, EVENT_VM_RESUMED, 0, 0);
    keeper_resumed(vm);
    (void)change_state(vm, VM_PAUSED, VM_RUNNING);
    sched_wake_all(vm);
    return VM_SUCCESS;
}

struct vm_error vm_stop(struct vm *vm)
{
    if (keeper_forget(vm)) {
        log_info("vm %s: will not be restarted", vm->name);
        if (vm->ended) vm->ended(vm);
        return VM_SUCCESS;
    }
    if (!change_state(vm, VM_RUNNING, VM_STOPPED) && !change_state(vm, VM_PAUSED, VM_STOPPED)) return vm_may(vm, VM_ACTION_STOP);
    vm->end = VM_END_STOPPED_BY_HOST;
    wait_quiet(vm);
    vm_note(vm, EVENT_VM_STOPPED, vm->end, 0);
    if (vm->ended) vm->ended(vm);
    return VM_SUCCESS;
}

struct vm_error vm_destroy(struct vm *vm)
{
    struct vm_error e = vm_may(vm, VM_ACTION_DESTROY);
    if (vm_failed(e)) return e;
    list_remove(&vm->link);
    __atomic_fetch_sub(&all_count, 1, __ATOMIC_RELAXED);
    vm_forget_history(vm);
    vm_unmake(vm);
    return VM_SUCCESS;
}

bool vm_hold(struct vm *vm)
{
    bool was_running = change_state(vm, VM_RUNNING, VM_PAUSED);
    wait_quiet(vm);
    return was_running;
}

void vm_release(struct vm *vm)
{
    (void)change_state(vm, VM_PAUSED, VM_RUNNING);
    sched_wake_all(vm);
}

/* Nobody runs it; its state is not Running. */
static struct vm_error make_anew(struct vm *vm)
{
    char text[128];
    guest_clock_start(&vm->clock, vm->clock.frequency_hz);
    guest_clock_pause(&vm->clock);
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) vm->vcpus[i].is_past_break = false;
    struct vm_error e = vm->ops->reset(vm->machine);
    __atomic_store_n(&vm->ask, ASK_NOTHING, __ATOMIC_RELEASE);
    if (!vm_failed(e)) return e;
    vm_error_format(text, sizeof text, &e);
    hv_snprintf(vm->reason, sizeof vm->reason, "reset: %s", text);
    return e;
}

struct vm_error vm_reset(struct vm *vm)
{
    bool was_running = vm_hold(vm);
    (void)keeper_forget(vm);
    enum vm_lifecycle before = vm_state(vm), after = before == VM_PAUSED ? VM_PAUSED : VM_CREATED;
    struct vm_error e = make_anew(vm);
    if (vm_failed(e)) after = VM_FAILED;
    else if (was_running) guest_clock_resume(&vm->clock);
    vm->end = vm_failed(e) ? VM_END_FAILED : VM_END_NONE;
    vm->exit_code = 0;
    (void)change_state(vm, before, after);
    vm_note_change(vm, was_running && !vm_failed(e) ? VM_RUNNING : after, vm->reboots, CHANGE_RESET);
    log_info("vm %s: reset", vm->name);
    if (was_running && !vm_failed(e)) vm_release(vm);
    else if (vm_failed(e) && before == VM_PAUSED && vm->ended) vm->ended(vm);
    return e;
}

bool vm_stop_at_break(struct vm *vm, unsigned vcpu)
{
    if (!ask(vm, ASK_BREAK, vcpu)) return false;
    sched_wake_all(vm);
    return true;
}

/* No vCPU runs. Whoever paused or stopped it meanwhile has done what was wanted. */
static void pause_at_break(struct vm *vm, unsigned vcpu)
{
    uint64_t asked = ASK_BREAK | (uint64_t)vcpu << 32;
    if (!__atomic_compare_exchange_n(&vm->ask, &asked, ASK_NOTHING, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return;
    if (!change_state(vm, VM_RUNNING, VM_PAUSED)) return;
    guest_clock_pause(&vm->clock);
    vm_note(vm, EVENT_VM_PAUSED, 0, 0);
    log_notice("vm %s: vcpu %u stopped at breakpoint 0x%lx", vm->name, vcpu, (unsigned long)vm->vcpus[vcpu].regs.pc);
}

void vm_fail(struct vm *vm, const char *format, ...)
{
    if (!ask(vm, ASK_FAIL, 0)) return;
    va_list args;
    va_start(args, format);
    hv_vsnprintf(vm->reason, sizeof vm->reason, format, args);
    va_end(args);
    sched_wake_all(vm);
}

bool vm_wants_settling(const struct vm *vm)
{
    return __atomic_load_n(&vm->ask, __ATOMIC_ACQUIRE) != ASK_NOTHING && vm_state(vm) == VM_RUNNING;
}

static void end(struct vm *vm, enum vm_lifecycle state, enum vm_end how, uint32_t code)
{
    char line[256];
    if (!change_state(vm, VM_RUNNING, state)) return;         /* paused or stopped meanwhile: asked again when it is resumed */
    vm->end = how;
    vm->exit_code = code;
    vm_note(vm, EVENT_VM_STOPPED, how, code);
    vm_describe_end(vm, line, sizeof line);
    if (vm_count() > 1) log_info("vm %s", line);             /* alone, its end is the report */
    if (!keeper_ended(vm) && vm->ended) vm->ended(vm);
}

static void reboot(struct vm *vm)
{
    vm->reboots++;
    vm_note_change(vm, VM_RUNNING, vm->reboots, CHANGE_REBOOT);
    if (log_allowed(&vm->reboot_log, 3)) log_info("vm %s reboots", vm->name);
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) vm->vcpus[i].is_past_break = false;
    struct vm_error e = vm->ops->reset(vm->machine);
    if (vm_failed(e)) {
        char text[128];
        vm_error_format(text, sizeof text, &e);
        hv_snprintf(vm->reason, sizeof vm->reason, "reboot: %s", text);
        end(vm, VM_FAILED, VM_END_FAILED, 0);
        return;
    }
    __atomic_store_n(&vm->ask, ASK_NOTHING, __ATOMIC_RELEASE);   /* may_run's acquire sees the fresh machine */
    sched_wake_all(vm);
}

void vm_settle(struct vm *vm)
{
    uint64_t asked = __atomic_load_n(&vm->ask, __ATOMIC_ACQUIRE);
    uint32_t code = (uint32_t)(asked >> 32);
    switch ((enum vm_ask)(uint32_t)asked) {
    case ASK_POWER_OFF: end(vm, VM_STOPPED, code ? VM_END_CODE : VM_END_POWER_OFF, code); break;
    case ASK_REBOOT:    reboot(vm); break;
    case ASK_FAIL:      end(vm, VM_FAILED, VM_END_FAILED, 0); break;
    case ASK_BREAK:     pause_at_break(vm, code); break;
    case ASK_NOTHING:   break;
    }
}

void vm_describe_end(const struct vm *vm, char *out, size_t cap_bytes)
{
    switch (vm->end) {
    case VM_END_FAILED:
        hv_snprintf(out, cap_bytes, "%s: failed: %s", vm->name, vm->reason);
        break;
    case VM_END_POWER_OFF:
        hv_snprintf(out, cap_bytes, "%s: powered off", vm->name);
        break;
    case VM_END_CODE:
        hv_snprintf(out, cap_bytes, "%s: powered off with code %u", vm->name, vm->exit_code);
        break;
    case VM_END_STOPPED_BY_HOST:
        hv_snprintf(out, cap_bytes, "%s: stopped by the host", vm->name);
        break;
    case VM_END_NONE:
        hv_snprintf(out, cap_bytes, "%s: still %s", vm->name, vm_lifecycle_name(vm_state(vm)));
        break;
    }
}

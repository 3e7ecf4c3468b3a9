// SPDX-License-Identifier: Apache-2.0
/* Judging a VM's description by its values; see vm_config.h. */
#include "hv/vm/vm_config.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

struct vm_config vm_config_default(void) { return (struct vm_config)VM_CONFIG_DEFAULT; }

const char *vm_restart_name(enum vm_restart r)
{
    static const char *const name[] = { "never", "on-failure", "always" };
    return name[r];
}

const char *vm_watchdog_name(enum vm_watchdog w)
{
    static const char *const name[] = { "reset", "stop", "log" };
    return name[w];
}

/* The texts of a configuration, one after the other. */
typedef void text_fn(void *ctx, const char **text);
static void each_text(struct vm_config *c, text_fn *f, void *ctx)
{
    const char **text[] = { &c->name, &c->kernel_path, &c->initrd_path, &c->firmware_path, &c->cmdline };
    for (unsigned i = 0; i < ARRAY_COUNT(text); i++) f(ctx, text[i]);
    for (unsigned i = 0; i < c->disk_count; i++) f(ctx, &c->disk[i].path);
    for (unsigned i = 0; i < c->option_count; i++) f(ctx, &c->option[i]);
}

static void measure(void *ctx, const char **text) { *(size_t *)ctx += *text ? strlen(*text) + 1 : 0; }

static void move(void *ctx, const char **text)
{
    char **at = ctx;
    if (!*text) return;
    size_t n = strlen(*text) + 1;
    memcpy(*at, *text, n);
    *text = *at;
    *at += n;
}

bool vm_config_copy(struct vm_config *out, const struct vm_config *in, char **text)
{
    size_t bytes = 1;
    *out = *in;
    each_text(out, measure, &bytes);
    char *at = *text = heap_alloc(bytes);
    if (at) each_text(out, move, &at);
    return at != NULL;
}

struct vm_error vm_config_check(const struct vm_config *c, enum guest_arch host_arch, const char *hw_absence, uint64_t host_free_bytes)
{
    if ((unsigned)c->guest_arch >= GUEST_ARCH_COUNT) return vm_error_because(VM_PLATFORM_UNSUPPORTED_ARCH, "unknown guest architecture");
    if ((unsigned)c->exec_mode >= EXEC_MODE_COUNT) return vm_error_because(VM_CORE_INVALID_CONFIG, "unknown mode");
    if (!c->memory_size) return vm_error_because(VM_CORE_INVALID_CONFIG, "memory is 0 bytes");
    if (c->memory_size % HV_PAGE_BYTES) return vm_error_because(VM_CORE_INVALID_CONFIG, "memory is not a multiple of 4 KiB");
    if (!c->vcpu_count) return vm_error_because(VM_CORE_INVALID_CONFIG, "no vCPU");
    if (c->vcpu_count > VM_MAX_VCPUS) return vm_error_because(VM_CORE_INVALID_CONFIG, "more than 64 vCPUs");
    if (c->disk_count > VM_MAX_DISKS || c->option_count > VM_MAX_OPTIONS) return vm_error_because(VM_CORE_INVALID_CONFIG, "too many disks or options");
    if (c->nic_count > VM_MAX_NICS) return vm_error_because(VM_CORE_INVALID_CONFIG, "too many network cards");
    for (unsigned i = 0; i < c->nic_count; i++) {
        if (!c->nic[i].pairs || c->nic[i].pairs > VM_MAX_NIC_PAIRS || c->nic[i].vlan > 4094) return vm_error_because(VM_CORE_INVALID_CONFIG, "net: queues or VLAN out of range");
    }
    if (c->weight > VM_MAX_WEIGHT) return vm_error_because(VM_CORE_INVALID_CONFIG, "weight is more than 10000");
    if (c->cap_percent > VM_MAX_CAP) return vm_error_because(VM_CORE_INVALID_CONFIG, "cap is more than 6400%");
    if (c->watchdog_s > VM_MAX_WATCHDOG_S) return vm_error_because(VM_CORE_INVALID_CONFIG, "watchdog is more than a day");
    if (c->is_audited && c->exec_mode == EXEC_HARDWARE && !c->is_mode_auto) return vm_error_because(VM_CORE_INVALID_CONFIG, "audit: mode = hardware translates nothing");
    if (c->is_audited && c->vcpu_count != 1) return vm_error_because(VM_CORE_INVALID_CONFIG, "audit: wants one vCPU, since memory must stand still between two engines");
    if (c->memory_size > host_free_bytes) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "memory: more than this host has free");
    if (c->exec_mode == EXEC_HARDWARE && !c->is_mode_auto) {
        if (c->guest_arch != host_arch) return vm_error_because(VM_PLATFORM_ACCELERATION_UNAVAILABLE, "mode = hardware needs a guest of the host's own kind");
        if (hw_absence) return vm_error_because(VM_PLATFORM_ACCELERATION_UNAVAILABLE, hw_absence);
    }
    return VM_SUCCESS;
}

// SPDX-License-Identifier: Apache-2.0
/* Which engine runs a VM; see mode.h. */
#include "hv/vm/mode.h"
#include "hv/base/fmt.h"
#include "hv/exec/native.h"

/* The reason of a refusal; the operator makes one VM at a time. */
static char refusal[160];

static struct vm_error only_by_hardware(const struct vm_config *c)
{
    const struct hw_support *hw = hw_support();
    const char *why = hw->arch != c->guest_arch ? "this host is of another kind" : hw->absence ? hw->absence : "set mode = hardware";
    hv_snprintf(refusal, sizeof refusal, "%s guests run by hardware virtualization alone: %s", guest_arch_name(c->guest_arch), why);
    return vm_error_because(VM_PLATFORM_UNSUPPORTED_ARCH, refusal);
}

struct vm_error vm_choose_engine(struct vm_config *c, const struct isa_ops *isa, const struct engine_ops **out)
{
    bool has_hardware = isa->native && hw_support()->arch == c->guest_arch && !hw_support()->absence;
    if (c->is_mode_auto) c->exec_mode = has_hardware && !c->is_audited ? EXEC_HARDWARE : EXEC_JIT;
    if (c->is_audited && isa->lift) c->exec_mode = EXEC_JIT;
    switch (c->exec_mode) {
    case EXEC_HARDWARE:
        *out = &NATIVE_ENGINE;
        return VM_SUCCESS;
    case EXEC_JIT:
        *out = c->is_audited ? &AUDIT_ENGINE : &JIT_ENGINE;
        break;
    case EXEC_INTERPRETER:
    case EXEC_MODE_COUNT:
        *out = &INTERP_ENGINE;
        break;
    }
    return isa->lift ? VM_SUCCESS : only_by_hardware(c);
}

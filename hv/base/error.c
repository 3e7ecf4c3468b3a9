// SPDX-License-Identifier: Apache-2.0
/* Building and printing errors and faults; see error.h. The kind's row in VM_ERROR_LIST says its domain and payload. */
#include "hv/base/error.h"
#include "hv/base/fmt.h"

enum payload { NONE, ADDR, FAULT, REASON };
static const struct row { enum vm_error_domain domain; enum payload payload; const char *text; } rows[VM_ERROR_KIND_COUNT] = {
    [VM_ERROR_KIND_NONE] = { VM_ERROR_NONE, NONE, "no error" },
#define X(d, k, p, t) [VM_##d##_##k] = { VM_ERROR_##d, p, t },
    VM_ERROR_LIST(X)
#undef X
};

static const struct row *row_of(enum vm_error_kind k)
{
    return &rows[(unsigned)k < VM_ERROR_KIND_COUNT ? k : VM_CORE_INTERNAL];
}

struct vm_error vm_error_at(enum vm_error_kind kind, guest_addr at)
{
    return (struct vm_error){ .domain = row_of(kind)->domain, .kind = kind, .addr = at };
}

struct vm_error vm_error_because(enum vm_error_kind kind, const char *reason)
{
    return (struct vm_error){ .domain = row_of(kind)->domain, .kind = kind, .reason = reason };
}

struct vm_error vm_error_fault(const struct fault *f)
{
    return (struct vm_error){ .domain = VM_ERROR_EXECUTION, .kind = VM_EXECUTION_FAULT, .fault = *f };
}

const char *fault_kind_name(enum fault_kind k)
{
    static const char *const name[] = {
#define X(e, n) [e] = n,
        FAULT_KIND_LIST(X)
#undef X
    };
    return (unsigned)k < FAULT_KIND_COUNT ? name[k] : "?";
}

const char *vm_error_domain_name(enum vm_error_domain d)
{
    static const char *const name[] = { "None", "Memory", "Execution", "Core", "Device", "Platform" };
    return (unsigned)d < VM_ERROR_DOMAIN_COUNT ? name[d] : "?";
}

const char *vm_error_text(enum vm_error_kind k) { return row_of(k)->text; }

int fault_format(char *out, size_t cap_bytes, const struct fault *f)
{
    const char *name = fault_kind_name(f->kind);
    switch (f->kind) {
    case FAULT_PAGE:
        return hv_snprintf(out, cap_bytes, "%s at 0x%lx (%s, %s)", name, (unsigned long)f->page.addr.v, access_type_name(f->page.access_type),
                           f->page.is_user ? "user" : "supervisor");
    case FAULT_GENERAL_PROTECTION:
        return hv_snprintf(out, cap_bytes, "%s, code 0x%x", name, f->protection.code);
    case FAULT_SEGMENT:
        return hv_snprintf(out, cap_bytes, "%s, selector 0x%x", name, f->segment.selector);
    case FAULT_ALIGNMENT:
        return hv_snprintf(out, cap_bytes, "%s at 0x%lx (%s of %u bytes)", name, (unsigned long)f->alignment.addr.v,
                           access_type_name(f->alignment.access_type), f->alignment.size_bytes);
    case FAULT_BUS:
        return hv_snprintf(out, cap_bytes, "%s at physical 0x%lx (%s)", name, (unsigned long)f->bus.addr.v, access_type_name(f->bus.access_type));
    case FAULT_INVALID_OPCODE:
        return hv_snprintf(out, cap_bytes, "%s 0x%08x at 0x%lx", name, f->invalid_opcode.opcode, (unsigned long)f->invalid_opcode.pc.v);
    case FAULT_TRAP:
        return hv_snprintf(out, cap_bytes, "%s %u", name, f->trap.number);
    case FAULT_NONE: case FAULT_KIND_COUNT:
        break;
    }
    return hv_snprintf(out, cap_bytes, "%s", name);
}

int vm_error_format(char *out, size_t cap_bytes, const struct vm_error *e)
{
    const struct row *r = row_of(e->kind);
    char fault[96];
    switch (r->payload) {
    case ADDR:
        return hv_snprintf(out, cap_bytes, "%s: %s: 0x%lx", vm_error_domain_name(e->domain), r->text, (unsigned long)e->addr.v);
    case FAULT:
        fault_format(fault, sizeof fault, &e->fault);
        return hv_snprintf(out, cap_bytes, "%s: %s", vm_error_domain_name(e->domain), fault);
    case REASON:
        if (e->reason) return hv_snprintf(out, cap_bytes, "%s: %s: %s", vm_error_domain_name(e->domain), r->text, e->reason);
        break;
    case NONE:
        break;
    }
    return hv_snprintf(out, cap_bytes, "%s: %s", vm_error_domain_name(e->domain), r->text);
}

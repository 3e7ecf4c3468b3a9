// SPDX-License-Identifier: Apache-2.0
/* Model-specific registers. What the CPU keeps for the guest itself never comes here; what is unknown is #GP, as on a CPU that lacks
 * it. SDM volume 4; APM appendix A; Linux Documentation/virt/kvm/x86/msr for kvmclock. */
#include "hv/isa/x86_64/machine.h"
#include "drivers/virt/lapic.h"

enum msr {
    TSC = 0x10, APIC_BASE = 0x1b, FEATURE_CONTROL = 0x3a, MICROCODE = 0x8b, MTRR_CAP = 0xfe, SYSENTER_CS = 0x174, SYSENTER_ESP, SYSENTER_EIP,
    MCG_CAP = 0x179, MCG_STATUS, MISC_ENABLE = 0x1a0, DEBUG_CONTROL = 0x1d9, MTRR_PAIRS = 0x200, MTRR_64K = 0x250, MTRR_16K = 0x258,
    MTRR_4K = 0x268, PAT = 0x277, MTRR_DEFAULT = 0x2ff, TSC_DEADLINE = 0x6e0, X2APIC = 0x800, X2APIC_END = 0x8ff,
    KVM_WALL_CLOCK = 0x4b564d00, KVM_SYSTEM_TIME,
};
#define EFER           0xc0000080u
#define STAR           0xc0000081u
#define LSTAR          0xc0000082u
#define CSTAR          0xc0000083u
#define SFMASK         0xc0000084u
#define FS_BASE        0xc0000100u
#define GS_BASE        0xc0000101u
#define KERNEL_GS_BASE 0xc0000102u
#define TSC_AUX        0xc0000103u
#define AMD_SYSCFG     0xc0010010u
#define AMD_HWCR       0xc0010015u
#define AMD_VM_CR      0xc0010114u
#define AMD_PATCH      0xc001008bu
#define AMD_INT_PENDING 0xc0010055u
#define AMD_DE_CFG     0xc0011029u
#define VM_CR_OFF      0x18u                /* SVM disabled, and locked so */
#define NS_PER_S       1000000000ull

uint64_t x86_tsc(const struct vcpu *v)
{
    uint64_t ns = guest_clock_ticks(v->clock);
    return (uint64_t)((unsigned __int128)ns * x86_machine(v)->tsc_hz / NS_PER_S);
}

/* ---- kvmclock ---- */

/* ns = (ticks << shift, or >> -shift) * multiplier >> 32. The guest's TSC is 0 when its clock is. */
static void clock_scale(uint64_t hz, uint32_t *multiplier, int8_t *shift)
{
    uint64_t base = hz;
    *shift = 0;
    for (; base > 2 * NS_PER_S; base >>= 1) --*shift;
    for (; base <= NS_PER_S; base <<= 1) ++*shift;
    *multiplier = (uint32_t)((NS_PER_S << 32) / base);
}

/* struct pvclock_vcpu_time_info: version, tsc, system time, multiplier, shift, flags. It holds for ever: nothing changes but the TSC. */
static void write_system_time(struct vcpu *v, uint64_t at)
{
    enum { STABLE = 1, BYTES = 32 };
    uint8_t b[BYTES] = { 0 };
    uint32_t multiplier;
    int8_t shift;
    clock_scale(x86_machine(v)->tsc_hz, &multiplier, &shift);
    store_le32(b, 2);
    store_le32(b + 24, multiplier);
    b[28] = (uint8_t)shift;
    b[29] = STABLE;
    if (vm_failed(gmem_write_bulk(v->mmu.gmem, guest_phys_addr_make(at), b, sizeof b))) return;      /* its own loss */
}

/* struct pvclock_wall_clock: version, seconds, nanoseconds of when the guest's clock was 0. */
static void write_wall_clock(struct vcpu *v, uint64_t at)
{
    const struct x86_machine *m = x86_machine(v);
    uint64_t up_ns = guest_clock_ticks(v->clock), wall_ns = (m->host.wall_time_s ? m->host.wall_time_s() : 0) * NS_PER_S;
    uint64_t start = wall_ns > up_ns ? wall_ns - up_ns : 0;
    uint8_t b[12];
    store_le32(b, 2);
    store_le32(b + 4, (uint32_t)(start / NS_PER_S));
    store_le32(b + 8, (uint32_t)(start % NS_PER_S));
    if (vm_failed(gmem_write_bulk(v->mmu.gmem, guest_phys_addr_make(at), b, sizeof b))) return;
}

/* ---- memory types: kept, and without effect; SDM 12.11 ---- */
static uint64_t *mtrr(struct x86_state *s, uint32_t msr)
{
    if (msr >= MTRR_PAIRS && msr < MTRR_PAIRS + 2 * X86_MTRR_PAIRS) return &s->mtrr_pair[msr - MTRR_PAIRS];
    if (msr == MTRR_64K) return &s->mtrr_fixed[0];
    if (msr == MTRR_16K || msr == MTRR_16K + 1) return &s->mtrr_fixed[1 + msr - MTRR_16K];
    if (msr >= MTRR_4K && msr < MTRR_4K + 8) return &s->mtrr_fixed[3 + msr - MTRR_4K];
    if (msr == MTRR_DEFAULT) return &s->mtrr_default;
    return NULL;
}

static bool is_memory_types(uint64_t v)
{
    for (unsigned i = 0; i < 8; i++, v >>= 8) {
        if ((v & 0xff) > 7 || (v & 0xff) == 2 || (v & 0xff) == 3) return false;
    }
    return true;
}

/* What is a field of ours and takes every value. */
static uint64_t *plain(struct x86_state *s, uint32_t msr)
{
    struct x86_frame *f = &s->frame;
    switch (msr) {
    case SYSENTER_CS:    return &f->sysenter_cs;
    case SYSENTER_ESP:   return &f->sysenter_esp;
    case SYSENTER_EIP:   return &f->sysenter_eip;
    case STAR:           return &f->star;
    case LSTAR:          return &f->lstar;
    case CSTAR:          return &f->cstar;
    case SFMASK:         return &f->sfmask;
    case FS_BASE:        return &f->segment[X86_FS].base;
    case GS_BASE:        return &f->segment[X86_GS].base;
    case KERNEL_GS_BASE: return &f->kernel_gs_base;
    case TSC_AUX:        return &f->tsc_aux;
    case PAT:            return &f->pat;
    }
    return mtrr(s, msr);
}

/* Reads as this, and writes are lost. */
static bool constant(uint32_t msr, uint64_t *out)
{
    switch (msr) {
    case MICROCODE: case MCG_CAP: case MCG_STATUS: case DEBUG_CONTROL: case AMD_SYSCFG: case AMD_HWCR: case AMD_PATCH: case AMD_DE_CFG: case AMD_INT_PENDING:
        *out = 0;
        return true;
    case FEATURE_CONTROL:
        *out = 1;                           /* locked, nothing on */
        return true;
    case MTRR_CAP:
        *out = 0x500 | X86_MTRR_PAIRS;      /* fixed ones and write combining too */
        return true;
    case AMD_VM_CR:
        *out = VM_CR_OFF;
        return true;
    }
    return false;
}

bool x86_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *out)
{
    struct x86_state *s = x86_state(v);
    const uint64_t *field = plain(s, msr);
    if (constant(msr, out)) return true;
    if (field) {
        *out = *field;
        return true;
    }
    if ((msr >= X2APIC && msr <= X2APIC_END) || msr == TSC_DEADLINE) return lapic_read_msr(x86_machine(v)->lapic, v->id, msr, out);
    switch (msr) {
    case TSC:             *out = x86_tsc(v);         return true;
    case APIC_BASE:       *out = s->apic_base;       return true;
    case MISC_ENABLE:     *out = s->misc_enable;     return true;
    case EFER:            *out = s->frame.efer;      return true;
    case KVM_WALL_CLOCK:  *out = s->kvm_wall_clock;  return true;
    case KVM_SYSTEM_TIME: *out = s->kvm_clock;       return true;
    }
    return false;
}

static bool write_efer(struct x86_frame *f, uint64_t value)
{
    enum { WRITABLE = X86_EFER_SCE | X86_EFER_LME | X86_EFER_NXE };
    if (value & ~(uint64_t)(WRITABLE | X86_EFER_LMA)) return false;
    if (f->cr0 & X86_CR0_PG && (value ^ f->efer) & X86_EFER_LME) return false;
    f->efer = (value & WRITABLE) | (f->efer & X86_EFER_LMA);
    f->is_changed = true;
    return true;
}

/* SDM 11.12.5: on and off, and to x2APIC, but not from x2APIC back. */
static bool write_apic_base(struct vcpu *v, uint64_t value)
{
    enum { BOOT = 1 << 8, X2 = 1 << 10, ON = 1 << 11 };
    struct x86_state *s = x86_state(v);
    if (value >> 48 || value & 0x2ff) return false;
    if ((value & (X2 | ON)) == X2 || (s->apic_base & X2 && (value & (X2 | ON)) == ON)) return false;
    if (value & X2 && !(s->apic_base & ON)) return false;
    s->apic_base = (value & ~(uint64_t)BOOT) | (s->apic_base & BOOT);
    lapic_set_base(x86_machine(v)->lapic, v->id, value & ON, value & X2);
    return true;
}

bool x86_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct x86_state *s = x86_state(v);
    uint64_t *field = plain(s, msr), ignored;
    if ((msr == PAT || (mtrr(s, msr) && msr >= MTRR_64K && msr != MTRR_DEFAULT)) && !is_memory_types(value)) return false;
    if (field) {
        if (msr >= LSTAR && msr <= KERNEL_GS_BASE && msr != SFMASK && (uint64_t)sign_extend64(value, 48) != value) return false;
        if (msr == TSC_AUX && value >> 32) return false;
        *field = value;
        if (!mtrr(s, msr)) s->frame.is_changed = true;
        return true;
    }
    if ((msr >= X2APIC && msr <= X2APIC_END) || msr == TSC_DEADLINE) {
        s->has_news = true;
        return lapic_write_msr(x86_machine(v)->lapic, v->id, msr, value);
    }
    if (msr == MTRR_CAP || msr == MCG_CAP) return false;
    if (constant(msr, &ignored)) return true;
    switch (msr) {
    case TSC:
        return true;                        /* the clock is one for all CPUs and stays */
    case APIC_BASE:
        return write_apic_base(v, value);
    case MISC_ENABLE:
        s->misc_enable = value & 1;
        return true;
    case EFER:
        return write_efer(&s->frame, value);
    case KVM_WALL_CLOCK:
        s->kvm_wall_clock = value;
        write_wall_clock(v, value);
        return true;
    case KVM_SYSTEM_TIME:
        s->kvm_clock = value;
        if (value & 1) write_system_time(v, value & ~1ull);
        return true;
    }
    return false;
}

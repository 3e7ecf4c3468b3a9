// SPDX-License-Identifier: Apache-2.0
/* Guests at EL1 below us at EL2 (E2H clear, so that a Cortex-A53 and a Neoverse are driven alike). Between entries a guest's EL1
 * registers, its timer and its virtual CPU interface stay in the core: nothing of ours uses them. See hwvirt.h and hw_arm64.h;
 * registers: Arm ARM chapter D19. */
#include "hv/arch/aarch64/el2.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

/* HCR_EL2. A guest gets: stage 2, its set/way operations as clean and invalidate, our interrupts out of its hands; trapped: WFI,
 * SMC, ID group 3, ACTLR, set/way, implementation defined registers. Its TLB and cache maintenance reaches all cores. */
enum {
    HCR_VM = 0, HCR_SWIO = 1, HCR_FMO = 3, HCR_IMO = 4, HCR_AMO = 5, HCR_VSE = 8, HCR_FB = 9, HCR_BSU_INNER = 10, HCR_TWI = 13, HCR_TID3 = 18,
    HCR_TSC = 19, HCR_TIDCP = 20, HCR_TACR = 21, HCR_TSW = 22, HCR_RW = 31,
};
#define HCR_HOST  (bit64(HCR_RW) | bit64(HCR_AMO) | bit64(HCR_IMO) | bit64(HCR_FMO))
#define HCR_GUEST (HCR_HOST | bit64(HCR_VM) | bit64(HCR_SWIO) | bit64(HCR_FB) | bit64(HCR_BSU_INNER) | bit64(HCR_TWI) | bit64(HCR_TID3) | bit64(HCR_TSC) \
                 | bit64(HCR_TIDCP) | bit64(HCR_TACR) | bit64(HCR_TSW))

#define CPTR_RES1 0x33ffull                                  /* with TZ: SVE is not the guest's */
#define CPTR_TFP  bit64(10)
/* MDCR_EL2: performance monitors, debug registers and the OS lock are trapped. */
#define MDCR_GUEST (bit64(5) | bit64(6) | bit64(9) | bit64(10) | bit64(11))
#define MDCR_TDE   bit64(8)
#define CNTHCTL_GUEST 0ull                                   /* the physical counter and timer are trapped: they run by the virtual counter */
#define CNTHCTL_HOST  3ull
#define PSTATE_SS  bit64(21)
#define MDSCR_SS   1ull

enum { EC_FP = 0x07, EC_INSN_ABORT = 0x20, EC_DATA_ABORT = 0x24, EC_STEP = 0x32 };
enum { VECTOR_SYNC, VECTOR_IRQ, VECTOR_FIQ, VECTOR_SERROR };

static struct hw_arm64 offer;
static struct hw_support support = { GUEST_ARM64, "EL2", "the interrupt controller was not looked at", 0, &offer };
static struct spinlock vmid_lock;
static uint64_t vmid_used[4] = { 1 };                        /* 8-bit numbers; 0 is nobody's */

const struct hw_support *hw_support(void) { return &support; }

/* ID registers by their place: one instruction each, so a row each (Arm ARM C5.3.6). */
static uint64_t id(unsigned crm, unsigned op2)
{
    switch (crm << 4 | op2) {
    case 0x00: return AARCH64_READ(midr_el1);
    case 0x06: return AARCH64_READ(revidr_el1);
    case 0x40: return AARCH64_READ(id_aa64pfr0_el1);
    case 0x41: return AARCH64_READ(id_aa64pfr1_el1);
    case 0x50: return AARCH64_READ(id_aa64dfr0_el1);
    case 0x60: return AARCH64_READ(id_aa64isar0_el1);
    case 0x61: return AARCH64_READ(id_aa64isar1_el1);
    case 0x62: return AARCH64_READ(S3_0_C0_C6_2);
    case 0x70: return AARCH64_READ(id_aa64mmfr0_el1);
    case 0x71: return AARCH64_READ(id_aa64mmfr1_el1);
    case 0x72: return AARCH64_READ(S3_0_C0_C7_2);
    }
    return 0;
}

/* ---- masks and barriers ---- */
static void mask(void)   { __asm__ volatile("msr daifset, #7" : : : "memory"); }
static void unmask(void) { __asm__ volatile("msr daifclr, #6" : : : "memory"); }        /* SError and IRQ; what is pending comes now */

/* ---- VMs ---- */
static unsigned take_vmid(void)
{
    unsigned found = 0;
    spin_lock(&vmid_lock);
    for (unsigned w = 0; w < ARRAY_COUNT(vmid_used) && !found; w++) {
        if (vmid_used[w] == ~0ull) continue;
        unsigned b = (unsigned)__builtin_ctzll(~vmid_used[w]);
        vmid_used[w] |= bit64(b);
        found = 64 * w + b;
    }
    spin_unlock(&vmid_lock);
    return found;
}

static void give_vmid(unsigned id)
{
    spin_lock(&vmid_lock);
    vmid_used[id / 64] &= ~bit64(id % 64);
    spin_unlock(&vmid_lock);
}

/* Nothing of this VM's stays in any core's TLB. */
static void flush(const struct hw_vm *vm)
{
    mask();
    uint64_t before = AARCH64_READ(vttbr_el2);
    aarch64_dsb();
    AARCH64_WRITE(vttbr_el2, vm->vttbr);
    aarch64_isb();
    __asm__ volatile("tlbi vmalls12e1is" : : : "memory");
    aarch64_dsb();
    AARCH64_WRITE(vttbr_el2, before);
    aarch64_isb();
    unmask();
}

struct vm_error hw_vm_create(const struct hw_memory *memory, struct hw_vm **out)
{
    struct hw_vm *vm = memory->alloc(1, 1);
    if (!vm) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for stage-2 tables");
    memset(vm, 0, sizeof *vm);
    vm->memory = memory;
    vm->vmid = take_vmid();
    if (!vm->vmid || !stage2_init(&vm->stage2, memory)) {
        bool is_full = !vm->vmid;
        if (!is_full) give_vmid(vm->vmid);
        memory->free(vm, 1);
        return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, is_full ? "255 VMs on hardware exist: no VMID is left" : "no memory for stage-2 tables");
    }
    vm->vttbr = (uint64_t)vm->vmid << 48 | (uint64_t)vm->stage2.root;
    flush(vm);                                               /* the number's last owner */
    *out = vm;
    return VM_SUCCESS;
}

/* A guest whose caches are off reads what memory has. */
static void clean(const void *from, uint64_t size_bytes)
{
    uint64_t line = 4ull << (AARCH64_READ(ctr_el0) >> 16 & 15);
    for (uint64_t at = (uint64_t)from; at < (uint64_t)from + size_bytes; at += line) __asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
    aarch64_dsb();
}

static bool map(struct hw_vm *vm, uint64_t at, uint64_t host, uint64_t size_bytes, enum stage2_kind kind)
{
    spin_lock(&vm->lock);
    bool is_done = stage2_map(&vm->stage2, at, host, size_bytes, kind);
    spin_unlock(&vm->lock);
    return is_done;
}

struct vm_error hw_vm_map(struct hw_vm *vm, guest_phys_addr at, void *host, uint64_t size_bytes, bool is_writable)
{
    clean(host, size_bytes);
    if (map(vm, at.v, (uint64_t)host, size_bytes, is_writable ? STAGE2_RAM : STAGE2_ROM)) return VM_SUCCESS;
    return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for stage-2 tables, or guest memory past 512 GiB");
}

static bool map_gicv(struct hw_vm *vm, uint64_t at)
{
    return el2_gicv() && map(vm, at, el2_gicv(), 2 * HV_PAGE_BYTES, STAGE2_DEVICE);
}

void hw_vm_unmap_all(struct hw_vm *vm)
{
    spin_lock(&vm->lock);
    stage2_clear(&vm->stage2);
    spin_unlock(&vm->lock);
    flush(vm);
}

void hw_vm_destroy(struct hw_vm *vm)
{
    hw_vm_unmap_all(vm);
    stage2_destroy(&vm->stage2);
    give_vmid(vm->vmid);
    vm->memory->free(vm, 1);
}

struct vm_error hw_vcpu_create(struct hw_vm *vm, unsigned id, struct hw_vcpu **out)
{
    struct hw_vcpu *v = vm->memory->alloc(1, 1);
    if (!v) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a vCPU");
    *v = (struct hw_vcpu){ .vm = vm, .id = id, .core = -1 };
    *out = v;
    return VM_SUCCESS;
}

void hw_vcpu_destroy(struct hw_vcpu *v) { v->vm->memory->free(v, 1); }

/* ---- a vCPU's state and the core ---- */

/* Another vCPU of this VM was here last: what it left in the TLB and the instruction cache under the same VMID is not this one's. */
static void forget_sibling(struct hw_vcpu *v, unsigned core)
{
    uint32_t *last = &v->vm->last_ran[core];
    if (*last == v->id + 1) return;
    *last = v->id + 1;
    aarch64_isb();
    __asm__ volatile("tlbi vmalle1\n\tic iallu" : : : "memory");
    aarch64_dsb();
    aarch64_isb();
}

static NOINLINE void load(struct hw_vcpu *v, const struct arm64_frame *f, unsigned core)
{
    v->core = (int)core;
    AARCH64_WRITE(vtcr_el2, stage2_vtcr());
    AARCH64_WRITE(vttbr_el2, v->vm->vttbr);
    AARCH64_WRITE(hcr_el2, HCR_GUEST);
    AARCH64_WRITE(mdcr_el2, MDCR_GUEST);
    AARCH64_WRITE(cptr_el2, CPTR_RES1 | CPTR_TFP);
    AARCH64_WRITE(hstr_el2, 0);
    AARCH64_WRITE(cnthctl_el2, CNTHCTL_GUEST);
    AARCH64_WRITE(vpidr_el2, AARCH64_READ(midr_el1));
    AARCH64_WRITE(vmpidr_el2, f->vmpidr);
    forget_sibling(v, core);
#define X(r) AARCH64_WRITE(r, f->r);
    ARM64_SYSREG_LIST(X)
#undef X
    AARCH64_WRITE(mdscr_el1, 0);
    el2_timer_load(f);
    el2_gic_load(f);
}

static NOINLINE void load_fp(struct hw_vcpu *v, const struct hw_run *run)
{
    const struct arm64_frame *f = run->frame;
    AARCH64_WRITE(cptr_el2, CPTR_RES1);
    aarch64_isb();
    el2_load_fp(&run->slot[ARM64_V_SLOT]);
    AARCH64_WRITE(S3_3_C4_C4_0, f->fpcr);
    AARCH64_WRITE(S3_3_C4_C4_1, f->fpsr);
    v->has_fp = true;
}

void hw_vcpu_put(struct hw_vcpu *v, const struct hw_run *run)
{
    struct arm64_frame *f = run->frame;
    if (v->core < 0) return;
    mask();
    v->core = -1;
#define X(r) f->r = AARCH64_READ(r);
    ARM64_SYSREG_LIST(X)
#undef X
    el2_timer_put(f);
    el2_gic_put(f);
    AARCH64_WRITE(cptr_el2, CPTR_RES1);
    aarch64_isb();
    if (v->has_fp) {
        el2_save_fp(&run->slot[ARM64_V_SLOT]);
        f->fpcr = AARCH64_READ(S3_3_C4_C4_0);
        f->fpsr = AARCH64_READ(S3_3_C4_C4_1);
        v->has_fp = false;
    }
    AARCH64_WRITE(hcr_el2, HCR_HOST);
    AARCH64_WRITE(mdcr_el2, AARCH64_READ(mdcr_el2) & 31);
    AARCH64_WRITE(cnthctl_el2, CNTHCTL_HOST);
    AARCH64_WRITE(vttbr_el2, 0);
    aarch64_isb();
    unmask();
}

void aarch64_guests_init(const struct aarch64_platform *p)
{
    support.counter_hz = aarch64_timer_hz();
    support.absence = "the hypervisor was started at EL1";
    if (!aarch64_at_el2) return;
    support.absence = el2_gic_init(p);
    if (!support.absence && !p->timer_virt_intid) support.absence = "the virtual timer has no interrupt";
    if ((AARCH64_READ(id_aa64mmfr0_el1) & 15) < 1) support.absence = "fewer than 36 address bits";
    if (support.absence) return;
    el2_timer_init(p);
    offer = (struct hw_arm64){ el2_gic_version(), el2_gic_lr_count(), map_gicv, id };
}

/* ---- running ---- */

/* A fault on a permission, unless it is a walk's, leaves HPFAR unknown (Arm ARM D19.2.62): the stage-1 walk is asked again. */
static NOINLINE bool find_address(struct arm64_frame *f)
{
    uint64_t par = AARCH64_READ(par_el1);
    __asm__ volatile("at s1e1r, %0" : : "r"(f->far) : "memory");
    aarch64_isb();
    uint64_t result = AARCH64_READ(par_el1);
    AARCH64_WRITE(par_el1, par);
    if (result & 1) return false;                            /* its tables have changed meanwhile: it tries again */
    f->hpfar = bits64(result, 51, 12) << 4;
    return true;
}

static void say_memory(const struct arm64_frame *f, bool is_insn, struct hw_exit *out)
{
    bool is_walk = f->esr & bit64(7), is_write = f->esr & bit64(6), is_maintenance = f->esr & bit64(8);
    out->kind = HW_EXIT_MEMORY;
    out->gpa = guest_phys_addr_make(bits64(f->hpfar, 43, 4) << 12 | (is_walk ? 0 : f->far & 0xfff));
    out->how = is_walk ? ACCESS_READ : is_insn ? ACCESS_EXECUTE : is_write && !is_maintenance ? ACCESS_WRITE : ACCESS_READ;
}

static void say(struct hw_vcpu *v, const struct hw_run *run, unsigned vector, struct hw_exit *out)
{
    struct arm64_frame *f = run->frame;
    if (vector == VECTOR_SERROR) {
        *out = (struct hw_exit){ .kind = HW_EXIT_FAILED, .failure = "asynchronous external abort (SError) while the guest ran" };
        return;
    }
    if (vector != VECTOR_SYNC) return;                       /* HW_EXIT_HOST */
    f->esr = AARCH64_READ(esr_el2);
    f->far = AARCH64_READ(far_el2);
    f->hpfar = AARCH64_READ(hpfar_el2);
    switch (bits64(f->esr, 31, 26)) {
    case EC_FP:
        if (!v->has_fp) {
            load_fp(v, run);
            return;
        }
        break;
    case EC_STEP:
        out->kind = HW_EXIT_STEP;
        return;
    case EC_INSN_ABORT:
    case EC_DATA_ABORT: {
        uint64_t fault = f->esr & 0x3c;
        if (fault != 0x04 && fault != 0x08 && fault != 0x0c && fault != 0x00) {
            *out = (struct hw_exit){ .kind = HW_EXIT_FAILED, .failure = "memory of the host's answered with an external abort" };
            return;
        }
        bool is_known = fault != 0x0c || f->esr & bit64(7);
        if (is_known || find_address(f)) say_memory(f, bits64(f->esr, 31, 26) == EC_INSN_ABORT, out);
        return;
    }
    }
    out->kind = HW_EXIT_GUEST;
}

void hw_vcpu_run(struct hw_vcpu *v, const struct hw_run *run, struct hw_exit *out)
{
    struct arm64_frame *f = run->frame;
    *out = (struct hw_exit){ .kind = HW_EXIT_HOST };
    mask();
    if (__atomic_load_n(run->request, __ATOMIC_SEQ_CST)) {
        unmask();
        return;
    }
    unsigned core = el2_core();
    struct el2_gic_core *gic = &el2_gic_cores[core];
    if (v->core != (int)core) load(v, f, core);
    if (el2_timer_is_off[core]) {                            /* otherwise one that is due comes as an interrupt */
        bool is_due = el2_timer_is_due();
        if (is_due && !f->timer_line) {                      /* the guest's owner has to tell it first */
            f->timer_line = true;
            unmask();
            return;
        }
        if (!is_due) el2_timer_on(core);
    }
    el2_gic_enter(f, gic);
    if (run->is_step) {
        AARCH64_WRITE(mdcr_el2, MDCR_GUEST | MDCR_TDE);
        AARCH64_WRITE(mdscr_el1, MDSCR_SS);
    }
    AARCH64_WRITE(elr_el2, *run->pc);
    AARCH64_WRITE(spsr_el2, run->is_step ? f->pstate | PSTATE_SS : f->pstate & ~PSTATE_SS);
    unsigned vector = el2_enter(run->slot, &f->sp_el0);
    *run->pc = AARCH64_READ(elr_el2);
    f->pstate = AARCH64_READ(spsr_el2) & ~PSTATE_SS;
    if (run->is_step) {
        AARCH64_WRITE(mdcr_el2, MDCR_GUEST);
        AARCH64_WRITE(mdscr_el1, 0);
        aarch64_isb();
    }
    el2_gic_exit(f, gic);
    f->timer_line = el2_timer_is_due();
    say(v, run, vector, out);
    unmask();
}

// SPDX-License-Identifier: Apache-2.0
/* The virtual CPU interface: list registers and what belongs to them, of GICv2 (GICH, IHI 0048 chapter 5) and GICv3 (ICH_*_EL2,
 * IHI 0069 chapter 12). A guest has the version that the host has. Off whenever we run and a list register is in use, so that its
 * maintenance interrupt, which only serves to make the guest leave, is silent by then. */
#include "hv/arch/aarch64/el2.h"
#include "hv/base/bits.h"

/* Both versions: on; tell when at most one list register is in use, and when one ended that is in none; how many did. GICv3 alone:
 * trap ICC_DIR_EL1, which names what has ended. */
enum { HCR_EN = 1, HCR_UIE = 2, HCR_LRENPIE = 4, HCR_TDIR = 1 << 14, HCR_EOICOUNT = 27 };
enum { GICH_HCR = 0x000, GICH_VTR = 0x004, GICH_VMCR = 0x008, GICH_APR = 0x0f0, GICH_LR = 0x100 };

static uint64_t gich, gicv;
static unsigned version, lr_count;

unsigned el2_gic_version(void)  { return version; }
unsigned el2_gic_lr_count(void) { return lr_count; }
uint64_t el2_gicv(void)         { return version == 2 ? gicv : 0; }

/* ---- GICv3 ---- */
#define ICH_LR_CASES(_) _(0, 12, 0) _(1, 12, 1) _(2, 12, 2) _(3, 12, 3) _(4, 12, 4) _(5, 12, 5) _(6, 12, 6) _(7, 12, 7) \
                        _(8, 13, 0) _(9, 13, 1) _(10, 13, 2) _(11, 13, 3) _(12, 13, 4) _(13, 13, 5) _(14, 13, 6) _(15, 13, 7)

static uint64_t v3_read_lr(unsigned n)
{
    switch (n) {
#define X(n, crm, op2) case n: return AARCH64_READ(S3_4_C12_C##crm##_##op2);
    ICH_LR_CASES(X)
#undef X
    }
    return 0;
}

static void v3_write_lr(unsigned n, uint64_t lr)
{
    switch (n) {
#define X(n, crm, op2) case n: AARCH64_WRITE(S3_4_C12_C##crm##_##op2, lr); break;
    ICH_LR_CASES(X)
#undef X
    }
}

static void v3_load(const struct arm64_frame *f)
{
    AARCH64_WRITE(S3_4_C12_C11_7, f->gic_vmcr);              /* ICH_VMCR_EL2 */
    AARCH64_WRITE(S3_4_C12_C8_0, f->gic_ap0r);
    AARCH64_WRITE(S3_4_C12_C9_0, f->gic_ap1r);
    AARCH64_WRITE(S3_0_C12_C12_5, 7);                        /* ICC_SRE_EL1: system registers, as the guest's own */
    for (unsigned n = 0; n < lr_count; n++) v3_write_lr(n, 0);
}

static void v3_put(struct arm64_frame *f)
{
    f->gic_vmcr = AARCH64_READ(S3_4_C12_C11_7);
    f->gic_ap0r = AARCH64_READ(S3_4_C12_C8_0);
    f->gic_ap1r = AARCH64_READ(S3_4_C12_C9_0);
}

static void     v3_hcr(uint64_t v) { AARCH64_WRITE(S3_4_C12_C11_0, v); }
static uint32_t v3_ends(void)      { return 0; }

/* ---- GICv2 ---- */
static uint32_t to_v2(uint64_t lr)
{
    return (uint32_t)(lr & 0x3ff) | (uint32_t)bits64(lr, 34, 32) << 10 | (lr & ARM64_LR_EOI ? 1u << 19 : 0)
         | (uint32_t)bits64(lr, 55, 51) << 23 | (uint32_t)(lr >> 62) << 28 | (lr & ARM64_LR_GROUP1 ? 1u << 30 : 0);
}

static uint64_t v2_read_lr(unsigned n)
{
    uint32_t v = aarch64_mmio_read32(gich + GICH_LR + 4 * n);
    return (uint64_t)(v >> 28 & 3) << 62 | (uint64_t)(v >> 10 & 7) << 32 | (v & 0x3ff);
}

static void v2_write_lr(unsigned n, uint64_t lr) { aarch64_mmio_write32(gich + GICH_LR + 4 * n, to_v2(lr)); }

static void v2_load(const struct arm64_frame *f)
{
    aarch64_mmio_write32(gich + GICH_VMCR, (uint32_t)f->gic_vmcr);
    aarch64_mmio_write32(gich + GICH_APR, (uint32_t)f->gic_ap0r);
    for (unsigned n = 0; n < lr_count; n++) v2_write_lr(n, 0);
}

static void v2_put(struct arm64_frame *f)
{
    f->gic_vmcr = aarch64_mmio_read32(gich + GICH_VMCR);
    f->gic_ap0r = aarch64_mmio_read32(gich + GICH_APR);
}

static void     v2_hcr(uint64_t v) { aarch64_mmio_write32(gich + GICH_HCR, (uint32_t)v); }
static uint32_t v2_ends(void)      { return aarch64_mmio_read32(gich + GICH_HCR) >> HCR_EOICOUNT; }

/* ---- either ---- */
static const struct interface {
    void     (*load)(const struct arm64_frame *f);
    void     (*put)(struct arm64_frame *f);
    uint64_t (*read_lr)(unsigned n);
    void     (*write_lr)(unsigned n, uint64_t lr);
    void     (*hcr)(uint64_t v);
    uint32_t (*ends)(void);                                  /* of what is in no list register, since hcr was written */
    uint64_t crowded;                                        /* besides HCR_EN, when there is no room for all */
} interfaces[] = {
    [2] = { v2_load, v2_put, v2_read_lr, v2_write_lr, v2_hcr, v2_ends, HCR_UIE | HCR_LRENPIE },
    [3] = { v3_load, v3_put, v3_read_lr, v3_write_lr, v3_hcr, v3_ends, HCR_UIE | HCR_TDIR },
};
struct el2_gic_core el2_gic_cores[ARCH_MAX_CPUS];

static void quiet(void *arg) { (void)arg; }                  /* off since the guest left */

const char *el2_gic_init(const struct aarch64_platform *p)
{
    if (p->irq_kind == AARCH64_IRQ_GICV3) {
        version = 3;
        lr_count = (unsigned)(AARCH64_READ(S3_4_C12_C11_1) & 31) + 1;       /* ICH_VTR_EL2 */
    } else if (p->irq_kind == AARCH64_IRQ_GICV2 && p->gich && p->gicv) {
        version = 2;
        gich = p->gich;
        gicv = p->gicv;
        lr_count = (aarch64_mmio_read32(gich + GICH_VTR) & 63) + 1;
    } else {
        return p->irq_kind == AARCH64_IRQ_GICV2 ? "the GICv2 has no virtual CPU interface" : "there is no GIC";
    }
    if (lr_count > ARM64_MAX_LRS) lr_count = ARM64_MAX_LRS;
    if (!p->maintenance_intid || !aarch64_irq_connect_private(p->maintenance_intid, quiet, NULL)) return "the GIC's maintenance interrupt is unknown";
    return NULL;
}

void el2_gic_load(const struct arm64_frame *f)
{
    interfaces[version].load(f);
    el2_gic_cores[el2_core()] = (struct el2_gic_core){ 0 };
}

void el2_gic_put(struct arm64_frame *f)
{
    interfaces[version].hcr(0);
    interfaces[version].put(f);
}

void el2_gic_write(const struct arm64_frame *f, struct el2_gic_core *c)
{
    for (unsigned n = 0; n < f->lr_count; n++) interfaces[version].write_lr(n, f->lr[n]);
    for (unsigned n = f->lr_count; n < c->written; n++) interfaces[version].write_lr(n, 0);
    c->written = f->lr_count;
    c->is_empty = !f->lr_count;
    interfaces[version].hcr(f->wants_room ? HCR_EN | interfaces[version].crowded : HCR_EN);
}

void el2_gic_read(struct arm64_frame *f)
{
    f->unlisted_ends = interfaces[version].ends();
    interfaces[version].hcr(0);
    for (unsigned n = 0; n < f->lr_count; n++) {
        uint64_t state = interfaces[version].read_lr(n) & (ARM64_LR_PENDING | ARM64_LR_ACTIVE);
        f->lr[n] = (f->lr[n] & ~(ARM64_LR_PENDING | ARM64_LR_ACTIVE)) | state;
    }
    aarch64_isb();
}

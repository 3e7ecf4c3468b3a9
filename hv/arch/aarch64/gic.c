// SPDX-License-Identifier: Apache-2.0
/* GICv2 (IHI 0048) and GICv3 (IHI 0069): two bodies of irq_chip.h. All interrupts have one priority and do not nest. */
#include "hv/arch/aarch64/irq_chip.h"
#include "hv/base/assert.h"
#include "hv/base/bits.h"

#define PRIORITY      0xa0a0a0a0u
static const struct aarch64_platform *platform;
static uint64_t gicd, gicr_of[ARCH_MAX_CPUS];
static uint8_t target_of[ARCH_MAX_CPUS];

/* Offsets common to both distributors (and to the SGI frame of a redistributor). */
enum {
    GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IGROUPR = 0x080, GICD_ISENABLER = 0x100, GICD_ICENABLER = 0x180,
    GICD_ICPENDR = 0x280, GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800, GICD_ICFGR = 0xc00, GICD_SGIR = 0xf00,
    GICD_IGRPMODR = 0xd00, GICD_IROUTER = 0x6000,
    GICC_CTLR = 0x00, GICC_PMR = 0x04, GICC_BPR = 0x08, GICC_IAR = 0x0c, GICC_EOIR = 0x10,
    GICR_CTLR = 0x00, GICR_TYPER = 0x08, GICR_WAKER = 0x14, GICR_SGI = 0x10000,
};
#define CTLR_RWP   (1u << 31)                             /* GICD_CTLR: register write pending */
#define CTLR_ARE   (1u << 4)
#define WAKER_SLEEP 2u
#define WAKER_ASLEEP 4u

static uint32_t d_read(uint32_t offset)              { return aarch64_mmio_read32(gicd + offset); }
static void     d_write(uint32_t offset, uint32_t v) { aarch64_mmio_write32(gicd + offset, v); }

/* Every SPI: disabled, not pending, one priority, level as the reset left it. -> their end */
static uint32_t quiet_spis(void)
{
    uint32_t lines = 32 * ((d_read(GICD_TYPER) & 31) + 1), spi_end = lines > INTID_SPECIAL ? INTID_SPECIAL : lines;
    for (uint32_t n = INTID_SPI; n < spi_end; n += 32) {
        d_write(GICD_ICENABLER + n / 8, ~0u);
        d_write(GICD_ICPENDR + n / 8, ~0u);
    }
    for (uint32_t n = INTID_SPI; n < spi_end; n += 4) d_write(GICD_IPRIORITYR + n, PRIORITY);
    return spi_end;
}

/* ---- GICv2 ---- */

static uint32_t v2_init(const struct aarch64_platform *p)
{
    platform = p;
    gicd = p->gicd;
    d_write(GICD_CTLR, 0);
    uint32_t spi_end = quiet_spis();
    d_write(GICD_CTLR, 3);                                /* both groups; a non-secure view has bit 0 only */
    return spi_end;
}

static void v2_init_cpu(unsigned cpu)
{
    uint64_t c = platform->gicc;
    target_of[cpu] = (uint8_t)d_read(GICD_ITARGETSR);     /* banked: this core's own mask; 0 on a uniprocessor */
    if (!target_of[cpu]) target_of[cpu] = (uint8_t)(1u << (cpu & 7));
    d_write(GICD_ICENABLER, 0xffff0000u);
    for (uint32_t n = 0; n < INTID_SPI; n += 4) d_write(GICD_IPRIORITYR + n, PRIORITY);
    d_write(GICD_ISENABLER, 0xffff);
    aarch64_mmio_write32(c + GICC_PMR, 0xff);
    aarch64_mmio_write32(c + GICC_BPR, 0);
    aarch64_mmio_write32(c + GICC_CTLR, 3);
}

static void v2_enable(uint32_t intid)
{
    if (intid >= INTID_SPI) *(volatile uint8_t *)(gicd + GICD_ITARGETSR + intid) = target_of[0];
    d_write(GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

static void     v2_disable(uint32_t intid)          { d_write(GICD_ICENABLER, 1u << intid); }
static void     v2_send(unsigned cpu, uint32_t sgi) { d_write(GICD_SGIR, (uint32_t)target_of[cpu] << 16 | sgi); }
static uint32_t v2_acknowledge(void)                { return aarch64_mmio_read32(platform->gicc + GICC_IAR); }
static void     v2_end(uint32_t token)              { aarch64_mmio_write32(platform->gicc + GICC_EOIR, token); }

const struct irq_chip aarch64_gicv2 = { "GICv2", 0x3ff, v2_init, v2_init_cpu, v2_enable, v2_disable, v2_send, v2_acknowledge, v2_end };

/* ---- GICv3 ---- */

static void v3_wait(void)
{
    for (unsigned i = 0; i < 1000000 && d_read(GICD_CTLR) & CTLR_RWP; i++) arch_cpu_relax();
}

static uint32_t v3_init(const struct aarch64_platform *p)
{
    platform = p;
    gicd = p->gicd;
    d_write(GICD_CTLR, 0);
    v3_wait();
    uint32_t spi_end = quiet_spis();
    for (uint32_t n = INTID_SPI; n < spi_end; n += 32) d_write(GICD_IGROUPR + n / 8, ~0u);
    d_write(GICD_CTLR, CTLR_ARE | 3);
    v3_wait();
    return spi_end;
}

/* GICR_TYPER[63:32] is the affinity: Aff3.Aff2.Aff1.Aff0. */
static uint64_t find_redistributor(uint64_t mpidr)
{
    uint32_t affinity = (uint32_t)(bits64(mpidr, 39, 32) << 24 | bits64(mpidr, 23, 0));
    for (unsigned i = 0; i < platform->gicr_count; i++) {
        uint64_t at = platform->gicr[i].base, end = at + platform->gicr[i].size_bytes;
        while (at < end) {
            uint64_t type = aarch64_mmio_read64(at + GICR_TYPER);
            if (type >> 32 == affinity) return at;
            if (type & bit64(4)) break;                   /* Last */
            at += platform->gicr_stride ? platform->gicr_stride : type & bit64(1) ? 0x40000 : 0x20000;   /* VLPIS: two more frames */
        }
    }
    return 0;
}

static void wake_redistributor(uint64_t r)
{
    aarch64_mmio_write32(r + GICR_WAKER, aarch64_mmio_read32(r + GICR_WAKER) & ~WAKER_SLEEP);
    for (unsigned i = 0; i < 1000000 && aarch64_mmio_read32(r + GICR_WAKER) & WAKER_ASLEEP; i++) arch_cpu_relax();
}

static void v3_init_cpu(unsigned cpu)
{
    uint64_t r = find_redistributor(platform->cpu_mpidr[cpu]);
    if (!r && !cpu) panic("GICv3: core 0x%lx has no redistributor", (unsigned long)platform->cpu_mpidr[cpu]);
    if (!r) arch_halt();                                  /* it never arrives, which is told */
    gicr_of[cpu] = r;
    wake_redistributor(r);
    uint64_t s = r + GICR_SGI;
    aarch64_mmio_write32(s + GICD_IGROUPR, ~0u);
    aarch64_mmio_write32(s + GICD_ICENABLER, 0xffff0000u);
    for (uint32_t n = 0; n < INTID_SPI; n += 4) aarch64_mmio_write32(s + GICD_IPRIORITYR + n, PRIORITY);
    aarch64_mmio_write32(s + GICD_ISENABLER, 0xffff);
    if (aarch64_at_el2) AARCH64_WRITE(S3_4_C12_C9_5, 0xf);    /* ICC_SRE_EL2 */
    else AARCH64_WRITE(S3_0_C12_C12_5, 7);                    /* ICC_SRE_EL1 */
    aarch64_isb();
    AARCH64_WRITE(S3_0_C4_C6_0, 0xff);                        /* ICC_PMR_EL1 */
    AARCH64_WRITE(S3_0_C12_C12_3, 0);                         /* ICC_BPR1_EL1 */
    AARCH64_WRITE(S3_0_C12_C12_4, 0);                         /* ICC_CTLR_EL1: EOI also deactivates */
    AARCH64_WRITE(S3_0_C12_C12_7, 1);                         /* ICC_IGRPEN1_EL1 */
    aarch64_isb();
}

static void v3_enable(uint32_t intid)
{
    if (intid < INTID_SPI) {
        uint64_t r = gicr_of[arch_cpu_id()];
        if (r) aarch64_mmio_write32(r + GICR_SGI + GICD_ISENABLER, 1u << intid);
        return;
    }
    aarch64_mmio_write64(gicd + GICD_IROUTER + 8ull * intid, platform->cpu_mpidr[0]);
    d_write(GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

static void v3_disable(uint32_t intid)
{
    uint64_t r = gicr_of[arch_cpu_id()];
    if (r) aarch64_mmio_write32(r + GICR_SGI + GICD_ICENABLER, 1u << intid);
}

static void v3_send(unsigned cpu, uint32_t sgi)
{
    uint64_t m = platform->cpu_mpidr[cpu], aff0 = m & 0xff;
    AARCH64_WRITE(S3_0_C12_C11_5, bits64(m, 39, 32) << 48 | (aff0 >> 4) << 44 | bits64(m, 23, 16) << 32
                                | (uint64_t)sgi << 24 | bits64(m, 15, 8) << 16 | 1ull << (aff0 & 15));      /* ICC_SGI1R_EL1 */
    aarch64_isb();
}

static uint32_t v3_acknowledge(void)
{
    uint32_t token = (uint32_t)AARCH64_READ(S3_0_C12_C12_0);  /* ICC_IAR1_EL1 */
    aarch64_dsb();
    return token;
}

static void v3_end(uint32_t token)
{
    AARCH64_WRITE(S3_0_C12_C12_1, token);                     /* ICC_EOIR1_EL1 */
    aarch64_isb();
}

const struct irq_chip aarch64_gicv3 = { "GICv3", 0xffffff, v3_init, v3_init_cpu, v3_enable, v3_disable, v3_send, v3_acknowledge, v3_end };

/* ---- from EL3: all interrupts become the non-secure side's ---- */

static void open_at_el3(const void *arg)
{
    const struct aarch64_platform *p = arg;
    gicd = p->gicd;
    uint32_t lines = 32 * ((d_read(GICD_TYPER) & 31) + 1);
    d_write(GICD_CTLR, 0);
    if (p->irq_kind == AARCH64_IRQ_GICV3) {
        v3_wait();
        d_write(GICD_CTLR, 0x30);                         /* ARE for both sides */
        v3_wait();
    }
    for (uint32_t n = 0; n < lines && n < INTID_SPECIAL; n += 32) {
        d_write(GICD_IGROUPR + n / 8, ~0u);
        if (p->irq_kind == AARCH64_IRQ_GICV3) d_write(GICD_IGRPMODR + n / 8, 0);
    }
    if (p->irq_kind == AARCH64_IRQ_GICV3) {
        uint64_t r = find_redistributor(p->cpu_mpidr[0]);
        d_write(GICD_CTLR, 0x37);
        if (!r) return;
        wake_redistributor(r);
        aarch64_mmio_write32(r + GICR_SGI + GICD_IGROUPR, ~0u);
        aarch64_mmio_write32(r + GICR_SGI + GICD_IGRPMODR, 0);
        AARCH64_WRITE(S3_0_C4_C6_0, 0xff);                /* ICC_PMR_EL1 */
        AARCH64_WRITE(S3_6_C12_C12_7, 3);                 /* ICC_IGRPEN1_EL3 */
        aarch64_isb();
    } else {
        d_write(GICD_CTLR, 3);
        aarch64_mmio_write32(p->gicc + GICC_PMR, 0xff);   /* else the other side may only raise the lower half */
        aarch64_mmio_write32(p->gicc + GICC_CTLR, 3);
    }
}

void aarch64_gic_open(const struct aarch64_platform *p)
{
    platform = p;
    if (p->irq_kind == AARCH64_IRQ_GICV2 || p->irq_kind == AARCH64_IRQ_GICV3) aarch64_el3_call(p, open_at_el3);
}

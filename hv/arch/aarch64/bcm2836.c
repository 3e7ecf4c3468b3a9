// SPDX-License-Identifier: Apache-2.0
/* Interrupts of BCM2836 and BCM2837 (a body of irq_chip.h): the local controller has each core's timers and mailboxes
 * ("ARM quad A7 core", QA7_rev3.4); behind it, on core 0, is the devices' controller (BCM2835 ARM Peripherals, 7). A core
 * sends by a bit of the other's mailbox 0. All lines are levels: nothing is to be ended. */
#include "hv/arch/aarch64/irq_chip.h"
#include "hv/base/bits.h"

/* Local: per core where {}; timer interrupt n, numbered 16 + n: 0 secure, 1 physical, 2 hypervisor's, 3 virtual. */
enum {
    GPU_ROUTING = 0x0c, TIMER_CONTROL = 0x40 /* {4} */, MAILBOX_CONTROL = 0x50 /* {4} */,
    IRQ_SOURCE = 0x60 /* {4} */, MAILBOX_SET = 0x80 /* {16} */, MAILBOX_CLEAR = 0xc0 /* {16} */,
};
#define SOURCE_TIMERS   0xfu
#define SOURCE_MAILBOX0 (1u << 4)
#define SOURCE_GPU      (1u << 8)
#define PPI             16u

/* Devices: 64 of them, in two words. */
enum { PENDING = 0x204, ENABLE = 0x210, DISABLE = 0x21c, DISABLE_BASIC = 0x224, FIQ = 0x20c };
#define DEVICE_COUNT 64u

static const struct aarch64_platform *platform;
static uint64_t local, armctrl;

static uint64_t at(uint32_t offset, unsigned row_bytes, uint64_t mpidr) { return local + offset + row_bytes * (mpidr & 3); }
static uint64_t mine(uint32_t offset, unsigned row_bytes)                { return at(offset, row_bytes, AARCH64_READ(mpidr_el1)); }

static uint32_t init(const struct aarch64_platform *p)
{
    platform = p;
    local = p->bcm2836_local;
    armctrl = p->bcm2835_armctrl;
    aarch64_mmio_write32(armctrl + FIQ, 0);
    aarch64_mmio_write32(armctrl + DISABLE_BASIC, 0xff);
    for (unsigned i = 0; i < 2; i++) aarch64_mmio_write32(armctrl + DISABLE + 4 * i, ~0u);
    aarch64_mmio_write32(local + GPU_ROUTING, (uint32_t)(p->cpu_mpidr[0] & 3));
    return INTID_SPI + DEVICE_COUNT;
}

static void init_cpu(unsigned cpu)
{
    (void)cpu;
    aarch64_mmio_write32(mine(TIMER_CONTROL, 4), 0);
    aarch64_mmio_write32(mine(MAILBOX_CLEAR, 16), ~0u);
    aarch64_mmio_write32(mine(MAILBOX_CONTROL, 4), 1);
}

static void enable(uint32_t intid)
{
    if (intid >= INTID_SPI) {
        uint32_t device = intid - INTID_SPI;
        aarch64_mmio_write32(armctrl + ENABLE + 4 * (device / 32), 1u << device % 32);
    } else if (intid >= PPI && intid < PPI + 4) {
        uint64_t control = mine(TIMER_CONTROL, 4);
        aarch64_mmio_write32(control, aarch64_mmio_read32(control) | 1u << (intid - PPI));
    }
}

static void send(unsigned cpu, uint32_t sgi) { aarch64_mmio_write32(at(MAILBOX_SET, 16, platform->cpu_mpidr[cpu]), 1u << sgi); }

/* What was sent is taken out here; the others stay until their cause is gone. */
static uint32_t acknowledge(void)
{
    uint32_t source = aarch64_mmio_read32(mine(IRQ_SOURCE, 4));
    if (source & SOURCE_MAILBOX0) {
        uint32_t mail = aarch64_mmio_read32(mine(MAILBOX_CLEAR, 16));
        if (mail) {
            uint32_t sgi = (uint32_t)__builtin_ctz(mail);
            aarch64_mmio_write32(mine(MAILBOX_CLEAR, 16), 1u << sgi);
            aarch64_dsb();
            return sgi;
        }
    }
    if (source & SOURCE_TIMERS) return PPI + (uint32_t)__builtin_ctz(source & SOURCE_TIMERS);
    if (source & SOURCE_GPU) {
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t pending = aarch64_mmio_read32(armctrl + PENDING + 4 * i);
            if (pending) return INTID_SPI + 32 * i + (uint32_t)__builtin_ctz(pending);
        }
    }
    return INTID_SPECIAL + 3;
}

static void end(uint32_t token) { (void)token; }

const struct irq_chip aarch64_bcm2836 = { "BCM2836 interrupts", 0x3ff, init, init_cpu, enable, NULL, send, acknowledge, end };

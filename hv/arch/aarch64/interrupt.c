// SPDX-License-Identifier: Apache-2.0
/* Interrupts of the host: which controller takes them, who is called for which. The boot core sets the controller up before
 * others start; each core sets up its own part. */
#include "hv/arch/aarch64/irq_chip.h"
#include "hv/base/assert.h"

#define MAX_CONNECTED 32

static const struct irq_chip *const chips[] = {
    [AARCH64_IRQ_GICV2]   = &aarch64_gicv2,
    [AARCH64_IRQ_GICV3]   = &aarch64_gicv3,
    [AARCH64_IRQ_BCM2836] = &aarch64_bcm2836,
};
static const struct irq_chip *chip;
static uint32_t spi_end;

/* Frozen per slot once `intid` is set (release; pairs with the acquire in aarch64_interrupt). */
static struct connection { uint32_t intid; void (*quiet)(void *arg); void *arg; } connected[MAX_CONNECTED];

void aarch64_irq_init(const struct aarch64_platform *p)
{
    chip = chips[p->irq_kind];
    if (!chip) panic("no interrupt controller that we drive (GICv2, GICv3, BCM2836)");
    spi_end = chip->init(p);
}

const char *aarch64_irq_name(void)              { return chip ? chip->name : "no interrupt controller"; }
void aarch64_irq_enable_private(uint32_t intid) { if (chip) chip->enable(intid); }
void aarch64_irq_disable_private(uint32_t intid) { if (chip) chip->disable(intid); }

/* Of each core; frozen before the second starts. */
static struct connection private_of[INTID_SPI];

bool aarch64_irq_connect_private(uint32_t intid, void (*quiet)(void *arg), void *arg)
{
    if (!chip || !chip->disable || intid >= INTID_SPI || private_of[intid].quiet) return false;
    private_of[intid] = (struct connection){ intid, quiet, arg };
    return true;
}

void aarch64_irq_init_cpu(unsigned cpu)
{
    if (!chip) return;
    chip->init_cpu(cpu);
    for (uint32_t intid = 0; intid < INTID_SPI; intid++) {
        if (private_of[intid].quiet) chip->enable(intid);
    }
}

void aarch64_irq_send(unsigned cpu, uint32_t sgi)
{
    __asm__ volatile("dsb ishst" : : : "memory");         /* what the other core shall see, before it is told */
    if (chip) chip->send(cpu, sgi);
}

bool aarch64_irq_connect(uint32_t intid, void (*quiet)(void *arg), void *arg)
{
    if (!chip || intid < INTID_SPI || intid >= spi_end) return false;
    for (unsigned i = 0; i < MAX_CONNECTED; i++) {
        struct connection *c = &connected[i];
        if (c->intid) continue;
        c->quiet = quiet;
        c->arg = arg;
        __atomic_store_n(&c->intid, intid, __ATOMIC_RELEASE);
        chip->enable(intid);
        return true;
    }
    return false;
}

/* Lines stay as the reset left them, level: a device that pulses its line holds it until `quiet` as well. */
bool arch_irq_connect(const struct arch_line *line, void (*quiet)(void *arg), void *arg)
{
    return aarch64_irq_connect(line->number, quiet, arg);
}

/* Messages need an ITS or a GICv2m frame; devices have lines too. */
bool arch_msi_connect(void (*quiet)(void *arg), void *arg, uint64_t *address, uint32_t *data)
{
    (void)quiet, (void)arg, (void)address, (void)data;
    return false;
}

static void device_interrupt(uint32_t intid)
{
    for (unsigned i = 0; i < MAX_CONNECTED; i++) {
        if (__atomic_load_n(&connected[i].intid, __ATOMIC_ACQUIRE) != intid) continue;
        connected[i].quiet(connected[i].arg);
        aarch64_upcall(ARCH_IRQ_DEVICE, intid);
    }
}

void aarch64_interrupt(void)
{
    if (!chip) return;
    uint32_t token = chip->acknowledge(), intid = token & chip->intid_mask;
    if (intid >= INTID_SPECIAL && intid < 1024) return;   /* spurious */
    bool is_stop = intid == AARCH64_SGI_STOP;
    if (intid == aarch64_timer_intid()) {
        aarch64_timer_quiet();
        aarch64_upcall(ARCH_IRQ_TIMER, 0);
    } else if (intid == AARCH64_SGI_KICK) {
        aarch64_upcall(ARCH_IRQ_KICK, 0);
    } else if (intid < INTID_SPI) {
        if (private_of[intid].quiet) private_of[intid].quiet(private_of[intid].arg);
    } else {
        device_interrupt(intid);
    }
    chip->end(token);
    if (is_stop) arch_halt();
}

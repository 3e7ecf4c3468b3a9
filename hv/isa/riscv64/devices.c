// SPDX-License-Identifier: Apache-2.0
/* What is on the riscv64 machine's bus and how its wires run; the map is board.h. Built before the VM starts;
 * the console functions may run in any thread, with the devices' own locks. */
#include "hv/isa/riscv64/machine.h"
#include "drivers/virt/aclint.h"
#include "drivers/virt/goldfish_rtc.h"
#include "drivers/virt/ns16550.h"
#include "drivers/virt/plic.h"
#include "drivers/virt/sifive_test.h"
#include "drivers/virt/virtio_blk.h"
#include "drivers/virt/virtio_console.h"
#include "drivers/virt/virtio_mmio.h"
#include "drivers/virt/virtio_net.h"
#include "drivers/virt/virtio_rng.h"
#include "hv/isa/riscv64/state.h"

#define NS_PER_S 1000000000u

_Static_assert(RV_CLINT_BYTES == ACLINT_BYTES && RV_MAX_HARTS <= ACLINT_MAX_HARTS, "the CLINT");
_Static_assert(2 * RV_MAX_HARTS <= PLIC_MAX_CONTEXTS, "two PLIC contexts a hart");
_Static_assert(PLIC_BYTES(2 * RV_MAX_HARTS) <= RV_PLIC_BYTES, "the PLIC's window");
_Static_assert(RV_VIRTIO_BYTES >= VIRTIO_SLOT_BYTES && RV_UART_BYTES == NS16550_BYTES, "windows");

/* The bus takes the device, or it goes. */
static struct vm_error attach(struct rv_machine *m, struct vm_error made, const struct mmio_region *r)
{
    if (vm_failed(made)) return made;
    struct vm_error e = mmu_map_mmio(m->bus, r);
    if (vm_failed(e) && r->ops->destroy) r->ops->destroy(r->dev);
    return e;
}

static struct irq_line hart_line(struct rv_machine *m, unsigned hart, enum rv_irq irq)
{
    return (struct irq_line){ vcpu_set_pin, &m->vcpus[hart], irq };
}
static struct irq_line source_line(struct rv_machine *m, uint32_t source)
{
    return plic_line(m->plic, source);
}

/* ---- the guest's clock, as the CLINT sees it ---- */
static uint64_t clock_ticks(void *ctx)                         { return guest_clock_ticks(ctx); }
static uint64_t clock_deadline_ns(void *ctx, uint64_t ticks)   { return guest_clock_deadline_ns(ctx, ticks); }
static void     clock_shift(void *ctx, uint64_t by_ticks)
{
    struct guest_clock *c = ctx;
    __atomic_fetch_sub(&c->offset_ns, by_ticks * (NS_PER_S / RV_TIMEBASE_HZ), __ATOMIC_ACQ_REL);
}

/* ---- the console: UART, SBI and virtio share one screen; keys go to the one the guest used last ---- */
static void uart_write(void *ctx, const char *text, size_t length)
{
    struct rv_machine *m = ctx;
    __atomic_store_n(&m->keys_go_to_virtio, false, __ATOMIC_RELAXED);
    m->host.console_write(m->host.vm, text, length);
}
static void virtio_write(void *ctx, const char *text, size_t length)
{
    struct rv_machine *m = ctx;
    __atomic_store_n(&m->keys_go_to_virtio, true, __ATOMIC_RELAXED);
    m->host.console_write(m->host.vm, text, length);
}
static bool is_virtio_console(struct rv_machine *m)
{
    return m->virtio_console && __atomic_load_n(&m->keys_go_to_virtio, __ATOMIC_RELAXED);
}
void rv_console_input(struct rv_machine *m, const char *text, size_t length)
{
    if (is_virtio_console(m)) (void)virtio_console_input(m->virtio_console, text, length);
    else (void)ns16550_input(m->uart, text, length);
}
size_t rv_console_room(struct rv_machine *m)
{
    return is_virtio_console(m) ? virtio_console_room(m->virtio_console) : ns16550_room(m->uart);
}
size_t rv_console_read(void *machine, char *out, size_t cap_bytes)
{
    struct rv_machine *m = machine;
    __atomic_store_n(&m->keys_go_to_virtio, false, __ATOMIC_RELAXED);
    return ns16550_take(m->uart, out, cap_bytes);
}

static void test_power_off(void *ctx, uint32_t code)
{
    struct rv_machine *m = ctx;
    m->host.power(m->host.vm, POWER_OFF, code);
}
static void test_reboot(void *ctx)
{
    struct rv_machine *m = ctx;
    m->host.power(m->host.vm, POWER_REBOOT, 0);
}

/* ---- building: interrupt chips first, since the others' wires end there ---- */
static struct vm_error make_plic(struct rv_machine *m)
{
    struct irq_line out[2 * RV_MAX_HARTS];
    struct mmio_region r;
    unsigned harts = m->config.vcpu_count;
    for (unsigned h = 0; h < harts; h++) {
        out[2 * h] = hart_line(m, h, RV_IRQ_MEI);
        out[2 * h + 1] = hart_line(m, h, RV_IRQ_SEI);
    }
    const struct plic_config c = { { RV_PLIC_BASE }, RV_PLIC_BYTES, RV_PLIC_SOURCES + 1, 2 * harts, out };
    struct vm_error e = attach(m, plic_create(&c, &r), &r);
    if (!vm_failed(e)) m->plic = r.dev;
    return e;
}

static struct vm_error make_clint(struct rv_machine *m)
{
    struct irq_line software[RV_MAX_HARTS], timer[RV_MAX_HARTS];
    struct mmio_region r;
    unsigned harts = m->config.vcpu_count;
    for (unsigned h = 0; h < harts; h++) {
        software[h] = hart_line(m, h, RV_IRQ_MSI);
        timer[h] = hart_line(m, h, RV_IRQ_MTI);
    }
    const struct aclint_config c = { .base = { RV_CLINT_BASE }, .hart_count = harts,
                                     .software = software, .timer = timer,
                                     .clock = { m->clock, clock_ticks, clock_deadline_ns, clock_shift } };
    return attach(m, aclint_create(&c, &r), &r);
}

static struct vm_error make_small(struct rv_machine *m)
{
    struct mmio_region r;
    const struct sifive_test_config test = { { RV_TEST_BASE }, m, test_power_off, test_reboot };
    struct vm_error e = attach(m, sifive_test_create(&test, &r), &r);
    if (vm_failed(e)) return e;
    struct irq_line rtc = source_line(m, RV_RTC_IRQ);
    e = attach(m, goldfish_rtc_create(guest_phys_addr_make(RV_RTC_BASE), rtc, m->host.wall_time_s, &r), &r);
    if (vm_failed(e)) return e;
    const struct ns16550_config uart = { { RV_UART_BASE }, source_line(m, RV_UART_IRQ), m, uart_write };
    e = attach(m, ns16550_create(&uart, &r), &r);
    if (!vm_failed(e)) m->uart = r.dev;
    return e;
}

/* Disks from slot 0 upwards, network cards behind them; entropy in the last slot and the console before it, where they leave room. */
enum { CONSOLE_SLOT = RV_VIRTIO_SLOTS - 2, RNG_SLOT = RV_VIRTIO_SLOTS - 1 };

static struct vm_error make_slot(struct rv_machine *m, unsigned n)
{
    const struct virtio_slot s = { .base = { RV_VIRTIO_BASE + (uint64_t)n * RV_VIRTIO_BYTES }, .gmem = m->gmem,
                                   .irq = source_line(m, RV_VIRTIO_IRQ + n) };
    struct mmio_region r;
    if (n < m->config.disk_count) return attach(m, virtio_blk_create(&s, m->config.disk[n], &r), &r);
    if (n < m->config.disk_count + m->config.nic_count) {
        const struct machine_nic *nic = &m->config.nic[n - m->config.disk_count];
        return attach(m, virtio_net_create(&s, nic->port, nic->pairs, &r), &r);
    }
    if (n == RNG_SLOT && m->host.random) {
        struct vm_error e = virtio_rng_create(&s, m->host.random, &r);
        if (!vm_failed(e)) return attach(m, e, &r);
        if (e.kind != VM_DEVICE_INIT_FAILED) return e;      /* without entropy the slot stays empty */
    }
    if (n == CONSOLE_SLOT) {
        struct vm_error e = attach(m, virtio_console_create(&s, m, virtio_write, &r), &r);
        if (!vm_failed(e)) m->virtio_console = r.dev;
        return e;
    }
    virtio_mmio_empty(&s, &r);
    return attach(m, VM_SUCCESS, &r);
}

struct vm_error rv_devices_create(struct rv_machine *m)
{
    struct vm_error e = make_plic(m);
    if (!vm_failed(e)) e = make_clint(m);
    if (!vm_failed(e)) e = make_small(m);
    for (unsigned n = 0; !vm_failed(e) && n < RV_VIRTIO_SLOTS; n++) e = make_slot(m, n);
    return e;
}

// SPDX-License-Identifier: Apache-2.0
/* What is on the arm64 machine's bus and how its wires run; the map is board.h. Built before the VM starts; the console functions
 * may run in any thread, with the devices' own locks. */
#include "hv/isa/arm64/machine.h"
#include "drivers/virt/erased_flash.h"
#include "drivers/virt/pl011.h"
#include "drivers/virt/pl031.h"
#include "drivers/virt/virtio_blk.h"
#include "drivers/virt/virtio_console.h"
#include "drivers/virt/virtio_mmio.h"
#include "drivers/virt/virtio_net.h"
#include "drivers/virt/virtio_rng.h"
#include "hv/core/percpu.h"

_Static_assert(ARM64_VIRTIO_BYTES == VIRTIO_SLOT_BYTES, "windows");
_Static_assert(ARM64_MAX_VCPUS <= GIC_MAX_CPUS && ARM64_VIRTIO_IRQ + ARM64_VIRTIO_SLOTS <= GIC_SPIS, "the GIC");
_Static_assert(ARM64_GICR_BASE + (uint64_t)GICR_BYTES * ARM64_MAX_VCPUS <= ARM64_UART_BASE, "the redistributors' window");

/* The bus takes the device, or it goes. */
static struct vm_error attach(struct arm64_machine *m, struct vm_error made, const struct mmio_region *r)
{
    if (vm_failed(made)) return made;
    struct vm_error e = mmu_map_mmio(m->bus, r);
    if (vm_failed(e) && r->ops->destroy) r->ops->destroy(r->dev);
    return e;
}

static struct irq_line spi_line(struct arm64_machine *m, uint32_t spi) { return (struct irq_line){ gic_set_spi, m->gic, GIC_PRIVATE + spi }; }

/* ---- the interrupt controller ---- */
static void notify(void *ctx, unsigned cpu)
{
    struct arm64_machine *m = ctx;
    vcpu_ask(&m->vcpus[cpu], VCPU_REQUEST_IRQ);
}

/* The vCPU that this core runs; others who look (a debugger) see the first one's registers. */
static unsigned accessor(void *ctx)
{
    struct arm64_machine *m = ctx;
    const uint32_t *request = percpu()->preempt;
    for (unsigned i = 0; i < m->config.vcpu_count; i++) {
        if (&m->vcpus[i].request == request) return i;
    }
    return 0;
}

static struct vm_error make_gic(struct arm64_machine *m)
{
    const struct gic_config c = { .version = m->gic_version, .cpu_count = m->config.vcpu_count, .ctx = m, .notify = notify, .accessor = accessor,
                                  .mpidr = arm64_mpidr };
    struct vm_error e = gic_create(&c, &m->gic);
    if (vm_failed(e)) return e;
    struct mmio_region d = gic_distributor(m->gic, guest_phys_addr_make(ARM64_GICD_BASE));
    e = attach(m, e, &d);
    if (vm_failed(e) || m->gic_version == 2) return e;
    struct mmio_region r = gic_redistributors(m->gic, guest_phys_addr_make(ARM64_GICR_BASE));
    return attach(m, e, &r);
}

/* ---- the console: UART and virtio share one screen; keys go to the one the guest used last ---- */
static void uart_write(void *ctx, const char *text, size_t length)
{
    struct arm64_machine *m = ctx;
    __atomic_store_n(&m->keys_go_to_virtio, false, __ATOMIC_RELAXED);
    m->host.console_write(m->host.vm, text, length);
}
static void virtio_write(void *ctx, const char *text, size_t length)
{
    struct arm64_machine *m = ctx;
    __atomic_store_n(&m->keys_go_to_virtio, true, __ATOMIC_RELAXED);
    m->host.console_write(m->host.vm, text, length);
}
static bool is_virtio_console(struct arm64_machine *m) { return m->virtio_console && __atomic_load_n(&m->keys_go_to_virtio, __ATOMIC_RELAXED); }

void arm64_console_input(struct arm64_machine *m, const char *text, size_t length)
{
    if (is_virtio_console(m)) (void)virtio_console_input(m->virtio_console, text, length);
    else (void)pl011_input(m->uart, text, length);
}
size_t arm64_console_room(struct arm64_machine *m) { return is_virtio_console(m) ? virtio_console_room(m->virtio_console) : pl011_room(m->uart); }

/* ---- building ---- */
static struct vm_error make_small(struct arm64_machine *m)
{
    struct mmio_region r;
    const struct pl011_config uart = { { ARM64_UART_BASE }, spi_line(m, ARM64_UART_IRQ), m, uart_write };
    struct vm_error e = attach(m, pl011_create(&uart, &r), &r);
    if (vm_failed(e)) return e;
    m->uart = r.dev;
    r = erased_flash(guest_phys_addr_make(ARM64_ROM_BASE + m->layout.rom_bytes), ARM64_FLASH_BYTES - m->layout.rom_bytes);
    e = attach(m, e, &r);
    if (vm_failed(e)) return e;
    return attach(m, pl031_create(guest_phys_addr_make(ARM64_RTC_BASE), spi_line(m, ARM64_RTC_IRQ), m->host.wall_time_s, &r), &r);
}

/* Disks from slot 0 upwards, network cards behind them; entropy in the last slot and the console before it, where they leave room. */
enum { CONSOLE_SLOT = ARM64_VIRTIO_SLOTS - 2, RNG_SLOT = ARM64_VIRTIO_SLOTS - 1 };

static struct vm_error make_slot(struct arm64_machine *m, unsigned n)
{
    const struct virtio_slot s = { .base = { ARM64_VIRTIO_BASE + (uint64_t)n * ARM64_VIRTIO_BYTES }, .gmem = m->gmem, .irq = spi_line(m, ARM64_VIRTIO_IRQ + n) };
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

struct vm_error arm64_devices_create(struct arm64_machine *m)
{
    struct vm_error e = make_gic(m);
    if (!vm_failed(e)) e = make_small(m);
    for (unsigned n = 0; !vm_failed(e) && n < ARM64_VIRTIO_SLOTS; n++) e = make_slot(m, n);
    return e;
}

// SPDX-License-Identifier: Apache-2.0
/* What is on the x86_64 machine's bus and how its wires run; the map is board.h. Built before the VM starts; the console functions
 * may run in any thread, with the devices' own locks. */
#include "drivers/virt/cmos.h"
#include "drivers/virt/debugcon.h"
#include "drivers/virt/i8254.h"
#include "drivers/virt/i8259.h"
#include "drivers/virt/ioapic.h"
#include "drivers/virt/ns16550.h"
#include "drivers/virt/pc_power.h"
#include "drivers/virt/virtio_blk.h"
#include "drivers/virt/virtio_console.h"
#include "drivers/virt/virtio_mmio.h"
#include "drivers/virt/virtio_net.h"
#include "drivers/virt/virtio_rng.h"
#include "hv/isa/x86_64/machine.h"

_Static_assert(X86_MAX_CPUS <= LAPIC_MAX_CPUS && X86_VIRTIO_GSI + X86_VIRTIO_SLOTS <= IOAPIC_INPUTS, "interrupt chips");

/* The bus takes the device, or it goes. */
static struct vm_error attach(struct x86_machine *m, struct vm_error made, const struct mmio_region *r)
{
    if (vm_failed(made)) return made;
    struct vm_error e = mmu_map_mmio(m->bus, r);
    if (vm_failed(e) && r->ops->destroy) r->ops->destroy(r->dev);
    return e;
}

/* A device of several regions: the first of them owns it. */
static struct vm_error attach_all(struct x86_machine *m, struct vm_error made, const struct mmio_region *r, unsigned count)
{
    struct vm_error e = attach(m, made, &r[0]);
    for (unsigned i = 1; i < count && !vm_failed(e); i++) e = mmu_map_mmio(m->bus, &r[i]);
    return e;
}

/* ---- wires ---- */

/* An interrupt of the PC goes to both chips. */
static void set_isa(void *ctx, uint32_t irq, bool level)
{
    struct x86_machine *m = ctx;
    struct irq_line pic = i8259_line(m->pic, irq), apic = ioapic_line(m->ioapic, irq ? irq : X86_PIT_GSI);
    irq_line_set(&pic, level);
    irq_line_set(&apic, level);
}
static struct irq_line isa_line(struct x86_machine *m, uint32_t irq) { return (struct irq_line){ set_isa, m, irq }; }

static void send_message(void *ctx, const struct lapic_message *msg) { lapic_send(((struct x86_machine *)ctx)->lapic, msg); }
static void end_of_interrupt(void *ctx, uint8_t vector)
{
    struct x86_machine *m = ctx;
    if (m->ioapic) ioapic_end(m->ioapic, vector);
}

/* INIT stops a CPU where it is, a start-up IPI lets one go on that was stopped so; the boot CPU starts anew at once (SDM 9.4.3). The
 * vCPU's thread sets the registers. */
static void start_cpu(void *ctx, unsigned cpu, bool is_init, unsigned page)
{
    struct x86_machine *m = ctx;
    uint64_t bit = bit64(cpu);
    if (is_init) {
        lapic_init_cpu(m->lapic, cpu);
        if (cpu) __atomic_fetch_and(&m->started, ~bit, __ATOMIC_SEQ_CST);
        __atomic_store_n(&m->asked[cpu], X86_ASKED_INIT, __ATOMIC_SEQ_CST);
    } else {
        if (__atomic_load_n(&m->started, __ATOMIC_SEQ_CST) & bit) return;
        __atomic_fetch_or(&m->asked[cpu], X86_ASKED_START | page, __ATOMIC_SEQ_CST);
        __atomic_fetch_or(&m->started, bit, __ATOMIC_SEQ_CST);
    }
    vcpu_ask(&m->vcpus[cpu], VCPU_REQUEST_STOP);
}

/* ---- the guest's clock: in nanoseconds ---- */
static uint64_t clock_ns(void *ctx)                              { return guest_clock_ticks(((struct x86_machine *)ctx)->clock); }
static uint64_t clock_deadline_ns(void *ctx, uint64_t ns)        { return guest_clock_deadline_ns(((struct x86_machine *)ctx)->clock, ns); }

/* ---- the console: UART and virtio share one screen; keys go to the one the guest used last ---- */
static void uart_write(void *ctx, const char *text, size_t length)
{
    struct x86_machine *m = ctx;
    __atomic_store_n(&m->keys_go_to_virtio, false, __ATOMIC_RELAXED);
    m->host.console_write(m->host.vm, text, length);
}
static void virtio_write(void *ctx, const char *text, size_t length)
{
    struct x86_machine *m = ctx;
    __atomic_store_n(&m->keys_go_to_virtio, true, __ATOMIC_RELAXED);
    m->host.console_write(m->host.vm, text, length);
}
static bool is_virtio_console(struct x86_machine *m) { return m->virtio_console && __atomic_load_n(&m->keys_go_to_virtio, __ATOMIC_RELAXED); }
void x86_console_input(struct x86_machine *m, const char *text, size_t length)
{
    if (is_virtio_console(m)) (void)virtio_console_input(m->virtio_console, text, length);
    else (void)ns16550_input(m->uart, text, length);
}
size_t x86_console_room(struct x86_machine *m)
{
    return is_virtio_console(m) ? virtio_console_room(m->virtio_console) : ns16550_room(m->uart);
}

static void power_off(void *ctx)
{
    struct x86_machine *m = ctx;
    m->host.power(m->host.vm, POWER_OFF, 0);
}
static void reboot(void *ctx)
{
    struct x86_machine *m = ctx;
    m->host.power(m->host.vm, POWER_REBOOT, 0);
}

/* ---- building: interrupt chips first, since the others' wires end there ---- */
static struct vm_error make_interrupt_chips(struct x86_machine *m)
{
    struct irq_line news[X86_MAX_CPUS], nmi[X86_MAX_CPUS];
    struct mmio_region r[I8259_REGIONS];
    uint32_t multiple;
    for (unsigned i = 0; i < m->config.vcpu_count; i++) {
        news[i] = (struct irq_line){ vcpu_set_pin, &m->vcpus[i], X86_PIN_INTR };
        nmi[i] = (struct irq_line){ vcpu_set_pin, &m->vcpus[i], X86_PIN_NMI };
    }
    const struct lapic_config lapic = { .count = m->config.vcpu_count, .ctx = m, .now_ns = clock_ns, .deadline_ns = clock_deadline_ns,
                                        .timer_hz = x86_crystal_hz(m->tsc_hz, &multiple), .tsc_hz = m->tsc_hz, .news = news, .nmi = nmi,
                                        .start = start_cpu, .end_of_interrupt = end_of_interrupt };
    struct vm_error e = attach(m, lapic_create(&lapic, r), r);
    if (vm_failed(e)) return e;
    m->lapic = r->dev;
    const struct ioapic_config ioapic = { { IOAPIC_BASE }, 0, m, send_message };
    e = attach(m, ioapic_create(&ioapic, r), r);
    if (vm_failed(e)) return e;
    m->ioapic = r->dev;
    const struct i8259_config pic = { X86_PORTS, { vcpu_set_pin, &m->vcpus[0], X86_PIN_EXTERNAL } };
    e = attach_all(m, i8259_create(&pic, r), r, I8259_REGIONS);
    if (!vm_failed(e)) m->pic = r->dev;
    return e;
}

static struct vm_error make_small(struct x86_machine *m)
{
    struct mmio_region r[PC_POWER_REGIONS];
    const struct i8254_config pit = { X86_PORTS, isa_line(m, 0), m, clock_ns, clock_deadline_ns };
    struct vm_error e = attach_all(m, i8254_create(&pit, r), r, I8254_REGIONS);
    if (vm_failed(e)) return e;
    const struct cmos_config cmos = { X86_PORTS, isa_line(m, X86_RTC_IRQ), m->host.wall_time_s, m->config.memory_size, m->config.vcpu_count };
    e = attach(m, cmos_create(&cmos, r), r);
    if (vm_failed(e)) return e;
    const struct pc_power_config power = { { X86_POWER_BASE }, X86_PORTS, m, power_off, reboot };
    e = attach_all(m, pc_power_create(&power, r), r, PC_POWER_REGIONS);
    if (vm_failed(e)) return e;
    const struct ns16550_config uart = { { X86_PORTS + X86_COM1_PORT }, isa_line(m, X86_COM1_IRQ), m, uart_write };
    struct vm_error made = ns16550_create(&uart, r);
    r->size_bytes = 8;
    r->max_access_bytes = 1;
    e = attach(m, made, r);
    if (vm_failed(e)) return e;
    m->uart = r->dev;
    if (!m->config.firmware.size_bytes) return VM_SUCCESS;
    const struct debugcon_config debugcon = { { X86_PORTS + X86_DEBUGCON_PORT }, m, uart_write };
    return attach(m, debugcon_create(&debugcon, r), r);
}

/* Disks from slot 0 upwards, network cards behind them; entropy in the last slot and the console before it, where they leave room. */
enum { CONSOLE_SLOT = X86_VIRTIO_SLOTS - 2, RNG_SLOT = X86_VIRTIO_SLOTS - 1 };

static struct vm_error attach_slot(struct x86_machine *m, struct vm_error made, struct mmio_region *r)
{
    if (!vm_failed(made)) r->size_bytes = X86_VIRTIO_BYTES;
    return attach(m, made, r);
}

static struct vm_error make_slot(struct x86_machine *m, unsigned n)
{
    const struct virtio_slot s = { .base = { X86_VIRTIO_BASE + (uint64_t)n * X86_VIRTIO_BYTES }, .gmem = m->gmem,
                                   .irq = ioapic_line(m->ioapic, X86_VIRTIO_GSI + n) };
    struct mmio_region r;
    if (n < m->config.disk_count) return attach_slot(m, virtio_blk_create(&s, m->config.disk[n], &r), &r);
    if (n < m->config.disk_count + m->config.nic_count) {
        const struct machine_nic *nic = &m->config.nic[n - m->config.disk_count];
        return attach_slot(m, virtio_net_create(&s, nic->port, nic->pairs, &r), &r);
    }
    if (n == RNG_SLOT && m->host.random) {
        struct vm_error e = virtio_rng_create(&s, m->host.random, &r);
        if (!vm_failed(e)) return attach_slot(m, e, &r);
        if (e.kind != VM_DEVICE_INIT_FAILED) return e;      /* without entropy the slot stays empty */
    }
    if (n == CONSOLE_SLOT) {
        struct vm_error e = attach_slot(m, virtio_console_create(&s, m, virtio_write, &r), &r);
        if (!vm_failed(e)) m->virtio_console = r.dev;
        return e;
    }
    virtio_mmio_empty(&s, &r);
    return attach_slot(m, VM_SUCCESS, &r);
}

struct vm_error x86_devices_create(struct x86_machine *m)
{
    struct vm_error e = make_interrupt_chips(m);
    if (!vm_failed(e)) e = make_small(m);
    for (unsigned n = 0; !vm_failed(e) && n < X86_VIRTIO_SLOTS; n++) e = make_slot(m, n);
    return e;
}

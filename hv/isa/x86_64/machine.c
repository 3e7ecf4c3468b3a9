// SPDX-License-Identifier: Apache-2.0
/* The x86_64 guest machine, with the map of QEMU's `microvm` (board.h). It runs by hardware virtualization alone. Three ways in: a
 * kernel by the protocol its file asks for (Linux's 64-bit one, PVH, multiboot), or firmware at the reset vector. Owned by the VM; made,
 * reset and destroyed while none of its vCPUs runs. The configuration's blobs and texts must outlive it. docs/x86_64-machine.md. */
#include "hv/isa/x86_64/machine.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

#define MIN_MEMORY        MIB(4)
#define MAX_MEMORY        GIB(512)
#define MAX_CMDLINE_BYTES 2048
#define NS_PER_S          1000000000u

static struct vm_error refuse(const char *why) { return vm_error_because(VM_CORE_INVALID_CONFIG, why); }

static struct vm_error check(const struct machine_config *c)
{
    struct x86_layout layout;
    if (c->memory_size < MIN_MEMORY || c->memory_size > MAX_MEMORY) return refuse("memory: an x86_64 machine has 4M to 512G");
    if (c->memory_size % HV_PAGE_BYTES) return refuse("memory: not a whole number of 4 KiB pages");
    if (!c->vcpu_count || c->vcpu_count > X86_MAX_CPUS) return refuse("vcpus: an x86_64 machine has 1 to 64");
    if (c->disk_count + c->nic_count > X86_VIRTIO_SLOTS) return refuse("disk, net: an x86_64 machine has 8 slots");
    if (c->option_count) return refuse("unknown machine option; an x86_64 machine has none");
    if (c->cmdline && strnlen(c->cmdline, MAX_CMDLINE_BYTES) == MAX_CMDLINE_BYTES) return refuse("cmdline: longer than 2047 bytes");
    return x86_layout_make(c, &layout);
}

uint64_t x86_crystal_hz(uint64_t tsc_hz, uint32_t *multiple)
{
    *multiple = (uint32_t)(tsc_hz / 3000000000u) + 1;
    return tsc_hz / *multiple;
}

static struct vm_error add_memory(struct x86_machine *m)
{
    uint64_t size = m->config.memory_size, low = size < X86_LOW_RAM_END ? size : X86_LOW_RAM_END, rom = m->config.firmware.size_bytes;
    struct vm_error e = gmem_add(m->gmem, guest_phys_addr_make(0), low, GMEM_RAM);
    if (!vm_failed(e) && size > low) e = gmem_add(m->gmem, guest_phys_addr_make(X86_HIGH_RAM_BASE), size - low, GMEM_RAM);
    if (!vm_failed(e) && rom) e = gmem_add(m->gmem, guest_phys_addr_make(GIB(4) - rom), rom, GMEM_ROM);
    return e;
}

static struct vm_error create(const struct machine_config *c, const struct machine_host *host, struct gmem *gmem, struct mmio_bus *bus,
                              struct vcpu *vcpus, struct guest_clock *clock, void **out)
{
    struct vm_error e = check(c);
    if (vm_failed(e)) return e;
    struct x86_machine *m = heap_alloc(sizeof *m);
    if (!m) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a machine");
    m->config = *c;
    m->host = *host;
    m->gmem = gmem;
    m->bus = bus;
    m->vcpus = vcpus;
    m->clock = clock;
    clock->frequency_hz = NS_PER_S;
    m->tsc_hz = hw_support()->counter_hz ? hw_support()->counter_hz : NS_PER_S;
    e = x86_layout_make(c, &m->layout);
    if (!vm_failed(e)) e = add_memory(m);
    if (!vm_failed(e)) e = x86_devices_create(m);
    if (vm_failed(e)) {
        heap_free(m);
        return e;
    }
    for (unsigned i = 0; i < c->vcpu_count; i++) vcpus[i].machine = m;
    *out = m;
    return VM_SUCCESS;
}

static struct vm_error reset(void *machine)
{
    struct x86_machine *m = machine;
    mmio_reset(m->bus);
    __atomic_store_n(&m->keys_go_to_virtio, false, __ATOMIC_RELAXED);
    __atomic_store_n(&m->started, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < m->config.vcpu_count; i++) {
        struct vcpu *v = &m->vcpus[i];
        __atomic_store_n(&m->asked[i], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&v->fence_pending, 0, __ATOMIC_RELAXED);
        x86_reset(v);
        mmu_flush_tlb(&v->mmu);
        if (v->engine) v->engine->forget_code(v, guest_phys_addr_make(0), UINT64_MAX);      /* the images are written anew */
    }
    return x86_boot(m);
}

static bool is_started(void *machine, unsigned vcpu)
{
    const struct x86_machine *m = machine;
    return __atomic_load_n(&m->started, __ATOMIC_SEQ_CST) >> vcpu & 1;
}

/* Hypercalls are answered where they are met (exit.c). */
static void        hypercall(void *machine, struct vcpu *v)   { (void)machine, (void)v; }
static unsigned    hypercall_kind(const struct vcpu *v)       { (void)v; return 0; }
static const char *hypercall_name(unsigned kind)              { (void)kind; return NULL; }
static void        console_input(void *machine, const char *text, size_t length) { x86_console_input(machine, text, length); }
static size_t      console_room(void *machine)                { return x86_console_room(machine); }
static void        destroy(void *machine)                     { heap_free(machine); }

const struct machine_ops X86_64_MICROVM = {
    .arch = GUEST_X86_64,
    .name = "microvm",
    .isa = &X86_64_ISA,
    .check = check,
    .create = create,
    .reset = reset,
    .is_started = is_started,
    .hypercall = hypercall,
    .hypercall_kind = hypercall_kind,
    .hypercall_name = hypercall_name,
    .console_input = console_input,
    .console_room = console_room,
    .destroy = destroy,
};

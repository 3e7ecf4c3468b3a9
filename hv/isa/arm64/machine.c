// SPDX-License-Identifier: Apache-2.0
/* The arm64 guest machine, with the map of QEMU's `virt` (board.h). Two ways in: a kernel at EL1 with PSCI by HVC, or firmware in
 * the ROM at 0, which finds the device tree at the start of RAM; with neither the vCPU starts at RAM's start in whatever the owner
 * has put there. Owned by the VM; made, reset and destroyed while none of its vCPUs runs. docs/arm64-machine.md; Linux
 * Documentation/arm64/booting. */
#include "hv/isa/arm64/machine.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

#define MIN_MEMORY        MIB(4)
#define MAX_MEMORY        GIB(255)              /* RAM ends below QEMU's high devices */
#define DTB_TOP           MIB(512)              /* of RAM: kernels map the tree early, within reach of their start */
#define MAX_CMDLINE_BYTES 4096

static struct vm_error refuse(const char *why) { return vm_error_because(VM_CORE_INVALID_CONFIG, why); }

/* ---- layout: images from the bottom, device tree and initrd at the top ---- */
static struct vm_error place_firmware(const struct machine_config *c, struct arm64_layout *l)
{
    struct vm_error e = image_parse(&c->firmware, GUEST_ARM64, &l->firmware);
    if (vm_failed(e)) return e;
    if (l->firmware.format == IMAGE_LINUX) return refuse("firmware: this is a Linux kernel: give it as kernel");
    image_place(&l->firmware, ARM64_ROM_BASE);
    if (!image_fits(&l->firmware, ARM64_ROM_BASE, ARM64_ROM_BASE + ARM64_ROM_BYTES)) return refuse("firmware: does not fit into the 64 MiB of ROM at 0");
    uint64_t from, end;
    image_extent(&l->firmware, &from, &end);
    l->rom_bytes = align_up(end, HV_PAGE_BYTES);
    return VM_SUCCESS;
}

static struct vm_error place_kernel(const struct machine_config *c, uint64_t ram_end, struct image *out)
{
    struct vm_error e = image_parse(&c->kernel, GUEST_ARM64, out);
    if (vm_failed(e)) return e;
    image_place(out, ARM64_RAM_BASE + (out->format == IMAGE_RAW ? 0x80000 : 0));
    return image_fits(out, ARM64_RAM_BASE, ram_end) ? VM_SUCCESS : refuse("kernel: does not fit into the guest's memory");
}

struct vm_error arm64_layout_make(const struct machine_config *c, struct arm64_layout *out)
{
    *out = (struct arm64_layout){ .has_firmware = c->firmware.size_bytes != 0, .has_kernel = c->kernel.size_bytes != 0 };
    uint64_t ram_end = ARM64_RAM_BASE + c->memory_size;
    struct vm_error e = VM_SUCCESS;
    if (out->has_firmware) e = place_firmware(c, out);
    if (!vm_failed(e) && out->has_kernel) e = place_kernel(c, ram_end, &out->kernel);
    if (vm_failed(e)) return e;

    uint64_t top = c->memory_size < DTB_TOP ? ram_end : ARM64_RAM_BASE + DTB_TOP;
    out->dtb_at = out->has_firmware ? ARM64_RAM_BASE : align_down(top - ARM64_DTB_BYTES, MIB(2));
    out->initrd_from = out->initrd_end = out->has_firmware ? top : out->dtb_at;
    if (c->initrd.size_bytes) {
        if (c->initrd.size_bytes > out->initrd_end - ARM64_RAM_BASE) return refuse("initrd: does not fit into the guest's memory");
        out->initrd_from = align_down(out->initrd_end - c->initrd.size_bytes, HV_PAGE_BYTES);
        out->initrd_end = out->initrd_from + c->initrd.size_bytes;
    }
    bool is_crowded = out->has_kernel && (image_overlaps(&out->kernel, out->initrd_from, out->initrd_end)
                                          || image_overlaps(&out->kernel, out->dtb_at, out->dtb_at + ARM64_DTB_BYTES));
    return is_crowded ? refuse("kernel, device tree and initrd together need more memory") : VM_SUCCESS;
}

/* ---- options ---- */
static struct vm_error parse_options(const struct machine_config *c, unsigned *gic_version)
{
    unsigned host = hw_support()->arm64 ? hw_support()->arm64->gic_version : 3;
    *gic_version = host;
    for (unsigned i = 0; i < c->option_count; i++) {
        if (!strcmp(c->options[i], "gic=2")) *gic_version = 2;
        else if (!strcmp(c->options[i], "gic=3")) *gic_version = 3;
        else return refuse("unknown machine option; there are gic=2, gic=3");
    }
    return *gic_version == host ? VM_SUCCESS : refuse("gic: on hardware a guest has the version of the host's GIC");
}

static struct vm_error check(const struct machine_config *c)
{
    struct arm64_layout layout;
    unsigned gic_version;
    if (c->memory_size < MIN_MEMORY || c->memory_size > MAX_MEMORY) return refuse("memory: an arm64 machine has 4M to 255G");
    if (c->memory_size % HV_PAGE_BYTES) return refuse("memory: not a whole number of 4 KiB pages");
    if (!c->vcpu_count || c->vcpu_count > ARM64_MAX_VCPUS) return refuse("vcpus: an arm64 machine has 1 to 64");
    if (c->disk_count + c->nic_count > ARM64_VIRTIO_SLOTS) return refuse("disk, net: an arm64 machine has 8 slots");
    if (c->cmdline && strnlen(c->cmdline, MAX_CMDLINE_BYTES) == MAX_CMDLINE_BYTES) return refuse("cmdline: longer than 4095 bytes");
    struct vm_error e = parse_options(c, &gic_version);
    if (!vm_failed(e) && gic_version == 2 && c->vcpu_count > GIC_V2_CPUS) e = refuse("vcpus: with a GICv2 an arm64 machine has 1 to 8");
    return vm_failed(e) ? e : arm64_layout_make(c, &layout);
}

/* ---- life ---- */
static struct vm_error create(const struct machine_config *c, const struct machine_host *host, struct gmem *gmem, struct mmio_bus *bus,
                              struct vcpu *vcpus, struct guest_clock *clock, void **out)
{
    struct vm_error e = check(c);
    if (vm_failed(e)) return e;
    struct arm64_machine *m = heap_alloc(sizeof *m);
    if (!m) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a machine");
    m->config = *c;
    m->host = *host;
    m->gmem = gmem;
    m->bus = bus;
    m->vcpus = vcpus;
    m->clock = clock;
    m->psci = (struct psci){ .host = &m->host, .gmem = gmem, .vcpus = vcpus, .count = c->vcpu_count };
    m->lr_count = hw_support()->arm64 ? hw_support()->arm64->lr_count : 0;
    if (hw_support()->counter_hz) clock->frequency_hz = hw_support()->counter_hz;
    e = parse_options(c, &m->gic_version);
    if (!vm_failed(e)) e = arm64_layout_make(c, &m->layout);
    if (!vm_failed(e)) e = gmem_add(gmem, guest_phys_addr_make(ARM64_RAM_BASE), c->memory_size, GMEM_RAM);
    if (!vm_failed(e) && m->layout.rom_bytes) e = gmem_add(gmem, guest_phys_addr_make(ARM64_ROM_BASE), m->layout.rom_bytes, GMEM_ROM);
    if (!vm_failed(e)) e = arm64_devices_create(m);
    if (vm_failed(e)) {
        heap_free(m);
        return e;
    }
    for (unsigned i = 0; i < c->vcpu_count; i++) vcpus[i].machine = m;
    *out = m;
    return VM_SUCCESS;
}

static struct vm_error load_dtb(struct arm64_machine *m)
{
    struct arm64_fdt d = { .memory_size = m->config.memory_size, .vcpu_count = m->config.vcpu_count, .gic_version = m->gic_version,
                           .cmdline = m->config.cmdline ? m->config.cmdline : "", .initrd_from = m->layout.initrd_from, .initrd_end = m->layout.initrd_end };
    size_t size = 0;
    d.has_seed = m->host.random && m->host.random(d.seed, sizeof d.seed);
    if (!arm64_fdt_make(m->dtb, sizeof m->dtb, &d, &size)) return vm_error_because(VM_CORE_INTERNAL, "the device tree does not fit");
    return gmem_load(m->gmem, guest_phys_addr_make(m->layout.dtb_at), m->dtb, size);
}

static struct vm_error load_all(struct arm64_machine *m)
{
    const struct arm64_layout *l = &m->layout;
    struct vm_error e = VM_SUCCESS;
    if (l->has_firmware) e = image_load(&l->firmware, m->gmem);
    if (!vm_failed(e) && l->has_kernel) e = image_load(&l->kernel, m->gmem);
    if (!vm_failed(e) && l->initrd_end > l->initrd_from)
        e = gmem_load(m->gmem, guest_phys_addr_make(l->initrd_from), m->config.initrd.data, m->config.initrd.size_bytes);
    return vm_failed(e) ? e : load_dtb(m);
}

/* GICv2: what the guest takes for its CPU interface is the host's virtual one. */
static struct vm_error give_cpu_interface(struct arm64_machine *m)
{
    const struct hw_arm64 *hw = hw_support()->arm64;
    if (!hw || m->gic_version != 2 || m->vcpus[0].engine->mode != EXEC_HARDWARE) return VM_SUCCESS;
    return hw->map_gicv(m->vcpus[0].engine_vm, ARM64_GICC_BASE) ? VM_SUCCESS : vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for stage-2 tables");
}

static struct vm_error reset(void *machine)
{
    struct arm64_machine *m = machine;
    const struct arm64_layout *l = &m->layout;
    uint64_t entry = l->has_firmware ? l->firmware.entry : l->has_kernel ? l->kernel.entry : ARM64_RAM_BASE;
    mmio_reset(m->bus);
    __atomic_store_n(&m->keys_go_to_virtio, false, __ATOMIC_RELAXED);
    struct vm_error e = load_all(m);
    if (vm_failed(e)) return e;
    for (unsigned i = 0; i < m->config.vcpu_count; i++) {
        struct vcpu *v = &m->vcpus[i];
        __atomic_store_n(&v->fence_pending, 0, __ATOMIC_RELAXED);
        arm64_set_boot(v, entry, l->has_firmware ? 0 : l->dtb_at);
        /* the images were written anew */
        if (v->engine) v->engine->forget_code(v, guest_phys_addr_make(0), UINT64_MAX);
    }
    psci_reset(&m->psci);
    return give_cpu_interface(m);
}

static bool is_started(void *machine, unsigned vcpu) { return psci_is_on(&((const struct arm64_machine *)machine)->psci, vcpu); }

static void hypercall(void *machine, struct vcpu *v)
{
    struct arm64_machine *m = machine;
    v->hypercall = 0;                       /* before the call: a vCPU that goes off is not ours behind it */
    psci_call(&m->psci, v);
}

static void   console_input(void *machine, const char *text, size_t length) { arm64_console_input(machine, text, length); }
static size_t console_room(void *machine) { return arm64_console_room(machine); }
static void   destroy(void *machine)      { heap_free(machine); }

const struct machine_ops ARM64_VIRT = {
    .arch           = GUEST_ARM64,
    .name           = "virt",
    .isa            = &ARM64_ISA,
    .check          = check,
    .create         = create,
    .reset          = reset,
    .is_started     = is_started,
    .hypercall      = hypercall,
    .hypercall_kind = psci_kind,
    .hypercall_name = psci_kind_name,
    .console_input  = console_input,
    .console_room   = console_room,
    .destroy        = destroy,
};

// SPDX-License-Identifier: Apache-2.0
/* The riscv64 guest machine, with the map of QEMU's `virt` (board.h). Two ways in: a kernel in S-mode above our
 * own SBI, or firmware in M-mode at the start of RAM; with neither the harts start there all the same, in whatever
 * the owner has put into RAM. Owned by the VM; made, reset and destroyed while none of its vCPUs runs. The
 * configuration's blobs and texts must outlive it.
 * docs/riscv64-machine.md; Linux Documentation/riscv/boot; OpenSBI docs/firmware/fw_dynamic. */
#include "hv/isa/riscv64/machine.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/isa/riscv64/state.h"

#define MIN_MEMORY        MIB(4)
#define MAX_MEMORY        GIB(1024)             /* far below the end of Sv39's physical space */
#define DTB_TOP           GIB(1)                /* of RAM: firmware may use 32-bit addresses */
#define MAX_CMDLINE_BYTES 4096
#define BOOT_INFO_BYTES   48

static struct vm_error refuse(const char *why) { return vm_error_because(VM_CORE_INVALID_CONFIG, why); }

/* ---- options ---- */
#define OPTIONS_KNOWN "unknown machine option; there are ad=svade|svadu, sstc=on|off, mmu=sv39|sv48|sv57"
static void set_svade(struct rv_options *o)    { o->has_svadu = false; }
static void set_svadu(struct rv_options *o)    { o->has_svadu = true; }
static void set_sstc(struct rv_options *o)     { o->has_sstc = true; }
static void set_no_sstc(struct rv_options *o)  { o->has_sstc = false; }
static void set_sv39(struct rv_options *o)     { o->satp_mode = RV_SV39; }
static void set_sv48(struct rv_options *o)     { o->satp_mode = RV_SV48; }
static void set_sv57(struct rv_options *o)     { o->satp_mode = RV_SV57; }
static const struct { const char *word; void (*set)(struct rv_options *o); } option_words[] = {
    { "ad=svade", set_svade }, { "ad=svadu", set_svadu },
    { "sstc=on",  set_sstc },  { "sstc=off", set_no_sstc },
    { "mmu=sv39", set_sv39 },  { "mmu=sv48", set_sv48 },    { "mmu=sv57", set_sv57 },
};

struct vm_error rv_options_parse(const struct machine_config *c, struct rv_options *out)
{
    *out = (struct rv_options){ .has_svadu = true, .has_sstc = true, .satp_mode = RV_SV57 };
    for (unsigned i = 0; i < c->option_count; i++) {
        unsigned w = 0;
        while (w < ARRAY_COUNT(option_words) && strcmp(option_words[w].word, c->options[i])) w++;
        if (w == ARRAY_COUNT(option_words)) return refuse(OPTIONS_KNOWN);
        option_words[w].set(out);
    }
    return VM_SUCCESS;
}

/* ---- layout: images from the bottom, device tree and initrd at the top ---- */
static struct vm_error place_firmware(const struct machine_config *c, uint64_t ram_end, struct image *out)
{
    struct vm_error e = image_parse(&c->firmware, GUEST_RISCV64, out);
    if (vm_failed(e)) return e;
    if (out->format == IMAGE_LINUX)
        return refuse("firmware: this is a Linux kernel, which wants S-mode: give it as kernel");
    image_place(out, RV_RAM_BASE);
    return image_fits(out, RV_RAM_BASE, ram_end) ? VM_SUCCESS : refuse("firmware: does not fit into the guest's memory");
}
/* A Linux Image knows its offset in RAM; but firmware jumps to where such firmware always jumps. */
static struct vm_error place_kernel(const struct machine_config *c, uint64_t ram_end, bool has_firmware, struct image *out)
{
    struct vm_error e = image_parse(&c->kernel, GUEST_RISCV64, out);
    if (vm_failed(e)) return e;
    bool has_offset = out->format == IMAGE_LINUX && !has_firmware;
    image_place(out, has_offset ? RV_RAM_BASE : RV_KERNEL_BASE - out->text_offset);
    return image_fits(out, RV_RAM_BASE, ram_end) ? VM_SUCCESS : refuse("kernel: does not fit into the guest's memory");
}
static bool images_overlap(const struct image *a, const struct image *b)
{
    for (unsigned n = 0; n < a->segment_count; n++) {
        const struct image_segment *s = &a->segment[n];
        if (image_overlaps(b, s->at, s->at + s->memory_bytes)) return true;
    }
    return false;
}
static struct vm_error place_images(const struct machine_config *c, uint64_t ram_end, struct rv_layout *l)
{
    struct vm_error e = VM_SUCCESS;
    l->has_firmware = c->firmware.size_bytes != 0;
    l->has_kernel = c->kernel.size_bytes != 0;
    if (l->has_firmware) e = place_firmware(c, ram_end, &l->firmware);
    if (!vm_failed(e) && l->has_kernel) e = place_kernel(c, ram_end, l->has_firmware, &l->kernel);
    if (vm_failed(e)) return e;
    if (l->has_firmware && l->has_kernel && images_overlap(&l->kernel, &l->firmware))
        return refuse("kernel and firmware want the same memory");
    return VM_SUCCESS;
}

struct vm_error rv_layout_make(const struct machine_config *c, struct rv_layout *out)
{
    *out = (struct rv_layout){ .has_kernel = false };
    uint64_t ram_end = RV_RAM_BASE + c->memory_size;
    struct vm_error e = place_images(c, ram_end, out);
    if (vm_failed(e)) return e;

    uint64_t top = c->memory_size < DTB_TOP ? ram_end : RV_RAM_BASE + DTB_TOP;
    out->dtb_at = align_down(top - RV_DTB_BYTES, MIB(2));
    out->boot_info_at = out->dtb_at - HV_PAGE_BYTES;
    out->initrd_from = out->initrd_end = out->boot_info_at;
    if (c->initrd.size_bytes) {
        if (c->initrd.size_bytes > out->boot_info_at - RV_RAM_BASE)
            return refuse("initrd: does not fit into the guest's memory");
        out->initrd_from = align_down(out->boot_info_at - c->initrd.size_bytes, HV_PAGE_BYTES);
        out->initrd_end = out->initrd_from + c->initrd.size_bytes;
    }
    uint64_t used_end = out->dtb_at + RV_DTB_BYTES;
    if ((out->has_kernel && image_overlaps(&out->kernel, out->initrd_from, used_end)) ||
        (out->has_firmware && image_overlaps(&out->firmware, out->initrd_from, used_end)))
        return refuse("kernel, firmware and initrd together need more memory");
    return VM_SUCCESS;
}

static struct vm_error check(const struct machine_config *c)
{
    struct rv_options options;
    struct rv_layout layout;
    if (c->memory_size < MIN_MEMORY || c->memory_size > MAX_MEMORY)
        return refuse("memory: a riscv64 machine has 4M to 1024G");
    if (c->memory_size % HV_PAGE_BYTES) return refuse("memory: not a whole number of 4 KiB pages");
    if (!c->vcpu_count || c->vcpu_count > RV_MAX_HARTS) return refuse("vcpus: a riscv64 machine has 1 to 64");
    if (c->disk_count + c->nic_count > RV_VIRTIO_SLOTS) return refuse("disk, net: a riscv64 machine has 8 slots");
    if (c->cmdline && strnlen(c->cmdline, MAX_CMDLINE_BYTES) == MAX_CMDLINE_BYTES)
        return refuse("cmdline: longer than 4095 bytes");
    struct vm_error e = rv_options_parse(c, &options);
    return vm_failed(e) ? e : rv_layout_make(c, &layout);
}

/* ---- life ---- */
static struct vm_error create(const struct machine_config *c, const struct machine_host *host,
                              struct gmem *gmem, struct mmio_bus *bus, struct vcpu *vcpus,
                              struct guest_clock *clock, void **out)
{
    struct vm_error e = check(c);
    if (vm_failed(e)) return e;
    struct rv_machine *m = heap_alloc(sizeof *m);
    if (!m) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a machine");
    m->config = *c;
    m->host = *host;
    m->gmem = gmem;
    m->bus = bus;
    m->vcpus = vcpus;
    m->clock = clock;
    m->sbi = (struct sbi){ .host = &m->host, .gmem = gmem, .vcpus = vcpus, .hart_count = c->vcpu_count,
                           .console = { m, rv_console_read } };
    e = rv_options_parse(c, &m->options);
    if (!vm_failed(e)) e = rv_layout_make(c, &m->layout);
    if (!vm_failed(e)) e = gmem_add(gmem, guest_phys_addr_make(RV_RAM_BASE), c->memory_size, GMEM_RAM);
    if (!vm_failed(e)) e = rv_devices_create(m);
    if (vm_failed(e)) {
        heap_free(m);
        return e;
    }
    for (unsigned h = 0; h < c->vcpu_count; h++) vcpus[h].machine = m;
    *out = m;
    return VM_SUCCESS;
}

static struct vm_error load_dtb(struct rv_machine *m)
{
    struct rv_fdt d = { .memory_size = m->config.memory_size, .hart_count = m->config.vcpu_count,
                        .options = m->options, .cmdline = m->config.cmdline ? m->config.cmdline : "",
                        .initrd_from = m->layout.initrd_from, .initrd_end = m->layout.initrd_end };
    size_t size = 0;
    d.has_seed = m->host.random && m->host.random(d.seed, sizeof d.seed);
    if (!rv_fdt_make(m->dtb, sizeof m->dtb, &d, &size))
        return vm_error_because(VM_CORE_INTERNAL, "the device tree does not fit");
    return gmem_load(m->gmem, guest_phys_addr_make(m->layout.dtb_at), m->dtb, size);
}

/* What OpenSBI's fw_dynamic wants to know of the next stage; other firmware ignores it. */
static struct vm_error load_boot_info(struct rv_machine *m)
{
    enum { MAGIC = 0x4942534f, VERSION = 2, NEXT_IS_SUPERVISOR = 1 };
    uint8_t info[BOOT_INFO_BYTES];
    uint64_t next = m->layout.has_kernel ? m->layout.kernel.entry : 0;
    const uint64_t words[] = { MAGIC, VERSION, next, NEXT_IS_SUPERVISOR, 0, 0 };
    _Static_assert(sizeof words == sizeof info, "magic, version, next address and mode, options, boot hart");
    for (unsigned i = 0; i < ARRAY_COUNT(words); i++) store_le64(info + 8 * i, words[i]);
    return gmem_load(m->gmem, guest_phys_addr_make(m->layout.boot_info_at), info, sizeof info);
}

static struct vm_error load_all(struct rv_machine *m)
{
    const struct rv_layout *l = &m->layout;
    struct vm_error e = VM_SUCCESS;
    if (l->has_firmware) e = image_load(&l->firmware, m->gmem);
    if (!vm_failed(e) && l->has_kernel) e = image_load(&l->kernel, m->gmem);
    if (!vm_failed(e) && l->initrd_end > l->initrd_from)
        e = gmem_load(m->gmem, guest_phys_addr_make(l->initrd_from), m->config.initrd.data,
                      m->config.initrd.size_bytes);
    if (!vm_failed(e) && l->has_firmware) e = load_boot_info(m);
    return vm_failed(e) ? e : load_dtb(m);
}

static struct vm_error reset(void *machine)
{
    enum { A2 = 12 };
    struct rv_machine *m = machine;
    const struct rv_layout *l = &m->layout;
    bool has_sbi = l->has_kernel && !l->has_firmware;
    uint64_t entry = l->has_firmware ? l->firmware.entry : l->has_kernel ? l->kernel.entry : RV_RAM_BASE;
    mmio_reset(m->bus);
    __atomic_store_n(&m->keys_go_to_virtio, false, __ATOMIC_RELAXED);
    struct vm_error e = load_all(m);
    if (vm_failed(e)) return e;
    for (unsigned h = 0; h < m->config.vcpu_count; h++) {
        struct vcpu *v = &m->vcpus[h];
        __atomic_store_n(&v->fence_pending, 0, __ATOMIC_RELAXED);
        rv_set_svadu(v, m->options.has_svadu);
        rv_set_max_satp_mode(v, m->options.satp_mode);
        rv_set_boot(v, has_sbi, entry, h, l->dtb_at);
        if (l->has_firmware) v->regs.slot[A2] = l->boot_info_at;
        mmu_flush_tlb(&v->mmu);
        /* the images were written anew */
        if (v->engine) v->engine->forget_code(v, guest_phys_addr_make(0), UINT64_MAX);
    }
    sbi_reset(&m->sbi, !has_sbi);
    return VM_SUCCESS;
}

static bool is_started(void *machine, unsigned vcpu)
{
    const struct rv_machine *m = machine;
    return sbi_is_started(&m->sbi, vcpu);
}

static void hypercall(void *machine, struct vcpu *v)
{
    struct rv_machine *m = machine;
    uint32_t which = v->hypercall;
    v->hypercall = 0;                       /* before the call: a hart that stops is not ours behind it */
    if (which == RV_HYPERCALL_SBI) sbi_call(&m->sbi, v);
}

static void console_input(void *machine, const char *text, size_t length)
{
    rv_console_input(machine, text, length);
}
static size_t console_room(void *machine) { return rv_console_room(machine); }
static void   destroy(void *machine)      { heap_free(machine); }

const struct machine_ops RISCV64_VIRT = {
    .arch          = GUEST_RISCV64,
    .name          = "virt",
    .isa           = &RISCV64_ISA,
    .check         = check,
    .create        = create,
    .reset         = reset,
    .is_started    = is_started,
    .hypercall     = hypercall,
    .hypercall_kind = sbi_kind,
    .hypercall_name = sbi_kind_name,
    .console_input = console_input,
    .console_room  = console_room,
    .destroy       = destroy,
};

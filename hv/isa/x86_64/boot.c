// SPDX-License-Identifier: Apache-2.0
/* From a file to a running boot CPU: which protocol a kernel's file asks for, where it goes, and what it is told. A file is hostile
 * until parsed. Linux Documentation/arch/x86/boot (64-bit protocol); Xen's PVH start-of-day ABI; Multiboot 0.6.96. */
#include "hv/base/string.h"
#include "hv/isa/x86_64/machine.h"

static struct vm_error refuse(const char *why) { return vm_error_because(VM_CORE_INVALID_CONFIG, why); }

static uint64_t low_ram(const struct machine_config *c) { return c->memory_size < X86_LOW_RAM_END ? c->memory_size : X86_LOW_RAM_END; }

/* ---- Linux: the setup header ---- */
enum { SETUP_SECTS = 0x1f1, SYSSIZE = 0x1f4, BOOT_FLAG = 0x1fe, HEADER_MAGIC = 0x202, VERSION = 0x206, LOADER_TYPE = 0x210, LOADFLAGS = 0x211,
       RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, HEAP_END = 0x224, CMDLINE_POINTER = 0x228, INITRD_MAX = 0x22c, ALIGNMENT = 0x230,
       RELOCATABLE = 0x234, XLOADFLAGS = 0x236, PREFERRED = 0x258, INIT_SIZE = 0x260, HEADER_END = 0x268 };
#define LINUX_MAGIC   0x53726448u           /* "HdrS" */
#define ENTRY_64      0x200u
#define MIN_VERSION   0x20cu

static bool is_linux(const struct blob *f)
{
    return f->size_bytes > HEADER_END && load_le32((const uint8_t *)f->data + HEADER_MAGIC) == LINUX_MAGIC;
}

static uint64_t setup_bytes(const uint8_t *p) { return ((p[SETUP_SECTS] ? p[SETUP_SECTS] : 4u) + 1u) * 512u; }

static struct vm_error layout_linux(const struct machine_config *c, struct x86_layout *out)
{
    const struct blob *f = &c->kernel;
    const uint8_t *p = f->data;
    uint64_t setup = setup_bytes(p);
    if (load_le16(p + VERSION) < MIN_VERSION || !(load_le16(p + XLOADFLAGS) & 1)) return refuse("kernel: no 64-bit entry (boot protocol 2.12)");
    if (setup >= f->size_bytes) return refuse("kernel: the file ends inside its setup code");
    uint64_t at = load_le64(p + PREFERRED), memory = load_le32(p + INIT_SIZE), file = f->size_bytes - setup;
    if (memory < file) memory = file;
    if (at < X86_MEGABYTE) return refuse("kernel: wants to be below 1 MiB");
    out->entry = X86_ENTRY_LINUX;
    out->start = at + ENTRY_64;
    out->kernel = (struct image){ .format = IMAGE_LINUX, .file = *f, .entry = at, .segment = { { at, setup, file, memory } }, .segment_count = 1 };
    return VM_SUCCESS;
}

/* ---- ELF, of 32 or 64 bits: segments, and the entry for PVH from Xen's note 18 ---- */
enum { NOTE_PHYS32_ENTRY = 18, PH_LOAD = 1, PH_NOTE = 4 };
struct elf_segment { uint32_t type; uint64_t offset, vaddr, paddr, file, memory; };

static bool elf_segment(const struct blob *f, unsigned n, struct elf_segment *out)
{
    const uint8_t *p = f->data;
    bool is_64 = p[4] == 2;
    uint64_t table = is_64 ? load_le64(p + 32) : load_le32(p + 28), size = is_64 ? 56 : 32;
    if (table > f->size_bytes || (n + 1) * size > f->size_bytes - table) return false;
    const uint8_t *h = p + table + n * size;
    if (is_64) {
        *out = (struct elf_segment){ load_le32(h), load_le64(h + 8), load_le64(h + 16), load_le64(h + 24), load_le64(h + 32), load_le64(h + 40) };
    } else {
        *out = (struct elf_segment){ load_le32(h), load_le32(h + 4), load_le32(h + 8), load_le32(h + 12), load_le32(h + 16), load_le32(h + 20) };
    }
    return out->offset <= f->size_bytes && out->file <= f->size_bytes - out->offset;
}

/* Notes: name and description lengths, type, both padded to four bytes. */
static bool find_pvh_entry(const uint8_t *p, uint64_t n, uint64_t *entry)
{
    while (n >= 12) {
        uint64_t name = load_le32(p), description = load_le32(p + 4), type = load_le32(p + 8);
        uint64_t before = 12 + align_up(name, 4), all = before + align_up(description, 4);
        if (all > n || name > n || description > n) return false;
        if (type == NOTE_PHYS32_ENTRY && name == 4 && !memcmp(p + 12, "Xen", 4) && description >= 4) {
            *entry = description >= 8 ? load_le64(p + before) : load_le32(p + before);
            return true;
        }
        p += all;
        n -= all;
    }
    return false;
}

static struct vm_error layout_elf(const struct machine_config *c, struct x86_layout *out)
{
    const struct blob *f = &c->kernel;
    const uint8_t *p = f->data;
    if (f->size_bytes < 64) return refuse("ELF: the file ends inside its header");
    bool is_64 = p[4] == 2, is_ours = load_le16(p + 18) == (is_64 ? 62 : 3);
    unsigned count = load_le16(p + (is_64 ? 56 : 44));
    if ((!is_64 && p[4] != 1) || p[5] != 1 || !is_ours) return refuse("ELF: made for another architecture");
    if (!count) return refuse("ELF: no program headers");
    struct image *k = &out->kernel;
    *k = (struct image){ .format = IMAGE_ELF, .file = *f };
    uint64_t elf_entry = is_64 ? load_le64(p + 24) : load_le32(p + 24);
    bool has_pvh = false;
    for (unsigned n = 0; n < count; n++) {
        struct elf_segment s;
        if (!elf_segment(f, n, &s)) return refuse("ELF: a segment lies outside the file");
        if (s.type == PH_NOTE && !has_pvh) has_pvh = find_pvh_entry(p + s.offset, s.file, &out->start);
        if (s.type != PH_LOAD || !s.memory) continue;
        if (s.file > s.memory) return refuse("ELF: a segment is larger in the file than in memory");
        if (s.paddr + s.memory < s.paddr) return refuse("ELF: a segment wraps around the address space");
        if (k->segment_count && image_overlaps(k, s.paddr, s.paddr + s.memory)) return refuse("ELF: segments overlap");
        if (k->segment_count == IMAGE_MAX_SEGMENTS) return refuse("ELF: more than 16 segments to load");
        k->segment[k->segment_count++] = (struct image_segment){ s.paddr, s.offset, s.file, s.memory };
        if (elf_entry - s.vaddr < s.memory) k->entry = s.paddr + (elf_entry - s.vaddr);
    }
    if (!k->segment_count) return refuse("ELF: nothing to load");
    out->entry = X86_ENTRY_PVH;
    if (has_pvh) return VM_SUCCESS;
    out->entry = X86_ENTRY_MULTIBOOT;
    out->start = k->entry;
    return VM_SUCCESS;
}

/* ---- multiboot: the header in the first 8 KiB, perhaps with addresses in it ---- */
#define MULTIBOOT_MAGIC 0x1badb002u
#define MULTIBOOT_ADDRESSES 0x10000u

static const uint8_t *find_multiboot(const struct blob *f, uint64_t *offset)
{
    const uint8_t *p = f->data;
    for (*offset = 0; *offset + 32 <= f->size_bytes && *offset < 8192; *offset += 4) {
        const uint8_t *h = p + *offset;
        if (load_le32(h) == MULTIBOOT_MAGIC && !(uint32_t)(load_le32(h) + load_le32(h + 4) + load_le32(h + 8))) return h;
    }
    return NULL;
}

static struct vm_error layout_multiboot(const struct machine_config *c, const uint8_t *h, uint64_t offset, struct x86_layout *out)
{
    const struct blob *f = &c->kernel;
    uint64_t header = load_le32(h + 12), from = load_le32(h + 16), data_end = load_le32(h + 20), bss_end = load_le32(h + 24);
    if (header < from || header - from > offset) return refuse("multiboot: odd addresses in its header");
    uint64_t skip = offset - (header - from), file = f->size_bytes - skip;
    if (data_end && data_end < from) return refuse("multiboot: odd addresses in its header");
    if (data_end && data_end - from < file) file = data_end - from;
    uint64_t memory = bss_end > from && bss_end - from > file ? bss_end - from : file;
    out->entry = X86_ENTRY_MULTIBOOT;
    out->start = load_le32(h + 28);
    out->kernel = (struct image){ .format = IMAGE_RAW, .file = *f, .segment = { { from, skip, file, memory } }, .segment_count = 1 };
    return VM_SUCCESS;
}

static struct vm_error layout_kernel(const struct machine_config *c, struct x86_layout *out)
{
    const struct blob *f = &c->kernel;
    uint64_t offset;
    if (is_linux(f)) return layout_linux(c, out);
    const uint8_t *h = find_multiboot(f, &offset);
    if (h && load_le32(h + 4) & MULTIBOOT_ADDRESSES) return layout_multiboot(c, h, offset, out);
    if (f->size_bytes < 4 || memcmp(f->data, "\177ELF", 4)) return refuse("kernel: neither a bzImage, an ELF file nor a multiboot kernel");
    struct vm_error e = layout_elf(c, out);
    if (!vm_failed(e) && out->entry == X86_ENTRY_MULTIBOOT && !h) return refuse("kernel: an ELF file with neither a PVH note nor a multiboot header");
    return e;
}

struct vm_error x86_layout_make(const struct machine_config *c, struct x86_layout *out)
{
    uint64_t rom = c->firmware.size_bytes, top = low_ram(c);
    *out = (struct x86_layout){ .entry = X86_ENTRY_FIRMWARE };
    if (rom) {
        if (rom % HV_PAGE_BYTES || rom < 0x10000 || rom > X86_ROM_MAX_BYTES) return refuse("firmware: not 64 KiB to 16 MiB in whole pages");
        if (c->kernel.size_bytes || c->initrd.size_bytes) return refuse("firmware starts no kernel by itself here: give it alone");
        return VM_SUCCESS;
    }
    if (!c->kernel.size_bytes) return refuse("an x86_64 machine needs a kernel or firmware");
    struct vm_error e = layout_kernel(c, out);
    if (vm_failed(e)) return e;
    if (!image_fits(&out->kernel, X86_MEGABYTE, top)) return refuse("kernel: does not fit into the guest's memory above 1 MiB");
    uint64_t initrd = c->initrd.size_bytes;
    if (!initrd) return VM_SUCCESS;
    if (initrd > top - X86_MEGABYTE) return refuse("initrd: does not fit into the guest's memory");
    out->initrd_from = align_down(top - initrd, HV_PAGE_BYTES);
    out->initrd_end = out->initrd_from + initrd;
    if (image_overlaps(&out->kernel, out->initrd_from, out->initrd_end)) return refuse("kernel and initrd together need more memory");
    return VM_SUCCESS;
}

/* ---- loading ---- */
static struct vm_error put(struct x86_machine *m, uint64_t at, const void *bytes, size_t n) { return gmem_load(m->gmem, guest_phys_addr_make(at), bytes, n); }

static struct vm_error load_tables(struct x86_machine *m, uint64_t *rsdp)
{
    size_t n = x86_make_acpi(m->tables, sizeof m->tables, X86_ACPI_AT, m->config.vcpu_count, rsdp);
    if (!n) return vm_error_because(VM_CORE_INTERNAL, "the ACPI tables do not fit");
    struct vm_error e = put(m, X86_ACPI_AT, m->tables, n);
    if (vm_failed(e)) return e;
    uint64_t room = X86_MP_TABLE_AT - (X86_MP_TABLE_AT & 0x3ff) + 0x400 - X86_MP_TABLE_AT;
    n = x86_make_mp_table(m->tables, room, X86_MP_TABLE_AT, m->config.vcpu_count);
    if (!n) n = x86_make_mp_table(m->tables, room, X86_MP_TABLE_AT, 16);       /* it holds no more; ACPI names them all */
    return put(m, X86_MP_TABLE_AT, m->tables, n);
}

/* The BIOS's data area: where the memory below 1 MiB ends. Kernels look for the MP table from there, and for room below. */
static struct vm_error load_bios_data(struct x86_machine *m)
{
    enum { EXTENDED_SEGMENT = 0x40e, KILOBYTES = 0x413 };
    uint8_t segment[2], size[2];
    store_le16(segment, X86_LOW_RAM_FREE_TO >> 4);
    store_le16(size, X86_LOW_RAM_FREE_TO / 1024);
    struct vm_error e = put(m, EXTENDED_SEGMENT, segment, sizeof segment);
    return vm_failed(e) ? e : put(m, KILOBYTES, size, sizeof size);
}

/* Code, data; and the first 4 GiB one to one in 2 MiB pages. */
static struct vm_error load_descriptors(struct x86_machine *m)
{
    static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff };       /* 64-bit code at 10H, data, 32-bit code */
    uint64_t page[512] = { 0 };
    struct vm_error e = put(m, X86_GDT_AT, gdt, sizeof gdt);
    page[0] = (X86_TABLES_AT + HV_PAGE_BYTES) | 3;
    if (!vm_failed(e)) e = put(m, X86_TABLES_AT, page, sizeof page);
    for (unsigned i = 0; i < 4; i++) page[i] = (X86_TABLES_AT + (2 + i) * HV_PAGE_BYTES) | 3;
    if (!vm_failed(e)) e = put(m, X86_TABLES_AT + HV_PAGE_BYTES, page, sizeof page);
    for (unsigned i = 0; i < 4 && !vm_failed(e); i++) {
        for (unsigned n = 0; n < 512; n++) page[n] = ((uint64_t)i * 512 + n) << 21 | 0x83;
        e = put(m, X86_TABLES_AT + (2 + i) * HV_PAGE_BYTES, page, sizeof page);
    }
    return e;
}

static void set_segment(struct x86_frame *f, unsigned n, uint16_t selector, uint16_t rights)
{
    f->segment[n] = (struct x86_segment){ selector, rights, 0xffffffff, 0 };
}

/* Flat segments as both protocols want them; the CPU in 32-bit protected mode, or in long mode. */
static void enter(struct vcpu *v, uint64_t start, bool is_long)
{
    enum { CODE = 0xc9b, CODE_64 = 0xa9b, DATA = 0xc93, TSS = 0x8b };
    struct x86_frame *f = x86_frame(v);
    static const uint8_t data[] = { X86_ES, X86_SS, X86_DS, X86_FS, X86_GS };
    set_segment(f, X86_CS, is_long ? 0x10 : 0x20, is_long ? CODE_64 : CODE);
    for (unsigned i = 0; i < ARRAY_COUNT(data); i++) set_segment(f, data[i], 0x18, DATA);
    f->segment[X86_TR] = (struct x86_segment){ 0, TSS, 0x67, 0 };
    f->segment[X86_GDTR] = (struct x86_segment){ 0, 0, 0x27, X86_GDT_AT };
    f->cr0 = X86_CR0_PE | X86_CR0_ET;
    if (is_long) {
        f->cr0 |= X86_CR0_PG;
        f->cr3 = X86_TABLES_AT;
        f->cr4 = X86_CR4_PAE;
        f->efer = X86_EFER_LME | X86_EFER_LMA;
    }
    v->regs.pc = start;
    v->regs.mode = is_long ? 0 : 32;
    v->regs.slot[X86_RDX] = 0;
    f->is_changed = true;
}

/* A multiboot kernel takes the first word for the image's name. */
static struct vm_error load_cmdline(struct x86_machine *m)
{
    const char *text = m->config.cmdline ? m->config.cmdline : "";
    const char *name = m->layout.entry == X86_ENTRY_MULTIBOOT ? "kernel " : "";
    struct vm_error e = put(m, X86_CMDLINE_AT, name, strlen(name));
    return vm_failed(e) ? e : put(m, X86_CMDLINE_AT + strlen(name), text, strlen(text) + 1);
}

static struct vm_error boot_linux(struct x86_machine *m, uint64_t rsdp)
{
    enum { ACPI_RSDP = 0x70, E820_COUNT = 0x1e8, E820_AT = 0x2d0, E820_BYTES = 20 };
    const struct x86_layout *l = &m->layout;
    const uint8_t *p = l->kernel.file.data;
    uint8_t page[HV_PAGE_BYTES] = { 0 };
    struct x86_memory_row row[X86_MAX_MEMORY_ROWS];
    size_t header_end = 0x202u + p[0x201];
    if (header_end > E820_AT) header_end = E820_AT;
    memcpy(page + SETUP_SECTS, p + SETUP_SECTS, header_end - SETUP_SECTS);
    page[LOADER_TYPE] = 0xff;
    store_le32(page + CMDLINE_POINTER, X86_CMDLINE_AT);
    store_le32(page + RAMDISK_IMAGE, (uint32_t)l->initrd_from);
    store_le32(page + RAMDISK_SIZE, (uint32_t)(l->initrd_end - l->initrd_from));
    store_le64(page + ACPI_RSDP, rsdp);
    unsigned n = x86_memory_map(m->config.memory_size, row);
    page[E820_COUNT] = (uint8_t)n;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *e = page + E820_AT + i * E820_BYTES;
        store_le64(e, row[i].at);
        store_le64(e + 8, row[i].size_bytes);
        store_le32(e + 16, row[i].type);
    }
    struct vm_error e = put(m, X86_BOOT_PARAMS_AT, page, sizeof page);
    enter(&m->vcpus[0], l->start, true);
    m->vcpus[0].regs.slot[X86_RSI] = X86_BOOT_PARAMS_AT;
    return e;
}

/* struct hvm_start_info, version 1: one module at most, and the memory map. */
static struct vm_error boot_pvh(struct x86_machine *m, uint64_t rsdp)
{
    enum { INFO_BYTES = 56, MODULE_BYTES = 32, ROW_BYTES = 24, MAGIC = 0x336ec578 };
    const struct x86_layout *l = &m->layout;
    struct x86_memory_row row[X86_MAX_MEMORY_ROWS];
    unsigned n = x86_memory_map(m->config.memory_size, row);
    uint8_t b[INFO_BYTES + MODULE_BYTES + X86_MAX_MEMORY_ROWS * ROW_BYTES] = { 0 };
    bool has_module = l->initrd_end > l->initrd_from;
    store_le32(b, MAGIC);
    store_le32(b + 4, 1);
    store_le32(b + 12, has_module);
    store_le64(b + 16, has_module ? X86_START_INFO_AT + INFO_BYTES : 0);
    store_le64(b + 24, X86_CMDLINE_AT);
    store_le64(b + 32, rsdp);
    store_le64(b + 40, X86_START_INFO_AT + INFO_BYTES + MODULE_BYTES);
    store_le32(b + 48, n);
    store_le64(b + INFO_BYTES, l->initrd_from);
    store_le64(b + INFO_BYTES + 8, l->initrd_end - l->initrd_from);
    for (unsigned i = 0; i < n; i++) {
        uint8_t *e = b + INFO_BYTES + MODULE_BYTES + i * ROW_BYTES;
        store_le64(e, row[i].at);
        store_le64(e + 8, row[i].size_bytes);
        store_le32(e + 16, row[i].type);
    }
    struct vm_error e = put(m, X86_START_INFO_AT, b, sizeof b);
    enter(&m->vcpus[0], l->start, false);
    m->vcpus[0].regs.slot[X86_RBX] = X86_START_INFO_AT;
    return e;
}

/* Multiboot 3.3: memory sizes, command line, modules, memory map. */
static struct vm_error boot_multiboot(struct x86_machine *m)
{
    enum { INFO_BYTES = 88, MODULE_BYTES = 16, ROW_BYTES = 24, MEMORY = 1 << 0, CMDLINE = 1 << 2, MODULES = 1 << 3, MAP = 1 << 6, LOADED = 0x2badb002 };
    const struct x86_layout *l = &m->layout;
    struct x86_memory_row row[X86_MAX_MEMORY_ROWS];
    unsigned n = x86_memory_map(m->config.memory_size, row);
    uint8_t b[INFO_BYTES + MODULE_BYTES + X86_MAX_MEMORY_ROWS * ROW_BYTES] = { 0 };
    bool has_module = l->initrd_end > l->initrd_from;
    store_le32(b, MEMORY | CMDLINE | MAP | (has_module ? MODULES : 0));
    store_le32(b + 4, X86_LOW_RAM_FREE_TO / 1024);
    store_le32(b + 8, (uint32_t)((low_ram(&m->config) - X86_MEGABYTE) / 1024));
    store_le32(b + 16, X86_CMDLINE_AT);
    store_le32(b + 20, has_module);
    store_le32(b + 24, X86_START_INFO_AT + INFO_BYTES);
    store_le32(b + 44, n * ROW_BYTES);
    store_le32(b + 48, X86_START_INFO_AT + INFO_BYTES + MODULE_BYTES);
    store_le32(b + INFO_BYTES, (uint32_t)l->initrd_from);
    store_le32(b + INFO_BYTES + 4, (uint32_t)l->initrd_end);
    for (unsigned i = 0; i < n; i++) {
        uint8_t *e = b + INFO_BYTES + MODULE_BYTES + i * ROW_BYTES;
        store_le32(e, ROW_BYTES - 4);
        store_le64(e + 4, row[i].at);
        store_le64(e + 12, row[i].size_bytes);
        store_le32(e + 20, row[i].type);
    }
    struct vm_error e = put(m, X86_START_INFO_AT, b, sizeof b);
    enter(&m->vcpus[0], l->start, false);
    m->vcpus[0].regs.slot[X86_RAX] = LOADED;
    m->vcpus[0].regs.slot[X86_RBX] = X86_START_INFO_AT;
    return e;
}

/* The CPU is at its reset vector, which is in the ROM; the ROM's end is in RAM too, where real mode reaches it. */
static struct vm_error boot_firmware(struct x86_machine *m)
{
    const struct blob *f = &m->config.firmware;
    uint64_t shadow = f->size_bytes < X86_SHADOW_BYTES ? f->size_bytes : X86_SHADOW_BYTES;
    struct vm_error e = put(m, GIB(4) - f->size_bytes, f->data, f->size_bytes);
    if (!vm_failed(e)) e = put(m, X86_MEGABYTE - shadow, (const uint8_t *)f->data + f->size_bytes - shadow, shadow);
    return e;
}

struct vm_error x86_boot(struct x86_machine *m)
{
    const struct x86_layout *l = &m->layout;
    uint64_t rsdp = 0;
    if (l->entry == X86_ENTRY_FIRMWARE) return boot_firmware(m);
    struct vm_error e = image_load(&l->kernel, m->gmem);
    if (!vm_failed(e) && l->initrd_end > l->initrd_from) e = put(m, l->initrd_from, m->config.initrd.data, m->config.initrd.size_bytes);
    if (!vm_failed(e)) e = load_tables(m, &rsdp);
    if (!vm_failed(e)) e = load_bios_data(m);
    if (!vm_failed(e)) e = load_descriptors(m);
    if (!vm_failed(e)) e = load_cmdline(m);
    if (vm_failed(e)) return e;
    switch (l->entry) {
    case X86_ENTRY_LINUX:     return boot_linux(m, rsdp);
    case X86_ENTRY_PVH:       return boot_pvh(m, rsdp);
    case X86_ENTRY_MULTIBOOT: return boot_multiboot(m);
    case X86_ENTRY_FIRMWARE:  break;
    }
    return VM_SUCCESS;
}

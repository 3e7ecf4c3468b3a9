// SPDX-License-Identifier: Apache-2.0
/* Guest image formats: see image.h. Runs when a VM is made or reset, in the thread that holds it stopped. */
#include "hv/isa/image.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

static struct vm_error refuse(const char *why) { return vm_error_because(VM_CORE_INVALID_CONFIG, why); }

/* Files that want unpacking first: the first bytes, and what to tell the user. */
static const struct { uint8_t size_bytes; uint8_t magic[6]; const char *why; } packed[] = {
    { 2, { 0x1f, 0x8b },                         "the image is compressed with gzip: unpack it first" },
    { 6, { 0xfd, '7', 'z', 'X', 'Z', 0 },        "the image is compressed with xz: unpack it first" },
    { 4, { 0x28, 0xb5, 0x2f, 0xfd },             "the image is compressed with zstd: unpack it first" },
    { 3, { 'B', 'Z', 'h' },                      "the image is compressed with bzip2: unpack it first" },
    { 4, { 0x02, 0x21, 0x4c, 0x18 },             "the image is compressed with lz4: unpack it first" },
    { 4, { 0x04, 0x22, 0x4d, 0x18 },             "the image is compressed with lz4: unpack it first" },
};

/* The Linux Image header: 64 bytes, the same places in both architectures. */
enum { LINUX_TEXT_OFFSET = 8, LINUX_IMAGE_SIZE = 16, LINUX_MAGIC = 56, LINUX_HEADER_BYTES = 64 };
#define LINUX_ZBOOT_MAGIC 0x676d697au       /* "zimg" at 4: an EFI program that unpacks itself */
#define LINUX_MAX_BYTES   GIB(4)
/*                                      magic at 56                       ELF e_machine */
static const struct { uint32_t linux_magic; uint16_t elf_machine; } arches[GUEST_ARCH_COUNT] = {
    [GUEST_RISCV64] = { 0x05435352u /* "RSC\5" */,  243 },
    [GUEST_ARM64]   = { 0x644d5241u /* "ARMd" */,   183 },
    [GUEST_X86_64]  = { 0,                          62 },
    [GUEST_PPC64]   = { 0,                          21 },
};

enum { ELF_CLASS = 4, ELF_DATA = 5, ELF_VERSION = 6, ELF_TYPE = 16, ELF_MACHINE = 18, ELF_ENTRY = 24,
       ELF_PHOFF = 32, ELF_PHENTSIZE = 54, ELF_PHNUM = 56, ELF_HEADER_BYTES = 64 };
enum { PH_TYPE = 0, PH_OFFSET = 8, PH_VADDR = 16, PH_PADDR = 24, PH_FILESZ = 32, PH_MEMSZ = 40,
       PH_BYTES = 56 };
enum { ELF_CLASS_64 = 2, ELF_DATA_LITTLE = 1, ELF_TYPE_EXEC = 2, ELF_TYPE_DYN = 3, PH_LOAD = 1 };

/* Two segments must not share a byte: which one would win is nobody's promise. */
static bool overlaps_earlier(const struct image *i, uint64_t at, uint64_t size_bytes)
{
    for (unsigned n = 0; n < i->segment_count; n++) {
        const struct image_segment *s = &i->segment[n];
        if (at < s->at + s->memory_bytes && s->at < at + size_bytes) return true;
    }
    return false;
}

static struct vm_error parse_elf(const struct blob *f, enum guest_arch arch, struct image *out)
{
    const uint8_t *p = f->data;
    if (f->size_bytes < ELF_HEADER_BYTES) return refuse("ELF: the file ends inside its header");
    if (p[ELF_CLASS] != ELF_CLASS_64) return refuse("ELF: not a 64-bit file");
    if (p[ELF_DATA] != ELF_DATA_LITTLE) return refuse("ELF: not little-endian");
    if (p[ELF_VERSION] != 1) return refuse("ELF: unknown version");
    uint16_t type = load_le16(p + ELF_TYPE), count = load_le16(p + ELF_PHNUM);
    if (type != ELF_TYPE_EXEC && type != ELF_TYPE_DYN)
        return refuse("ELF: not an executable (an object or core file?)");
    if (load_le16(p + ELF_MACHINE) != arches[arch].elf_machine)
        return refuse("ELF: made for another architecture");
    if (!count) return refuse("ELF: no program headers");
    if (load_le16(p + ELF_PHENTSIZE) != PH_BYTES) return refuse("ELF: program headers of an odd size");
    uint64_t table = load_le64(p + ELF_PHOFF), entry = load_le64(p + ELF_ENTRY);
    if (table > f->size_bytes || (uint64_t)count * PH_BYTES > f->size_bytes - table)
        return refuse("ELF: program headers outside the file");

    bool has_entry = false;
    for (unsigned n = 0; n < count; n++) {
        const uint8_t *h = p + table + (uint64_t)n * PH_BYTES;
        struct image_segment s = { load_le64(h + PH_PADDR), load_le64(h + PH_OFFSET),
                                   load_le64(h + PH_FILESZ), load_le64(h + PH_MEMSZ) };
        if (load_le32(h + PH_TYPE) != PH_LOAD || !s.memory_bytes) continue;
        if (s.file_bytes > s.memory_bytes)
            return refuse("ELF: a segment is larger in the file than in memory");
        if (s.file_offset > f->size_bytes || s.file_bytes > f->size_bytes - s.file_offset)
            return refuse("ELF: a segment lies outside the file");
        if (s.at + s.memory_bytes < s.at) return refuse("ELF: a segment wraps around the address space");
        if (overlaps_earlier(out, s.at, s.memory_bytes)) return refuse("ELF: segments overlap");
        if (out->segment_count == IMAGE_MAX_SEGMENTS) return refuse("ELF: more than 16 segments to load");
        out->segment[out->segment_count++] = s;
        /* the entry is virtual, segments load physically */
        uint64_t into = entry - load_le64(h + PH_VADDR);
        if (into < s.memory_bytes && !has_entry) {
            has_entry = true;
            out->entry = s.at + into;
        }
    }
    if (!out->segment_count) return refuse("ELF: nothing to load");
    if (!has_entry) return refuse("ELF: the entry lies outside its segments");
    out->format = IMAGE_ELF;
    return VM_SUCCESS;
}

static struct vm_error parse_linux(const struct blob *f, struct image *out)
{
    const uint8_t *p = f->data;
    uint64_t offset = load_le64(p + LINUX_TEXT_OFFSET), size = load_le64(p + LINUX_IMAGE_SIZE);
    if (size < f->size_bytes) size = f->size_bytes;         /* 0 in old kernels; never less than the file */
    if (size > LINUX_MAX_BYTES || offset > LINUX_MAX_BYTES)
        return refuse("Linux Image: absurd size in its header");
    out->format = IMAGE_LINUX;
    out->text_offset = offset;
    out->segment[out->segment_count++] = (struct image_segment){ 0, 0, f->size_bytes, size };
    return VM_SUCCESS;
}

struct vm_error image_parse(const struct blob *file, enum guest_arch arch, struct image *out)
{
    *out = (struct image){ .format = IMAGE_RAW, .file = *file };
    const uint8_t *p = file->data;
    if (!p || !file->size_bytes) return refuse("the image is empty");
    for (unsigned n = 0; n < ARRAY_COUNT(packed); n++)
        if (file->size_bytes >= packed[n].size_bytes && !memcmp(p, packed[n].magic, packed[n].size_bytes))
            return refuse(packed[n].why);
    if (file->size_bytes >= 4 && !memcmp(p, "\177ELF", 4)) return parse_elf(file, arch, out);
    if (file->size_bytes >= 2 && file->size_bytes < LINUX_HEADER_BYTES && !memcmp(p, "MZ", 2)) return refuse("Linux Image: the file is cut off");
    if (file->size_bytes >= LINUX_HEADER_BYTES) {
        uint32_t magic = load_le32(p + LINUX_MAGIC);
        if (load_le32(p + 4) == LINUX_ZBOOT_MAGIC)
            return refuse("the image is an EFI zboot kernel: unpack it first");
        for (unsigned a = 0; a < GUEST_ARCH_COUNT; a++) {
            if (!arches[a].linux_magic || magic != arches[a].linux_magic) continue;
            if (a != (unsigned)arch) return refuse("Linux Image: made for another architecture");
            return parse_linux(file, out);
        }
    }
    out->segment[out->segment_count++] = (struct image_segment){ 0, 0, file->size_bytes, file->size_bytes };
    return VM_SUCCESS;
}

void image_place(struct image *i, uint64_t base)
{
    uint64_t at = base + i->text_offset, from, end;         /* at most 4 GiB more: check with image_fits */
    image_extent(i, &from, &end);
    if (i->format == IMAGE_ELF && (from || end > UINT64_MAX - base)) return;
    for (unsigned n = 0; n < i->segment_count; n++) i->segment[n].at += at;
    i->entry += at;
}

void image_extent(const struct image *i, uint64_t *from, uint64_t *end)
{
    *from = UINT64_MAX;
    *end = 0;
    for (unsigned n = 0; n < i->segment_count; n++) {
        const struct image_segment *s = &i->segment[n];
        if (s->at < *from) *from = s->at;
        if (s->at + s->memory_bytes > *end) *end = s->at + s->memory_bytes;
    }
}

bool image_overlaps(const struct image *i, uint64_t from, uint64_t end)
{
    for (unsigned n = 0; n < i->segment_count; n++)
        if (i->segment[n].at < end && from < i->segment[n].at + i->segment[n].memory_bytes) return true;
    return false;
}

bool image_fits(const struct image *i, uint64_t from, uint64_t end)
{
    for (unsigned n = 0; n < i->segment_count; n++) {
        const struct image_segment *s = &i->segment[n];
        if (s->at < from || s->at > end || s->memory_bytes > end - s->at) return false;
    }
    return true;
}

struct vm_error image_clear(struct gmem *m, uint64_t at, uint64_t size_bytes)
{
    while (size_bytes) {
        uint64_t length = 0;
        void *to = gmem_span(m, guest_phys_addr_make(at), size_bytes, ACCESS_WRITE, &length);
        if (!to || !length) return vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_addr_make(at));
        memset(to, 0, length);
        at += length;
        size_bytes -= length;
    }
    return VM_SUCCESS;
}

struct vm_error image_load(const struct image *i, struct gmem *m)
{
    const uint8_t *p = i->file.data;
    for (unsigned n = 0; n < i->segment_count; n++) {
        const struct image_segment *s = &i->segment[n];
        struct vm_error e = gmem_load(m, guest_phys_addr_make(s->at), p + s->file_offset, s->file_bytes);
        if (!vm_failed(e)) e = image_clear(m, s->at + s->file_bytes, s->memory_bytes - s->file_bytes);
        if (vm_failed(e)) return e;
    }
    return VM_SUCCESS;
}

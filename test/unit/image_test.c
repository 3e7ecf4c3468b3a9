// SPDX-License-Identifier: Apache-2.0
/* Guest image formats: what is recognised, what is refused and with which words, and that no file makes the parser read
 * outside of it (the sanitizer watches: each file lies in a block of exactly its size). */
#include "test/harness/test.h"
#include "hv/base/bits.h"
#include "hv/isa/image.h"
#include "test/unit/riscv64_hart.h"

/* A copy of exactly size_bytes, so that one byte too far is seen. */
static struct blob exact(const void *bytes, size_t size_bytes)
{
    void *p = malloc(size_bytes ? size_bytes : 1);
    memcpy(p, bytes, size_bytes);
    return (struct blob){ p, size_bytes };
}
static const char *refusal(const void *bytes, size_t size_bytes)
{
    struct image i;
    struct blob f = exact(bytes, size_bytes);
    struct vm_error e = image_parse(&f, GUEST_RISCV64, &i);
    free((void *)(uintptr_t)f.data);
    if (!vm_failed(e)) return "";
    return e.kind == VM_CORE_INVALID_CONFIG ? e.reason : "another kind of error";
}

struct elf { uint8_t at[0x1000]; };
static uint8_t *header(struct elf *f, unsigned n) { return f->at + 64 + 56 * n; }
static void segment(struct elf *f, unsigned n, uint64_t offset, uint64_t va, uint64_t pa, uint64_t filesz, uint64_t memsz)
{
    uint8_t *h = header(f, n);
    store_le32(h, 1);
    store_le64(h + 8, offset);
    store_le64(h + 16, va);
    store_le64(h + 24, pa);
    store_le64(h + 32, filesz);
    store_le64(h + 40, memsz);
}
/* Two segments: code linked at a high virtual address, and data with a tail to clear. */
static void good_elf(struct elf *f)
{
    memset(f, 0, sizeof *f);
    memcpy(f->at, "\177ELF\2\1\1", 7);
    store_le16(f->at + 16, 2);
    store_le16(f->at + 18, 243);
    store_le64(f->at + 24, 0xffffffff80000010ull);
    store_le64(f->at + 32, 64);
    store_le16(f->at + 54, 56);
    store_le16(f->at + 56, 2);
    segment(f, 0, 0x200, 0xffffffff80000000ull, RAM + 0x200000, 0x100, 0x100);
    segment(f, 1, 0x300, 0xffffffff80001000ull, RAM + 0x201000, 0x80, 0x1000);
}

TEST(elf_entry_is_where_its_segment_loads)
{
    struct elf f;
    struct image i;
    good_elf(&f);
    struct blob b = { f.at, sizeof f.at };
    CHECK(!vm_failed(image_parse(&b, GUEST_RISCV64, &i)));
    image_place(&i, 0x12340000);
    CHECK_EQ_U64(i.format, IMAGE_ELF);
    CHECK_EQ_U64(i.segment_count, 2);
    CHECK_EQ_U64(i.entry, RAM + 0x200010);
    uint64_t from, end;
    image_extent(&i, &from, &end);
    CHECK_EQ_U64(from, RAM + 0x200000);
    CHECK_EQ_U64(end, RAM + 0x202000);
    CHECK(image_fits(&i, RAM, RAM + 0x202000));
    CHECK(!image_fits(&i, RAM, RAM + 0x201fff));
    CHECK(!image_fits(&i, RAM + 0x200001, RAM + 0x300000));
    CHECK(!image_overlaps(&i, RAM + 0x200100, RAM + 0x201000));
    CHECK(image_overlaps(&i, RAM + 0x2000ff, RAM + 0x201000));
}

TEST(elf_that_starts_at_zero_is_moved_to_the_base)
{
    struct elf f;
    struct image i;
    good_elf(&f);
    store_le64(header(&f, 0) + 24, 0);
    store_le64(header(&f, 1) + 24, 0x1000);
    struct blob b = { f.at, sizeof f.at };
    CHECK(!vm_failed(image_parse(&b, GUEST_RISCV64, &i)));
    image_place(&i, RAM + 0x200000);
    CHECK_EQ_U64(i.entry, RAM + 0x200010);
    CHECK_EQ_U64(i.segment[0].at, RAM + 0x200000);
    CHECK_EQ_U64(i.segment[1].at, RAM + 0x201000);
    store_le64(header(&f, 1) + 24, UINT64_MAX - 0x1000);    /* a sum that would wrap: nothing moves, nothing fits */
    CHECK(!vm_failed(image_parse(&b, GUEST_RISCV64, &i)));
    image_place(&i, RAM + 0x200000);
    CHECK_EQ_U64(i.segment[0].at, 0);
    CHECK(!image_fits(&i, RAM, RAM + 0x202000));
}

TEST(elf_lies_are_refused_with_a_reason)
{
    struct elf f;
#define EXPECT(change, why) do { good_elf(&f); change; CHECK_STR(refusal(f.at, sizeof f.at), why); } while (0)
    EXPECT((void)0, "");
    EXPECT(f.at[4] = 1, "ELF: not a 64-bit file");
    EXPECT(f.at[5] = 2, "ELF: not little-endian");
    EXPECT(f.at[6] = 2, "ELF: unknown version");
    EXPECT(f.at[16] = 1, "ELF: not an executable (an object or core file?)");
    EXPECT(f.at[18] = 62, "ELF: made for another architecture");
    EXPECT(store_le16(f.at + 56, 0), "ELF: no program headers");
    EXPECT(store_le16(f.at + 56, 0xffff), "ELF: program headers outside the file");
    EXPECT(store_le64(f.at + 32, UINT64_MAX - 8), "ELF: program headers outside the file");
    EXPECT(store_le16(f.at + 54, 32), "ELF: program headers of an odd size");
    EXPECT(store_le64(header(&f, 0) + 32, 0x101), "ELF: a segment is larger in the file than in memory");
    EXPECT(store_le64(header(&f, 0) + 8, 0xff00 + 0x101), "ELF: a segment lies outside the file");
    EXPECT(store_le64(header(&f, 0) + 8, UINT64_MAX), "ELF: a segment lies outside the file");
    EXPECT(store_le64(header(&f, 1) + 24, UINT64_MAX - 0xfff + 1), "ELF: a segment wraps around the address space");
    EXPECT(store_le64(header(&f, 1) + 24, RAM + 0x2000ff), "ELF: segments overlap");
    EXPECT(store_le64(f.at + 24, 0x80), "ELF: the entry lies outside its segments");
    EXPECT((store_le32(header(&f, 0), 2), store_le32(header(&f, 1), 4)), "ELF: nothing to load");
#undef EXPECT
    good_elf(&f);
    CHECK_STR(refusal(f.at, 63), "ELF: the file ends inside its header");
    CHECK_STR(refusal(f.at, 64 + 56), "ELF: program headers outside the file");
    store_le16(f.at + 56, 17);
    for (unsigned n = 0; n < 17; n++) segment(&f, n, 0, RAM + n * 0x1000, RAM + n * 0x1000, 16, 16);
    CHECK_STR(refusal(f.at, sizeof f.at), "ELF: more than 16 segments to load");
}

TEST(linux_image_goes_to_its_text_offset_and_needs_its_image_size)
{
    uint8_t f[4096] = { 0 };
    struct image i;
    store_le64(f + 8, 0x200000);
    store_le64(f + 16, 0x30000);
    store_le32(f + 56, 0x05435352);
    struct blob b = { f, sizeof f };
    CHECK(!vm_failed(image_parse(&b, GUEST_RISCV64, &i)));
    CHECK_EQ_U64(i.format, IMAGE_LINUX);
    image_place(&i, RAM);
    CHECK_EQ_U64(i.entry, RAM + 0x200000);
    CHECK_EQ_U64(i.segment[0].at, RAM + 0x200000);
    CHECK_EQ_U64(i.segment[0].file_bytes, sizeof f);
    CHECK_EQ_U64(i.segment[0].memory_bytes, 0x30000);
    struct vm_error e = image_parse(&b, GUEST_ARM64, &i);
    CHECK_STR(vm_failed(e) ? e.reason : "", "Linux Image: made for another architecture");
    store_le64(f + 16, 7);                                  /* less than the file: the file's size counts */
    CHECK(!vm_failed(image_parse(&b, GUEST_RISCV64, &i)));
    CHECK_EQ_U64(i.segment[0].memory_bytes, sizeof f);
    store_le64(f + 16, UINT64_MAX);
    CHECK_STR(refusal(f, sizeof f), "Linux Image: absurd size in its header");
    store_le64(f + 16, 0);
    store_le64(f + 8, UINT64_MAX - 0x1000);
    CHECK_STR(refusal(f, sizeof f), "Linux Image: absurd size in its header");
}

TEST(linux_image_of_arm64_is_known_by_its_magic)
{
    uint8_t f[64] = { 0 };
    struct image i;
    memcpy(f + 56, "ARM\x64", 4);
    struct blob b = { f, sizeof f };
    CHECK(!vm_failed(image_parse(&b, GUEST_ARM64, &i)));
    CHECK_EQ_U64(i.format, IMAGE_LINUX);
    CHECK_STR(refusal(f, sizeof f), "Linux Image: made for another architecture");
}

TEST(compressed_images_are_refused_by_name)
{
    uint8_t f[128] = { 0x1f, 0x8b, 8 };
    CHECK_STR(refusal(f, sizeof f), "the image is compressed with gzip: unpack it first");
    CHECK_STR(refusal(f, 2), "the image is compressed with gzip: unpack it first");
    memcpy(f, "\xfd""7zXZ\0", 6);
    CHECK_STR(refusal(f, sizeof f), "the image is compressed with xz: unpack it first");
    memcpy(f, "\x28\xb5\x2f\xfd", 4);
    CHECK_STR(refusal(f, sizeof f), "the image is compressed with zstd: unpack it first");
    memcpy(f, "MZ\0\0zimg", 8);
    CHECK_STR(refusal(f, sizeof f), "the image is an EFI zboot kernel: unpack it first");
}

TEST(anything_else_is_raw_and_starts_at_its_first_byte)
{
    static const uint8_t f[] = { 0x13, 0, 0 };
    struct image i;
    struct blob b = { f, sizeof f };
    CHECK(!vm_failed(image_parse(&b, GUEST_RISCV64, &i)));
    CHECK_EQ_U64(i.format, IMAGE_RAW);
    image_place(&i, RAM + 0x200000);
    CHECK_EQ_U64(i.entry, RAM + 0x200000);
    CHECK_STR(refusal(f, 0), "the image is empty");
}

TEST(loading_copies_the_file_and_clears_the_tail)
{
    struct elf f;
    struct image i;
    struct gmem m;
    uint8_t got[0x1000];
    good_elf(&f);
    for (unsigned n = 0x200; n < 0x380; n++) f.at[n] = (uint8_t)(n | 1);
    struct blob b = { f.at, sizeof f.at };
    CHECK(!vm_failed(image_parse(&b, GUEST_RISCV64, &i)));
    hart_pages();
    gmem_init(&m);
    CHECK(!vm_failed(gmem_add(&m, guest_phys_addr_make(RAM), MIB(4), GMEM_RAM)));
    memset(got, 0xee, sizeof got);
    for (unsigned n = 0; n < 4; n++)
        CHECK(!vm_failed(gmem_write_bulk(&m, guest_phys_addr_make(RAM + 0x200000 + n * 0x1000), got, sizeof got)));
    CHECK(!vm_failed(image_load(&i, &m)));
    CHECK(!vm_failed(gmem_read_bulk(&m, guest_phys_addr_make(RAM + 0x201000), got, sizeof got)));
    CHECK(!memcmp(got, f.at + 0x300, 0x80));
    for (unsigned n = 0x80; n < 0x1000; n++) CHECK_EQ_U64(got[n], 0);
    CHECK(!vm_failed(gmem_read_bulk(&m, guest_phys_addr_make(RAM + 0x200000), got, sizeof got)));
    CHECK(!memcmp(got, f.at + 0x200, 0x100));
    CHECK_EQ_U64(got[0x100], 0xee);
    CHECK(!vm_failed(gmem_read_bulk(&m, guest_phys_addr_make(RAM + 0x202000), got, sizeof got)));
    CHECK_EQ_U64(got[0], 0xee);
    i.segment[1].at = RAM + MIB(4) - 0x100;                 /* its cleared tail sticks out */
    struct vm_error e = image_load(&i, &m);
    CHECK_EQ_U64(e.kind, VM_MEMORY_INVALID_ADDRESS);
    gmem_free(&m);
}

TEST(no_file_of_random_bytes_makes_the_parser_read_outside)
{
    struct elf f;
    for (unsigned round = 0; round < 20000; round++) {
        good_elf(&f);
        if (round & 1) memset(f.at, 0, 64), store_le32(f.at + 56, 0x05435352);
        for (unsigned n = test_random() % 6; n < 6; n++) f.at[test_random() % 192] = (uint8_t)test_random();
        (void)refusal(f.at, test_random() % 400);
    }
}

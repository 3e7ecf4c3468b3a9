// SPDX-License-Identifier: Apache-2.0
/* What a guest's kernel or firmware file is, and how it comes into guest RAM: Linux Image (riscv64, arm64), ELF64, raw.
 * A file is hostile until parsed: every offset is checked against the file, every address against RAM. Values only; the
 * blob must outlive the image. Formats: Linux Documentation/riscv/boot-image-header and arm64/booting; ELF-64 1.5. */
#pragma once
#include "hv/isa/machine.h"

#define IMAGE_MAX_SEGMENTS 16

/* What a file turned out to be. */
enum image_format { IMAGE_RAW, IMAGE_LINUX, IMAGE_ELF };

/* memory_bytes - file_bytes at the end are cleared. `at` is absolute for ELF, an offset from the load address else. */
struct image_segment { uint64_t at, file_offset, file_bytes, memory_bytes; };
struct image {
    enum image_format    format;
    struct blob          file;
    uint64_t             entry;             /* as `at` */
    uint64_t             text_offset;       /* Linux Image: from the (2 MiB aligned) base that was asked for; 0 else */
    struct image_segment segment[IMAGE_MAX_SEGMENTS];
    unsigned             segment_count;
};

/* Recognises the file for a guest of that architecture. A wrong architecture, a compressed or a broken file: a
 * Core(INVALID_CONFIG) whose reason says which. */
NODISCARD struct vm_error image_parse(const struct blob *file, enum guest_arch arch, struct image *out);
/* Turns offsets into addresses: a raw file starts at base, a Linux Image at base + its text_offset. ELF stays, unless it
 * starts at address 0, as Linux's vmlinux does: its addresses are offsets from base then. */
void                      image_place(struct image *i, uint64_t base);
/* After image_place: from the first to behind the last byte in memory. */
void                      image_extent(const struct image *i, uint64_t *from, uint64_t *end);
/* After image_place: whether any byte of it lies in [from, end), and whether all of it does. */
bool                      image_overlaps(const struct image *i, uint64_t from, uint64_t end);
bool                      image_fits(const struct image *i, uint64_t from, uint64_t end);
/* After image_place: copies and clears. */
NODISCARD struct vm_error image_load(const struct image *i, struct gmem *m);
/* Clears [at, at + size_bytes) of guest RAM. */
NODISCARD struct vm_error image_clear(struct gmem *m, uint64_t at, uint64_t size_bytes);

// SPDX-License-Identifier: Apache-2.0
/* Guest RAM, addressed guest-physically. Backed by host chunks of 2 MiB that need not be neighbours, so a guest address
 * is never a host address. The only door to RAM for device models: checked spans, never a bare pointer kept.
 * The map is frozen once the VM starts: lookups take no lock. Contents are shared by all vCPUs and devices. */
#pragma once
#include "hv/base/error.h"

#define GMEM_CHUNK_BITS  21
#define GMEM_CHUNK_BYTES (1ull << GMEM_CHUNK_BITS)
#define GMEM_MAX_RANGES  4

enum gmem_kind { GMEM_RAM, GMEM_ROM };                         /* a store to ROM is an AccessViolation */
struct gmem_range { uint64_t base, size_bytes; enum gmem_kind kind; void **chunks; };
struct gmem { struct gmem_range range[GMEM_MAX_RANGES]; unsigned range_count; };

void                      gmem_init(struct gmem *m);
/* Adds a range (4 KiB granules), allocates and clears its chunks. Overlap, zero size or too many: Core errors. */
NODISCARD struct vm_error gmem_add(struct gmem *m, guest_phys_addr base, uint64_t size_bytes, enum gmem_kind kind);
void                      gmem_free(struct gmem *m);           /* returns every page */
uint64_t                  gmem_size_bytes(const struct gmem *m);

/* Host pointer to `at` and, in *length, how many bytes follow contiguously (at most want_bytes). NULL: not RAM, or a
 * write to ROM. The pointer is for use now, not for keeping. */
void *gmem_span(struct gmem *m, guest_phys_addr at, uint64_t want_bytes, enum access_type how, uint64_t *length);
/* The whole [at, at+size) when it is contiguous in the host, else NULL. Naturally aligned small objects always are. */
void *gmem_slice(struct gmem *m, guest_phys_addr at, size_t size_bytes, enum access_type how);
/* Copies across chunks. Nothing is copied unless all of it is RAM (InvalidAddress / AccessViolation otherwise). */
NODISCARD struct vm_error gmem_read_bulk(struct gmem *m, guest_phys_addr at, void *out, uint64_t size_bytes);
NODISCARD struct vm_error gmem_write_bulk(struct gmem *m, guest_phys_addr at, const void *in, uint64_t size_bytes);
/* For loaders: like gmem_write_bulk but fills ROM too. */
NODISCARD struct vm_error gmem_load(struct gmem *m, guest_phys_addr at, const void *in, uint64_t size_bytes);
bool  gmem_is_ram(const struct gmem *m, guest_phys_addr at, uint64_t size_bytes);
/* Copies from a span of RAM that another hart or a device may be writing at this moment: each aligned piece is read once, as it
 * was at some time. For instructions, whose bytes a guest may change under whoever decodes them. */
void  gmem_copy_shared(void *out, const void *ram, size_t size_bytes);
/* The same reading, compared. */
bool  gmem_equals_shared(const void *ram, const void *bytes, size_t size_bytes);

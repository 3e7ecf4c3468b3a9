// SPDX-License-Identifier: Apache-2.0
/* The guest's device window. The table is frozen at VM start, so lookups take no lock and allocate nothing.
 * The bus serialises accesses to one device by the region's own lock, checks size and alignment, and splits or refuses;
 * a device never sees an access outside its declared bounds. */
#pragma once
#include "hv/arch/spin.h"
#include "hv/base/error.h"

#define MMIO_MAX_REGIONS 64

/* Offsets are bytes inside the device; size_bytes is 1, 2, 4 or 8. A returned error becomes the guest's bus error.
 * Read takes a mutable device: a UART's read pops its FIFO. */
struct mmio_ops {
    const char *name;
    struct vm_error (*read )(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out);
    struct vm_error (*write)(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value);
    void            (*poll )(void *dev, uint64_t now_ns);       /* NULL: nothing to do on its own */
    void            (*reset)(void *dev);                        /* to power-on state, nothing in flight, no timer running; NULL: stateless */
    void            (*destroy)(void *dev);                      /* the bus owns the device; NULL: nothing to free */
};
struct mmio_region {
    guest_phys_addr base;
    uint64_t        size_bytes;
    uint8_t         min_access_bytes, max_access_bytes;         /* narrower or wider accesses are a bus error */
    const struct mmio_ops *ops;
    void           *dev;
    struct spinlock lock;                                       /* the bus's: held around ops */
};
struct mmio_bus {
    struct mmio_region region[MMIO_MAX_REGIONS];                /* in order of mapping; they never move */
    uint8_t            order[MMIO_MAX_REGIONS];                 /* indexes of region[], by address */
    unsigned           count;
    bool               is_frozen;                               /* atomic; until then `lock` guards order and count */
    struct spinlock    lock;
};

void                      mmio_init(struct mmio_bus *bus);
/* Takes ownership of the device. Overlap or a full or frozen table: an error, and the device stays the caller's. Any
 * thread, also while others already use the bus. */
NODISCARD struct vm_error mmu_map_mmio(struct mmio_bus *bus, const struct mmio_region *r);
/* The VM starts: no more mapping, no more locking for a lookup. */
void                      mmio_freeze(struct mmio_bus *bus);
struct mmio_region       *mmio_find(struct mmio_bus *bus, guest_phys_addr at);   /* NULL: no device there */
/* One access of 1, 2, 4 or 8 bytes; false: bus error (nothing there, wrong size, crossing the end, device refused). */
NODISCARD bool            mmio_read(struct mmio_bus *bus, guest_phys_addr at, unsigned size_bytes, uint64_t *out);
NODISCARD bool            mmio_write(struct mmio_bus *bus, guest_phys_addr at, unsigned size_bytes, uint64_t value);
/* Would an access there reach the device? Else the error that mmio_access_in gives. */
NODISCARD struct vm_error mmio_check(const struct mmio_region *r, guest_phys_addr at, unsigned size_bytes);
/* The same with the reason: Memory(InvalidAddress) for nothing there, Memory(Alignment) for a size or an alignment that
 * the region does not take, else the device's own error. how: ACCESS_READ or ACCESS_WRITE. `in`: r is what mmio_find said. */
NODISCARD struct vm_error mmio_access_at(struct mmio_region *r, uint64_t offset, unsigned size_bytes, enum access_type how, uint64_t *value);   /* was checked */
NODISCARD struct vm_error mmio_access_in(struct mmio_region *r, guest_phys_addr at, unsigned size_bytes, enum access_type how, uint64_t *value);
NODISCARD struct vm_error mmio_access(struct mmio_bus *bus, guest_phys_addr at, unsigned size_bytes, enum access_type how, uint64_t *value);
/* Gives each device that wants it a chance to work; the bus is frozen. */
void                      mmu_poll_devices(struct mmio_bus *bus, uint64_t now_ns);
void                      mmio_reset(struct mmio_bus *bus);
void                      mmio_destroy(struct mmio_bus *bus);

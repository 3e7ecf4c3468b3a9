// SPDX-License-Identifier: Apache-2.0
/* A chip before its bus, for unit tests: its registers, and wires that remember. Single thread. */
#pragma once
#include "hv/base/bits.h"
#include "hv/base/irq_line.h"
#include "hv/core/percpu.h"
#include "hv/core/timer.h"
#include "hv/mmu/mmio.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"

struct wire { bool level; unsigned raises; };

static inline void wire_set(void *sink, uint32_t pin, bool level)
{
    struct wire *w = (struct wire *)sink + pin;
    if (level && !w->level) w->raises++;
    w->level = level;
}
static inline struct irq_line wire_line(struct wire *w) { return (struct irq_line){ wire_set, w, 0 }; }

static inline void chip_pages(void)
{
    test_pages();
    percpu_init(0);
}
static inline uint64_t chip_read(struct mmio_region *r, uint64_t offset, unsigned size_bytes)
{
    uint64_t v = 0x5a5a5a5a5a5a5a5a;
    CHECK(!vm_failed(r->ops->read(r->dev, offset, size_bytes, &v)));
    return v;
}
static inline void chip_write(struct mmio_region *r, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    CHECK(!vm_failed(r->ops->write(r->dev, offset, size_bytes, value)));
}
/* Any access that the bus would let through, anywhere: a chip must only stand it. */
static inline void chip_torture(struct mmio_region *r, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        unsigned size = r->min_access_bytes;
        while (size < r->max_access_bytes && test_random() & 1) size *= 2;
        uint64_t span = test_random() & 1 ? r->size_bytes : r->size_bytes < 64 ? r->size_bytes : 64;
        uint64_t offset = test_random() % span & ~(uint64_t)(size - 1);
        uint64_t value = test_random() >> (test_random() % 64);
        if (test_random() & 1) chip_read(r, offset, size);
        else chip_write(r, offset, size, size < 8 ? value & ((1ull << 8 * size) - 1) : value);
    }
}
/* Lets due timers fire until the condition holds; gives up after ten seconds. */
#define CHIP_WAIT(condition)                                                                                        \
    for (uint64_t end_ns_ = arch_time_ns() + 10000000000ull; !(condition) && arch_time_ns() < end_ns_;) timer_run_due()

// SPDX-License-Identifier: Apache-2.0
/* What the loader says of memory, made to agree with itself before anything is mapped: whoever believes a list that overlaps gives
 * one page to two. Boot core, before the MMU is on. */
#include "boot/board.h"
#include "hv/base/bits.h"

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

static void sort(struct boot_range *r, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct boot_range moving = r[i];
        unsigned at = i;
        for (; at && r[at - 1].base > moving.base; at--) r[at] = r[at - 1];
        r[at] = moving;
    }
}

/* Neighbours become one; what was told before is cut off. */
static void merge_ram(struct machine *m)
{
    unsigned kept = 0;
    sort(m->ram, m->ram_count);
    for (unsigned i = 0; i < m->ram_count; i++) {
        struct boot_range next = m->ram[i], *last = kept ? &m->ram[kept - 1] : NULL;
        uint64_t end = next.base + next.size_bytes, last_end = last ? last->base + last->size_bytes : 0;
        if (!last || next.base > last_end) {
            m->ram[kept++] = next;
            continue;
        }
        if (next.base < last_end) machine_note(m, "memory twice", next.base, next.size_bytes);
        if (end > last_end) last->size_bytes = end - last->base;
    }
    m->ram_count = kept;
}

static bool is_in_ram(const struct machine *m, uint64_t base, uint64_t size_bytes)
{
    for (unsigned i = 0; i < m->ram_count; i++) {
        const struct boot_range *r = &m->ram[i];
        if (base >= r->base && base - r->base < r->size_bytes && size_bytes <= r->size_bytes - (base - r->base)) return true;
    }
    return false;
}

static void keep_chip(struct machine *m, uint64_t base, uint64_t size_bytes)
{
    for (unsigned i = 0; base && i < m->ram_count; i++) {
        if (!overlap(m->ram[i].base, m->ram[i].size_bytes, base, size_bytes)) continue;
        machine_note(m, "memory over a device", base, size_bytes);
        if (machine_add(m->no_map, &m->no_map_count, base, size_bytes) && machine_add(m->reserved, &m->reserved_count, base, size_bytes)) return;
        m->ram_count = 0;                                 /* no room to say so: rather none than this */
    }
}

static void keep_chips(struct machine *m)
{
    const struct aarch64_platform *p = &m->platform;
    const uint64_t pages[] = { p->rtc, p->bcm2836_local, p->bcm2835_armctrl, p->bcm2835_pm, p->bcm2835_rng };
    keep_chip(m, p->gicd, p->gicd_size);
    keep_chip(m, p->gicc, p->gicc_size);
    for (unsigned i = 0; i < p->gicr_count; i++) keep_chip(m, p->gicr[i].base, p->gicr[i].size_bytes);
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++) keep_chip(m, align_down(pages[i], HV_PAGE_BYTES), HV_PAGE_BYTES);
    if (m->uart.chip) keep_chip(m, m->uart.base, m->uart.size_bytes);
}

static void judge_initrd(struct machine *m)
{
    struct boot_range *r = &m->initrd;
    bool is_good = is_in_ram(m, r->base, r->size_bytes);
    for (unsigned i = 0; i < m->no_map_count; i++) is_good &= !overlap(m->no_map[i].base, m->no_map[i].size_bytes, r->base, r->size_bytes);
    if (is_good || !r->size_bytes) return;
    machine_note(m, "an initrd outside of memory", r->base, r->size_bytes);
    r->size_bytes = 0;
}

void machine_settle(struct machine *m)
{
    merge_ram(m);
    keep_chips(m);
    judge_initrd(m);
}

// SPDX-License-Identifier: Apache-2.0
/* The host's disks and who uses which part of them; see hostdisk.h. The claims belong to the lock; the disks are constant
 * after boot. Partition tables are read whenever they are asked for: whoever has a whole disk may have changed it. */
#include "hv/vm/hostdisk.h"
#include "drivers/block/gpt.h"
#include "hv/arch/spin.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/log.h"

#define CLAIMS_MOST 64

struct host_disk { struct block *block; char where[48]; };
struct claim { bool is_used, is_read_only; unsigned disk; uint64_t first, count; };

static struct host_disk disks[HOST_DISKS_MOST];
static unsigned disk_count;
static struct claim claims[CLAIMS_MOST];
static struct spinlock lock;
static char refusal[160];                                 /* the operator opens one disk at a time */

void host_disk_add(struct block *disk, const char *where)
{
    if (disk_count == HOST_DISKS_MOST) {
        log_error("host disk %s: there are %u already", where, HOST_DISKS_MOST);
        return;
    }
    struct host_disk *d = &disks[disk_count];
    d->block = disk;
    hv_snprintf(d->where, sizeof d->where, "%s", where);
    log_info("host:%u is %s, %lu MiB%s%s%s%s", disk_count, d->where, (unsigned long)(disk->sector_count >> 11), *disk->serial ? ", serial " : "",
             disk->serial, disk->is_read_only ? ", read-only" : "", disk->has_discard ? ", discards" : "");
    disk_count++;
}

unsigned host_disk_count(void) { return disk_count; }

static struct vm_error refuse(enum vm_error_kind kind, const char *spec, const char *why)
{
    hv_snprintf(refusal, sizeof refusal, "host:%.20s: %s", spec, why);
    return vm_error_because(kind, refusal);
}

static void give_back(void *claim)
{
    spin_lock(&lock);
    ((struct claim *)claim)->is_used = false;
    spin_unlock(&lock);
}

/* NULL: somebody is in the way (*is_taken), or there are too many claims. */
static struct claim *claim(unsigned disk, uint64_t first, uint64_t count, bool is_read_only, bool *is_taken)
{
    struct claim *place = NULL;
    *is_taken = false;
    spin_lock(&lock);
    for (unsigned i = 0; i < CLAIMS_MOST; i++) {
        struct claim *c = &claims[i];
        if (!c->is_used) place = place ? place : c;
        else if (c->disk == disk && first < c->first + c->count && c->first < first + count) *is_taken |= !(c->is_read_only && is_read_only);
    }
    if (*is_taken) place = NULL;
    if (place) *place = (struct claim){ true, is_read_only, disk, first, count };
    spin_unlock(&lock);
    return place;
}

/* "N" or "NpM"; partition 0: the whole disk. */
static bool parse(const char *spec, uint64_t *disk, uint64_t *partition)
{
    char text[24];
    if (strnlen(spec, sizeof text) == sizeof text) return false;
    memcpy(text, spec, strlen(spec) + 1);
    char *p = strchr(text, 'p');
    if (p) *p++ = 0;
    *partition = 0;
    return hv_parse_u64(text, false, disk) && (!p || (hv_parse_u64(p, false, partition) && *partition));
}

static struct vm_error find_partition(const char *spec, struct block *b, uint64_t number, uint64_t *first, uint64_t *count)
{
    struct gpt *g = heap_alloc(sizeof *g);
    if (!g) return refuse(VM_CORE_RESOURCE_EXHAUSTED, spec, "no memory for a partition table");
    struct vm_error e = gpt_read(b, g);
    if (vm_failed(e)) {
        e = refuse(e.kind, spec, e.reason);
    } else {
        if (g->primary_fault) log_notice("host:%s: partition table: %s; its backup is used", spec, g->primary_fault);
        const struct gpt_partition *p = number <= UINT32_MAX ? gpt_find(g, (uint32_t)number) : NULL;
        if (!p) e = refuse(VM_DEVICE_NOT_FOUND, spec, "the partition table has no such partition");
        else *first = p->first, *count = p->count;
    }
    heap_free(g);
    return e;
}

struct vm_error host_disk_open(const char *spec, bool is_read_only, struct block **out)
{
    uint64_t number, partition, first = 0, count;
    bool is_taken;
    if (!strncmp(spec, "host:", 5)) spec += 5;
    if (!parse(spec, &number, &partition)) return refuse(VM_DEVICE_CONFIG, spec, "a host's disk is written host:0, a partition host:0p2");
    if (number >= disk_count) {
        hv_snprintf(refusal, sizeof refusal, disk_count ? "host:%.20s: this host has %u disk%s" : "host:%.20s: this host has no disk that we can drive",
                    spec, disk_count, disk_count == 1 ? ", host:0" : "s");
        return vm_error_because(VM_DEVICE_NOT_FOUND, refusal);
    }
    struct block *b = disks[number].block;
    count = b->sector_count;
    if (!is_read_only && b->is_read_only) return refuse(VM_DEVICE_CONFIG, spec, "the disk is read-only: add ,ro");
    struct vm_error e = partition ? find_partition(spec, b, partition, &first, &count) : VM_SUCCESS;
    if (vm_failed(e)) return e;
    struct claim *c = claim((unsigned)number, first, count, is_read_only, &is_taken);
    if (is_taken) return refuse(VM_DEVICE_BUSY, spec, "in use already (all who share a disk must write ,ro)");
    if (!c) return refuse(VM_CORE_RESOURCE_EXHAUSTED, spec, "too many disks are open");
    e = block_part_create(b, first, count, is_read_only, give_back, c, out);
    if (vm_failed(e)) give_back(c);
    return e;
}

static const char *use_of(unsigned disk, uint64_t first, uint64_t count)
{
    bool is_read = false, is_written = false;
    spin_lock(&lock);
    for (unsigned i = 0; i < CLAIMS_MOST; i++) {
        const struct claim *c = &claims[i];
        if (!c->is_used || c->disk != disk || first >= c->first + c->count || c->first >= first + count) continue;
        is_read |= c->is_read_only;
        is_written |= !c->is_read_only;
    }
    spin_unlock(&lock);
    return is_written ? ", in use" : is_read ? ", being read" : "";
}

void host_disk_list(void (*say)(void *ctx, const char *line), void *ctx)
{
    char line[160];
    struct gpt *g = heap_alloc(sizeof *g);
    for (unsigned i = 0; i < disk_count; i++) {
        struct block *b = disks[i].block;
        hv_snprintf(line, sizeof line, "host:%u  %lu MiB  %s%s%s%s%s", i, (unsigned long)(b->sector_count >> 11), disks[i].where,
                    *b->serial ? "  serial " : "", b->serial, b->is_read_only ? ", read-only" : "", use_of(i, 0, b->sector_count));
        say(ctx, line);
        struct vm_error e = g ? gpt_read(b, g) : vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory");
        if (vm_failed(e) && e.kind != VM_DEVICE_NOT_FOUND) {
            hv_snprintf(line, sizeof line, "  partition table: %s", e.reason);
            say(ctx, line);
        }
        for (unsigned n = 0; !vm_failed(e) && n < g->count; n++) {
            const struct gpt_partition *p = &g->partition[n];
            hv_snprintf(line, sizeof line, "  host:%up%u  %lu KiB%s%s%s", i, p->number, (unsigned long)(p->count / 2), *p->name ? "  " : "", p->name,
                        use_of(i, p->first, p->count));
            say(ctx, line);
        }
    }
    if (!disk_count) say(ctx, "this host has no disk that we can drive");
    heap_free(g);
}

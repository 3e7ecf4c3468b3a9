// SPDX-License-Identifier: Apache-2.0
/* Opening an event log: the label, the newest segment and the unbroken run of complete ones before it, the valid prefix of
 * the newest; or a new log on a blank disk. See event_log_inside.h for why that is all that was safe, and no more. Nobody
 * else knows the log yet. */
#include "hv/vm/event_log_inside.h"
#include "hv/base/bits.h"
#include "hv/base/crc.h"
#include "hv/base/string.h"
#include "hv/core/page.h"

static struct vm_error refuse(const char *why) { return vm_error_because(VM_DEVICE_CONFIG, why); }

static struct vm_error read_sectors(struct event_log *l, uint64_t sector, uint32_t count)
{
    return block_ask(l->disk, BLOCK_READ, sector, count, l->frame);
}

/* ---- the label ---- */
static uint32_t label_crc(const struct log_label *b) { return crc32c(0, b, offsetof(struct log_label, crc)); }

static bool is_label(const struct log_label *b, uint64_t disk_sectors)
{
    return !memcmp(b->magic, LOG_MAGIC, sizeof b->magic) && b->crc == label_crc(b) && b->version == LOG_VERSION &&
           b->segment_sectors >= LOG_LEAST_SECTORS && b->segment_sectors <= LOG_SEGMENT_SECTORS && is_power_of_two(b->segment_sectors) &&
           b->segment_count >= LOG_LEAST_SEGMENTS && b->segment_count <= LOG_MOST_SEGMENTS &&
           LOG_FIRST_SECTOR + (uint64_t)b->segment_count * b->segment_sectors <= disk_sectors;
}

/* Zeroes; or a label that a power cut left half written: then nothing else can have been written yet. */
static bool is_blank(const uint8_t *bytes)
{
    static const char none[8];
    for (uint32_t i = sizeof(struct log_label); i < LOG_BLANK_BYTES; i++) {
        if (bytes[i]) return false;
    }
    return !memcmp(bytes, none, 8) || !memcmp(bytes, LOG_MAGIC, 8);
}

static struct vm_error make_label(struct event_log *l)
{
    struct log_label *b = &l->label;
    uint32_t sectors = LOG_SEGMENT_SECTORS;
    uint64_t room = l->disk->sector_count - LOG_FIRST_SECTOR;
    while (sectors > LOG_LEAST_SECTORS && room / sectors < LOG_LEAST_SEGMENTS) sectors /= 2;
    *b = (struct log_label){ .magic = LOG_MAGIC, .version = LOG_VERSION, .segment_sectors = sectors,
                             .segment_count = room / sectors < LOG_MOST_SEGMENTS ? (uint32_t)(room / sectors) : LOG_MOST_SEGMENTS };
    if (!arch_random_u64(&b->id)) b->id = arch_wall_time_s() << 32 ^ arch_time_ns();
    b->crc = label_crc(b);
    memset(l->frame, 0, BLOCK_SECTOR_BYTES);
    memcpy(l->frame, b, sizeof *b);
    struct vm_error e = block_ask(l->disk, BLOCK_WRITE, 0, 1, l->frame);
    if (!vm_failed(e)) e = block_ask(l->disk, BLOCK_FLUSH, 0, 0, NULL);
    return e;
}

static struct vm_error find_label(struct event_log *l, bool *is_new)
{
    if (l->disk->sector_count < LOG_FIRST_SECTOR + LOG_LEAST_SEGMENTS * LOG_LEAST_SECTORS) return refuse("an event log needs 68 KiB");
    struct vm_error e = read_sectors(l, 0, LOG_BLANK_BYTES / BLOCK_SECTOR_BYTES);
    if (vm_failed(e)) return e;
    memcpy(&l->label, l->frame, sizeof l->label);
    *is_new = !is_label(&l->label, l->disk->sector_count);
    if (!*is_new) return VM_SUCCESS;
    if (is_blank(l->frame)) return make_label(l);
    if (!memcmp(l->frame, LOG_MAGIC, 8)) return refuse("it holds an event log that is damaged or of another version");
    return refuse("it holds something that is no event log: zero its first 64 KiB to have one made");
}

/* ---- frames ---- */
/* The frame that begins `at` sectors into the segment in l->frame; NULL: none that belongs there. Its sectors in *sectors. */
static struct log_frame *frame_at(struct event_log *l, uint32_t at, uint32_t limit, uint32_t *sectors)
{
    struct log_frame *f = (struct log_frame *)(l->frame + (size_t)at * BLOCK_SECTOR_BYTES);
    if (at >= limit || f->magic != LOG_FRAME_MAGIC || f->id != l->label.id) return NULL;
    if (f->row_count > EVENT_LOG_MOST_VMS || f->entry_count > LOG_SEGMENT_SECTORS * 8) return NULL;
    *sectors = log_frame_sectors(f->row_count, f->entry_count);
    if (*sectors > limit - at) return NULL;
    uint32_t crc = f->crc;
    f->crc = 0;
    bool is_whole = crc32c(0, f, (size_t)*sectors * BLOCK_SECTOR_BYTES) == crc;
    f->crc = crc;
    return is_whole ? f : NULL;
}

/* The number of the segment whose head is in this place; 0: no valid head. */
static struct vm_error read_head(struct event_log *l, uint32_t place, uint64_t *number)
{
    enum { MOST = (64 + EVENT_LOG_MOST_VMS * 16) / BLOCK_SECTOR_BYTES + 1 };
    uint32_t sectors;
    struct vm_error e = read_sectors(l, log_sector(l, place), MOST);
    const struct log_frame *f = vm_failed(e) ? NULL : frame_at(l, 0, MOST, &sectors);
    *number = f && f->is_head && f->segment && f->segment % l->label.segment_count == place ? f->segment : 0;
    return e;
}

static void follow(struct event_log *l, const struct log_frame *f)
{
    l->next_frame = f->number + 1;
    l->previous_crc = f->crc;
    if (f->highest_vm > l->highest_vm) l->highest_vm = f->highest_vm;
}

static void take_rows(struct event_log *l, const struct log_frame *head)
{
    const struct log_row *row = (const struct log_row *)(head + 1);
    memset(l->vms, 0, sizeof l->vms);
    for (uint32_t i = 0; i < head->row_count; i++) l->vms[i] = (struct vm_row){ .vm = row[i].vm, .is_used = true, .last_seq = row[i].last_seq };
}

/* ---- segments ---- */
/* Reads segment `number`, whose head is valid. If the frames before it are not all there, they are no part of the log. */
static struct vm_error load(struct event_log *l, uint64_t number, uint32_t *dropped)
{
    uint32_t sectors, limit = l->label.segment_sectors;
    struct vm_error e = read_sectors(l, log_sector(l, number), limit);
    if (vm_failed(e)) return e;
    struct log_frame *f = frame_at(l, 0, limit, &sectors);
    if (!f) return vm_error_because(VM_DEVICE_IO_FAILED, "the disk does not read twice what it holds");
    if (l->oldest <= l->newest && (f->number != l->next_frame || f->previous_crc != l->previous_crc)) {
        for (; l->oldest <= l->newest; ++*dropped) log_drop_oldest(l);
    }
    if (l->oldest > l->newest) take_rows(l, f);
    follow(l, f);
    if (!log_open_segment(l, number)) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for events");
    struct segment *s = log_segment(l, number);
    s->head = HEAD_SAFE;
    for (s->at = sectors; (f = frame_at(l, s->at, limit, &sectors)); s->at += sectors) {
        if (f->is_head || f->segment != number || f->number != l->next_frame || f->previous_crc != l->previous_crc) break;
        const struct event *entry = (const struct event *)((const struct log_row *)(f + 1) + f->row_count);
        for (uint32_t i = 0; i < f->entry_count; i++) log_store(l, &entry[i]);
        follow(l, f);
    }
    s->framed = s->count;
    return VM_SUCCESS;
}

/* The newest segment is in l->frame: what a cut left behind its valid prefix must never be believed. */
static struct vm_error erase_rest(struct event_log *l)
{
    const struct segment *s = log_segment(l, l->newest);
    uint32_t limit = l->label.segment_sectors;
    bool has_rest = false;
    for (uint32_t at = s->at; at < limit; at++) {
        const struct log_frame *f = (const struct log_frame *)(l->frame + (size_t)at * BLOCK_SECTOR_BYTES);
        has_rest |= f->magic == LOG_FRAME_MAGIC && f->id == l->label.id && f->segment == l->newest;
    }
    if (!has_rest) return VM_SUCCESS;
    struct vm_error e = block_ask(l->disk, BLOCK_WRITE_ZEROES, log_sector(l, l->newest) + s->at, limit - s->at, NULL);
    if (!vm_failed(e)) e = block_ask(l->disk, BLOCK_FLUSH, 0, 0, NULL);
    return e;
}

static struct vm_error load_all(struct event_log *l, struct event_log_found *found)
{
    uint64_t number[LOG_MOST_SEGMENTS] = { 0 }, newest = 0;
    uint32_t count = l->label.segment_count, valid = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct vm_error e = read_head(l, i, &number[i]);
        if (vm_failed(e)) return e;
        valid += number[i] != 0;
        if (number[i] > newest) newest = number[i];
    }
    l->oldest = 1;
    l->next_frame = 1;
    if (!newest) return log_open_segment(l, 1) ? VM_SUCCESS : vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for events");
    uint64_t first = newest;
    while (first > 1 && newest - first + 1 < count && number[(first - 1) % count] == first - 1) first--;
    found->dropped_segments = valid - (uint32_t)(newest - first + 1);
    l->oldest = first;
    l->newest = first - 1;
    for (uint64_t n = first; n <= newest; n++) {
        struct vm_error e = load(l, n, &found->dropped_segments);
        if (vm_failed(e)) return e;
    }
    return erase_rest(l);
}

struct vm_error log_recover(struct event_log *l, struct event_log_found *found)
{
    *found = (struct event_log_found){ .is_new = false };
    l->frame = page_alloc(LOG_BLANK_BYTES / HV_PAGE_BYTES, 1);
    if (!l->frame) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an event store");
    struct vm_error e = find_label(l, &found->is_new);
    if (!vm_failed(e)) e = load_all(l, found);
    if (vm_failed(e)) return e;
    l->writing = l->newest;
    l->framed = l->safe = l->appended;
    for (unsigned i = 0; i < EVENT_LOG_MOST_VMS; i++) {
        l->vms[i].is_current = false;
        found->vm_count += l->vms[i].is_used;
        found->event_count += l->vms[i].is_used ? l->vms[i].count : 0;
    }
    found->highest_vm = l->highest_vm;
    found->last_frame = l->next_frame - 1;
    found->last_checksum = l->previous_crc;
    return VM_SUCCESS;
}
_Static_assert(LOG_BLANK_BYTES == LOG_SEGMENT_SECTORS * BLOCK_SECTOR_BYTES, "one buffer for both");

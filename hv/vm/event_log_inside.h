// SPDX-License-Identifier: Apache-2.0
/* The event log's inside: its format on the disk and the state that its three files share. Sector 0 describes the log and
 * is written once. Behind it lie segments; segment n is in place n % count. A segment is a head and then frames, each in
 * sectors of its own, so that no write ever touches what an earlier one made safe. What makes every power cut harmless:
 *  1. A frame has a checksum over all of it, its segment, its number and the checksum of the frame before: a stale or torn
 *     one, or one behind a hole, is never taken.
 *  2. All frames of a segment are safe before the next head is written, and that head before its first frame: so a valid
 *     head proves the segments before it complete, and no segment is overwritten in part while its own head is valid.
 *  3. A head has the numbering of all VMs: what leaves with an old segment is never needed again.
 *  4. At the opening everything behind the last valid frame of its segment is erased: what a cut left there out of order
 *     cannot become the successor of a new frame.
 * All numbers are little-endian. Everything in memory belongs to the lock, but what a write or flush in flight uses, which
 * is the writer's while is_busy. */
#pragma once
#include "hv/core/timer.h"
#include "hv/vm/event_log.h"

#define LOG_MAGIC           "HOSPESEV"
#define LOG_VERSION         1
#define LOG_FRAME_MAGIC     0x4d465645u                   /* "EVFM" */
#define LOG_FIRST_SECTOR    8
#define LOG_SEGMENT_SECTORS 128u
#define LOG_LEAST_SECTORS   32u                           /* of a segment: a full head and some frames */
#define LOG_LEAST_SEGMENTS  4u
#define LOG_MOST_SEGMENTS   64u
#define LOG_BLANK_BYTES     KIB(64)
#define LOG_DELETED         0xffu                         /* an entry's kind: its VM was deleted */
#define LOG_HOLE            0xfeu                         /* an event of a VM that was deleted */

struct log_label {                                        /* sector 0 */
    char     magic[8];
    uint32_t version, segment_sectors, segment_count, reserved;
    uint64_t id;
    uint8_t  rest[28];
    uint32_t crc;                                         /* of the bytes before it */
};
struct log_frame {
    uint32_t magic, crc;                                  /* crc: of the whole frame, itself as 0 */
    uint64_t id, segment, number;                         /* number: +1 each, for ever */
    uint32_t previous_crc, is_head, row_count, entry_count, highest_vm, reserved[3];
};
struct log_row { uint64_t last_seq; uint32_t vm, reserved; };
_Static_assert(sizeof(struct log_label) == 64 && sizeof(struct log_frame) == 64 && sizeof(struct log_row) == 16 && sizeof(struct event) == 64,
               "the format on the disk");

struct vm_row { uint32_t vm; bool is_used, is_current; uint64_t last_seq, count; };    /* is_current: it has had an event since the opening */

enum head_state { HEAD_WANTED, HEAD_WRITTEN, HEAD_SAFE };
struct segment {
    uint64_t      number, first;                          /* first: position of its first entry among all */
    struct event *entry;                                  /* as many as fit on the disk */
    unsigned      count, framed;                          /* entries; how many of them have been written, or are being */
    uint32_t      at;                                     /* sectors used by its frames */
    enum head_state head;
    struct log_row *rows;                                 /* of the head, until it is written */
    uint32_t      row_count, highest_vm;
};
enum writer_step { STEP_NONE, STEP_HEAD, STEP_FRAME, STEP_FLUSH };
struct event_log {
    struct event_store base;
    struct block      *disk;
    struct spinlock    lock;
    struct log_label   label;
    struct vm_row      vms[EVENT_LOG_MOST_VMS], judged[EVENT_LOG_MOST_VMS];
    uint32_t           highest_vm;
    struct segment     segment[LOG_MOST_SEGMENTS];        /* number n in [n % segment_count]; held: oldest .. newest */
    uint64_t           oldest, newest, writing;           /* writing: where the writer is */
    uint64_t           appended;                          /* positions, counted from the opening's first */
    uint64_t           framed, safe;                      /* positions: in frames; covered by a flush */
    bool               is_urgent, is_dirty, is_busy, is_broken, is_timer_set;
    enum writer_step   step;
    uint32_t           phase;                             /* atomic: who goes on, the submitter or the completion */
    struct vm_error    result;
    uint64_t           next_frame;
    uint32_t           previous_crc;
    uint8_t           *frame;                             /* a segment's size */
    struct block_piece piece;
    struct block_request request;
    struct timer       timer;
};

/* event_log.c. Lock held, or nobody else knows the log yet. */
bool           log_open_segment(struct event_log *l, uint64_t number);   /* entries' memory; false: there is none */
void           log_drop_oldest(struct event_log *l);
void           log_store(struct event_log *l, const struct event *e);    /* into the newest; and what it means for the table */
void           log_free(struct event_log *l);
/* Its sectors on the disk. */
static inline uint64_t log_sector(const struct event_log *l, uint64_t segment)
{
    return LOG_FIRST_SECTOR + segment % l->label.segment_count * l->label.segment_sectors;
}
static inline uint32_t log_frame_sectors(uint32_t rows, uint32_t entries)
{
    return (uint32_t)((sizeof(struct log_frame) + rows * sizeof(struct log_row) + entries * sizeof(struct event) + BLOCK_SECTOR_BYTES - 1) / BLOCK_SECTOR_BYTES);
}
static inline struct segment *log_segment(struct event_log *l, uint64_t number) { return &l->segment[number % l->label.segment_count]; }

/* event_log_writer.c; no lock held. pump: goes on writing, if there is something; soon: within a second. */
void           log_writer_init(struct event_log *l);
void           log_pump(struct event_log *l);
void           log_pump_soon(struct event_log *l);
/* event_log_recovery.c: reads what the disk holds, or makes a new log. */
NODISCARD struct vm_error log_recover(struct event_log *l, struct event_log_found *found);

// SPDX-License-Identifier: Apache-2.0
/* The event log's writer: one request at a time, each write followed by a flush, so that what waits meanwhile goes out in
 * one frame. It has no thread: whoever appends starts it, each completion goes on. See event_log_inside.h for the order. */
#include "hv/vm/event_log_inside.h"
#include "hv/base/crc.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/log.h"

#define SOON_NS 1000000000ull

enum { PHASE_SUBMITTING, PHASE_WAITING, PHASE_DONE };

/* ---- the next step; lock held ---- */
static void seal(struct event_log *l, struct log_frame *f, uint32_t at, uint32_t sectors)
{
    f->magic = LOG_FRAME_MAGIC;
    f->id = l->label.id;
    f->segment = l->writing;
    f->number = l->next_frame++;
    f->previous_crc = l->previous_crc;
    f->crc = 0;
    l->previous_crc = f->crc = crc32c(0, f, (size_t)sectors * BLOCK_SECTOR_BYTES);
    l->piece = (struct block_piece){ f, sectors * BLOCK_SECTOR_BYTES };
    l->request.verb = BLOCK_WRITE;
    l->request.sector = log_sector(l, l->writing) + at;
    l->request.sector_count = sectors;
    l->request.piece_count = 1;
}

static enum writer_step make_head(struct event_log *l, struct segment *s)
{
    struct log_frame *f = (struct log_frame *)l->frame;
    uint32_t sectors = log_frame_sectors(s->row_count, 0);
    memset(f, 0, (size_t)sectors * BLOCK_SECTOR_BYTES);
    if (s->rows) memcpy(f + 1, s->rows, s->row_count * sizeof *s->rows);
    f->is_head = 1;
    f->row_count = s->row_count;
    f->highest_vm = s->highest_vm;
    seal(l, f, 0, sectors);
    return STEP_HEAD;
}

static enum writer_step make_frame(struct event_log *l, struct segment *s)
{
    struct log_frame *f = (struct log_frame *)l->frame;
    uint32_t entries = s->count - s->framed, sectors = log_frame_sectors(0, entries);
    memset(f, 0, (size_t)sectors * BLOCK_SECTOR_BYTES);
    memcpy(f + 1, s->entry + s->framed, entries * sizeof *s->entry);
    f->entry_count = entries;
    f->highest_vm = l->highest_vm;
    seal(l, f, s->at, sectors);
    s->framed = s->count;
    s->at += sectors;
    l->framed = s->first + s->count;
    return STEP_FRAME;
}

static enum writer_step make_flush(struct event_log *l)
{
    l->request.verb = BLOCK_FLUSH;
    l->request.sector = l->request.sector_count = 0;
    l->request.piece_count = 0;
    return STEP_FLUSH;
}

static enum writer_step choose(struct event_log *l)
{
    if (l->is_broken) return STEP_NONE;
    if (l->is_dirty) return make_flush(l);
    while (l->is_urgent) {
        struct segment *s = log_segment(l, l->writing);
        if (s->framed < s->count) return s->head == HEAD_WANTED ? make_head(l, s) : make_frame(l, s);
        if (l->writing == l->newest) break;
        l->writing++;
    }
    l->is_urgent = false;
    return STEP_NONE;
}

static void apply(struct event_log *l, enum writer_step step)
{
    struct segment *s = log_segment(l, l->writing);
    switch (step) {
    case STEP_HEAD:
        s->head = HEAD_WRITTEN;
        heap_free(s->rows);
        s->rows = NULL;
        l->is_dirty = true;
        return;
    case STEP_FRAME:
        l->is_dirty = true;
        return;
    case STEP_FLUSH:
        if (s->head == HEAD_WRITTEN) s->head = HEAD_SAFE;
        l->is_dirty = false;
        l->safe = l->framed;
        return;
    case STEP_NONE:
        return;
    }
}

/* ---- running; lock not held ---- */
/* True: there is another step, in l->request. */
static bool complete(struct event_log *l)
{
    spin_lock(&l->lock);
    enum writer_step step = l->step;
    uint64_t frame = l->next_frame - 1;
    uint32_t crc = l->previous_crc;
    bool has_failed = vm_failed(l->result), is_more;
    l->is_broken |= has_failed;
    if (!has_failed) apply(l, step);
    l->step = choose(l);
    is_more = l->is_busy = l->step != STEP_NONE;
    spin_unlock(&l->lock);                                /* without another step the log may be gone from here on */
    if (has_failed) log_error("the events' disk has failed: from now on they are kept in memory only");
    else if (step == STEP_FLUSH) log_debug("event log: frame %lu is safe, checksum %08x", (unsigned long)frame, crc);
    return is_more;
}

static void run(struct event_log *l)
{
    do {
        __atomic_store_n(&l->phase, PHASE_SUBMITTING, __ATOMIC_RELEASE);
        block_submit(l->disk, &l->request);
        if (__atomic_exchange_n(&l->phase, PHASE_WAITING, __ATOMIC_ACQ_REL) != PHASE_DONE) return;   /* pairs with done */
    } while (complete(l));
}

static void done(struct block_request *r, struct vm_error result)
{
    struct event_log *l = r->ctx;
    l->result = result;
    if (__atomic_exchange_n(&l->phase, PHASE_DONE, __ATOMIC_ACQ_REL) == PHASE_WAITING && complete(l)) run(l);     /* pairs with run */
}

void log_pump(struct event_log *l)
{
    spin_lock(&l->lock);
    bool is_mine = !l->is_busy;
    if (is_mine) {
        l->step = choose(l);
        is_mine = l->is_busy = l->step != STEP_NONE;
    }
    spin_unlock(&l->lock);
    if (is_mine) run(l);
}

static void fire(void *arg)
{
    struct event_log *l = arg;
    spin_lock(&l->lock);
    l->is_timer_set = false;
    l->is_urgent = true;
    spin_unlock(&l->lock);
    log_pump(l);
}

void log_pump_soon(struct event_log *l)
{
    spin_lock(&l->lock);
    bool is_set = l->is_timer_set;
    l->is_timer_set = true;
    spin_unlock(&l->lock);
    if (!is_set) timer_arm(&l->timer, arch_time_ns() + SOON_NS);
}

void log_writer_init(struct event_log *l)
{
    l->request = (struct block_request){ .piece = &l->piece, .done = done, .ctx = l };
    timer_init(&l->timer, fire, l);
}

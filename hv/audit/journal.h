// SPDX-License-Identifier: Apache-2.0
/* What a piece of guest code did to the world outside its vCPU: writes to RAM, with what was there, so that they can be taken back and
 * compared; device accesses with their answers, which are made once and replayed. A device's reads happen when they are met first; its writes
 * when the piece is done, since what the device then does to memory must not be taken back. No device refuses a write that reaches it.
 * Owner: the vCPU's thread. */
#pragma once
#include "hv/mmu/mmu.h"

#define JOURNAL_WRITES  1024
#define JOURNAL_DEVICES 256
#define JOURNAL_MARGIN  8                   /* bytes before and behind a write that must not change either */
#define JOURNAL_WINDOW  (16 + 2 * JOURNAL_MARGIN)

/* Of at most 16 bytes. window: memory around it when the piece was done. */
struct journal_write { uint8_t *at, *window_at; uint8_t size_bytes, window_bytes; uint8_t old[16], window[JOURNAL_WINDOW]; };
struct journal_device { guest_phys_addr gpa; uint8_t size_bytes; enum access_type how; bool is_pending; uint64_t value; struct vm_error error; };

struct journal {
    struct mmu_watch watch;                 /* first */
    struct vcpu *v;
    bool     is_checking;                   /* writes are compared with those in the journal, not added */
    bool     is_full;
    bool     has_other_access;              /* a device access, or a write, that the first run did not make */
    unsigned write_count, device_count, next_device;     /* those before next_device are answered already, in this run */
    struct journal_write  write[JOURNAL_WRITES];
    struct journal_device device[JOURNAL_DEVICES];
};

void journal_empty(struct journal *j);                            /* no writes; device answers stay */
void journal_finish(struct journal *j);                           /* notes what memory is now, around each write */
void journal_undo(struct journal *j);
void journal_redo(struct journal *j);                             /* memory as noted, also around the writes */
void journal_settle(struct journal *j, struct mmu *m);           /* devices get the writes that they have not seen */
/* The first write around which memory is not as noted; NULL: none. */
const struct journal_write *journal_difference(const struct journal *j);
/* Looks on from now: blind and recording, or comparing. end: looks no more. */
void journal_record(struct journal *j, struct vcpu *v);
void journal_check(struct journal *j, struct vcpu *v);
void journal_end(struct journal *j, struct vcpu *v);

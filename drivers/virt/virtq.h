// SPDX-License-Identifier: Apache-2.0
/* A split virtqueue seen from the device: takes chains of buffers, gives them back. The guest may write all of it at any
 * time, so each field is copied once, the copy is checked, and the copy is used. A queue belongs to its device's lock.
 * Virtual I/O Device 1.2, section 2.7. */
#pragma once
#include "hv/mmu/gmem.h"

#define VIRTQ_MAX_SIZE     256u
#define VIRTQ_MAX_SEGMENTS 256u           /* of one chain, indirect ones included */

struct virtq {
    struct gmem *gmem;
    uint64_t     descriptors, driver, device;      /* addresses of the three areas */
    uint32_t     size;                             /* as the driver said; lawful once is_ready */
    bool         is_ready;
    bool         has_indirect, has_event_idx;      /* negotiated */
    uint16_t     next_avail, next_used;            /* free-running */
    uint16_t     signalled;                        /* next_used when the driver was last considered for an interrupt */
    uint32_t     epoch;                            /* counts stops: a chain of another epoch must not come back */
    const char  *broken;                           /* what the driver did wrong; NULL: nothing */
};

struct virtq_segment { guest_phys_addr at; uint32_t size_bytes; };
/* One request: what the device reads, then what it writes. Every segment lies in RAM of the right kind. */
struct virtq_chain {
    uint16_t head;
    unsigned readable_count, writable_count;
    uint32_t readable_bytes, writable_bytes;
    struct virtq_segment segment[VIRTQ_MAX_SEGMENTS];         /* the readable ones first */
};

/* What virtq_pop came to. */
enum virtq_pop { VIRTQ_EMPTY, VIRTQ_CHAIN, VIRTQ_BROKEN };

void virtq_reset(struct virtq *q);                            /* keeps gmem; a new epoch */
void virtq_stop(struct virtq *q);                             /* keeps what the driver set; a new epoch */
/* Checks size and areas and starts the queue; false: broken says why. */
NODISCARD bool virtq_start(struct virtq *q);
/* The next available chain. VIRTQ_EMPTY has asked the driver (by event index) for a notification of the next one. */
NODISCARD enum virtq_pop virtq_pop(struct virtq *q, struct virtq_chain *out);
/* Makes the chain just taken the next one again. */
void virtq_unpop(struct virtq *q);
/* Gives a chain back with so many bytes written. A queue that is not ready takes nothing. */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written_bytes);
/* Whether the driver wants to hear of what was pushed since the last call. */
NODISCARD bool virtq_wants_interrupt(struct virtq *q);

/* Copies size_bytes at `offset` of the readable part out, or into the writable part. False: the chain is shorter. */
NODISCARD bool virtq_chain_read(struct gmem *m, const struct virtq_chain *c, uint32_t offset, void *out, uint32_t size_bytes);
NODISCARD bool virtq_chain_write(struct gmem *m, const struct virtq_chain *c, uint32_t offset, const void *in, uint32_t size_bytes);

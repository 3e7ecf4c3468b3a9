// SPDX-License-Identifier: Apache-2.0
/* The event store on a disk: a log that outlives power. Same calls and meaning as event_store_create_memory, but
 *  - when the log is full its oldest segment leaves whole, with some hundred events, and VMs keep their numbering;
 *  - a VM of an earlier start may lose its events to make room in the table of 256 VMs;
 *  - event_append returns when the event is in memory. Kinds that are not high-rate are written and flushed at once, behind
 *    the caller's back; the others within a second. What was appended before event_flush was called is safe when it returns.
 * After a power cut at any moment the log is a prefix of what was appended, with everything in it that a flush has covered;
 * a batch is in it whole or not at all. When the disk fails the store goes on in memory: event_flush tells. docs/disks.md
 * describes the format. */
#pragma once
#include "drivers/block/block.h"
#include "hv/core/event.h"

#define EVENT_LOG_MOST_VMS 256

/* What was found, for the log and for numbering. */
struct event_log_found { bool is_new; uint64_t event_count, last_frame; uint32_t last_checksum, vm_count, highest_vm, dropped_segments; };

/* Takes the disk over, if it succeeds. A blank disk (the first 64 KiB are zeroes) becomes a new log; one that holds something
 * else is refused, Device(Config). */
NODISCARD struct vm_error event_log_open(struct block *disk, struct event_store **out, struct event_log_found *found);

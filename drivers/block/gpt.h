// SPDX-License-Identifier: Apache-2.0
/* The partitions of a disk by its GUID partition table (UEFI 2.10, 5.3). Anybody may have written it, so nothing of it is
 * believed before it is checked; a table with any fault is no table. Any core, no lock held. */
#pragma once
#include "drivers/block/block.h"

#define GPT_MAX_PARTITIONS 128
#define GPT_NAME_BYTES     40

struct gpt_partition { uint32_t number; uint64_t first, count; char name[GPT_NAME_BYTES]; };    /* number: its entry, from 1; sectors */
struct gpt {
    struct gpt_partition partition[GPT_MAX_PARTITIONS];      /* in the table's order */
    unsigned    count;
    const char *primary_fault;                               /* NULL; else why the backup at the disk's end was used */
};

/* Device(NotFound): there is no table; Device(Config): both copies are broken; Device(IoFailed). The reason says why. */
NODISCARD struct vm_error gpt_read(struct block *disk, struct gpt *out);
const struct gpt_partition *gpt_find(const struct gpt *g, uint32_t number);      /* NULL: there is none */

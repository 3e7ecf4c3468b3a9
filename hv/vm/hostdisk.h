// SPDX-License-Identifier: Apache-2.0
/* The host's own disks, by the names of configurations: `host:0` is all of the first, `host:0p2` its GPT partition 2. Boot
 * adds the disks before anybody opens one. A range that somebody writes is his alone; readers share. Any core. */
#pragma once
#include "drivers/block/block.h"

#define HOST_DISKS_MOST 16

/* `where` is the device for people ("virtio-pci 00:03.0", a file's name); copied. A disk too many is refused in the log. */
void     host_disk_add(struct block *disk, const char *where);
unsigned host_disk_count(void);
/* spec: "0p2" or "host:0p2". block_destroy gives it back. The reason of a refusal is a whole sentence, valid until the next call. */
NODISCARD struct vm_error host_disk_open(const char *spec, bool is_read_only, struct block **out);
/* A line for each disk and partition, and who has it. */
void     host_disk_list(void (*say)(void *ctx, const char *line), void *ctx);

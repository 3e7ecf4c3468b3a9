// SPDX-License-Identifier: Apache-2.0
/* Any disk: its partition table, and the event log on it. A table that is believed has partitions inside the disk that do
 * not overlap; a log that opens takes an event and tells it again. */
#include "drivers/block/gpt.h"
#include "hv/vm/event_log.h"
#include "test/fuzz/input.h"
#include "test/unit/disk.h"

enum { SECTORS = 512 };

static void check_table(const struct gpt *g)
{
    CHECK(g->count <= GPT_MAX_PARTITIONS);
    for (unsigned i = 0; i < g->count; i++) {
        const struct gpt_partition *p = &g->partition[i];
        CHECK(p->count && p->first < SECTORS && p->count <= SECTORS - p->first && strnlen(p->name, sizeof p->name) < sizeof p->name);
        for (unsigned k = 0; k < i; k++) {
            const struct gpt_partition *q = &g->partition[k];
            CHECK(p->first + p->count <= q->first || q->first + q->count <= p->first);
        }
    }
}

static void check_log(struct event_store *s)
{
    struct event e = { .vm = 1, .kind = EVENT_VM_CREATED }, got;
    uint64_t seq;
    unsigned count = 0;
    if (!vm_failed(event_append(s, &e, &seq))) CHECK(!vm_failed(event_load(s, 1, seq, seq, &got, 1, &count)) && count == 1 && got.seq == seq);
    event_store_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct gpt g;
    static uint8_t image[SECTORS * BLOCK_SECTOR_BYTES];
    struct block *disk;
    struct event_store *store;
    struct event_log_found found;
    test_pages();
    input_start(data, size_bytes);
    /* Pieces of input at places of the input's choice, since most of a disk is empty. */
    memset(image, 0, sizeof image);
    while (input_left()) {
        size_t at = (size_t)input_number(1) * 1024 % sizeof image, n = 512;
        if (at == 0x40 * 1024) at = sizeof image - 512;                          /* the backup header's */
        for (size_t i = 0; i < n && input_left(); i++) image[at + i] = (uint8_t)input_number(1);
    }
    CHECK(!vm_failed(block_ram_create(sizeof image, &disk)) && disk_ok(disk, BLOCK_WRITE, 0, SECTORS, image));
    if (!vm_failed(gpt_read(disk, &g))) check_table(&g);
    if (!vm_failed(event_log_open(disk, &store, &found))) check_log(store);
    else block_destroy(disk);
    return 0;
}

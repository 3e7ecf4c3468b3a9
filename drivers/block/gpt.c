// SPDX-License-Identifier: Apache-2.0
/* GUID partition tables; see gpt.h. The primary header is in sector 1, its backup in the last one. */
#include "drivers/block/gpt.h"
#include "hv/base/bits.h"
#include "hv/base/crc.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

enum { H_REVISION = 8, H_SIZE = 12, H_CRC = 16, H_OWN = 24, H_FIRST_USABLE = 40, H_LAST_USABLE = 48, H_ENTRIES = 72, H_COUNT = 80,
       H_ENTRY_SIZE = 84, H_TABLE_CRC = 88, HEADER_BYTES = 92 };
enum { E_TYPE = 0, E_FIRST = 32, E_LAST = 40, E_NAME = 56, NAME_UNITS = 36, ENTRY_BYTES = 128, GUID_BYTES = 16 };
#define MAX_TABLE_BYTES KIB(128)

struct header { uint64_t first_usable, last_usable, entries; uint32_t count, entry_bytes, table_crc; };

/* 5.3.2. NULL, or what is wrong with the header that lies in sector `own`; "" when there is none at all. */
static const char *read_header(struct block *disk, uint64_t own, uint8_t *sector, struct header *h)
{
    uint32_t size = load_le32(sector + H_SIZE), crc = load_le32(sector + H_CRC);
    if (memcmp(sector, "EFI PART", 8)) return "";
    if (load_le32(sector + H_REVISION) >> 16 != 1 || size < HEADER_BYTES || size > BLOCK_SECTOR_BYTES) return "its header is of an unknown kind";
    store_le32(sector + H_CRC, 0);
    if (crc32(0, sector, size) != crc) return "its header has a wrong checksum";
    *h = (struct header){ .first_usable = load_le64(sector + H_FIRST_USABLE), .last_usable = load_le64(sector + H_LAST_USABLE),
                          .entries = load_le64(sector + H_ENTRIES), .count = load_le32(sector + H_COUNT),
                          .entry_bytes = load_le32(sector + H_ENTRY_SIZE), .table_crc = load_le32(sector + H_TABLE_CRC) };
    if (load_le64(sector + H_OWN) != own) return "its header belongs elsewhere";
    if (h->entry_bytes < ENTRY_BYTES || !is_power_of_two(h->entry_bytes) || !h->count || (uint64_t)h->count * h->entry_bytes > MAX_TABLE_BYTES)
        return "it has too many or odd entries";
    uint64_t table = align_up((uint64_t)h->count * h->entry_bytes, BLOCK_SECTOR_BYTES) / BLOCK_SECTOR_BYTES, end = disk->sector_count;
    if (h->entries < 2 || h->entries >= end || table > end - h->entries) return "its entries lie outside the disk";
    if (h->first_usable > h->last_usable || h->last_usable >= end - 1 || h->first_usable < 2) return "its partitions would lie outside the disk";
    if (h->entries <= h->last_usable && h->entries + table > h->first_usable) return "its entries lie among its partitions";
    return NULL;
}

/* UTF-16 of what is printable ASCII; all else is '?'. */
static void read_name(const uint8_t *entry, char *out)
{
    unsigned n = 0;
    for (; n < NAME_UNITS && load_le16(entry + E_NAME + 2 * n); n++) {
        uint16_t c = load_le16(entry + E_NAME + 2 * n);
        out[n] = c >= ' ' && c < 0x7f ? (char)c : '?';
    }
    out[n] = 0;
}

static const char *read_entries(const struct header *h, const uint8_t *table, struct gpt *out)
{
    static const uint8_t unused[GUID_BYTES];
    out->count = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        const uint8_t *e = table + (uint64_t)i * h->entry_bytes;
        uint64_t first = load_le64(e + E_FIRST), last = load_le64(e + E_LAST);
        if (!memcmp(e + E_TYPE, unused, GUID_BYTES)) continue;
        if (first > last || first < h->first_usable || last > h->last_usable) return "a partition lies outside its range";
        if (out->count == GPT_MAX_PARTITIONS) return "it has more than 128 partitions";
        for (unsigned k = 0; k < out->count; k++) {
            const struct gpt_partition *other = &out->partition[k];
            if (first < other->first + other->count && last >= other->first) return "partitions overlap";
        }
        struct gpt_partition *p = &out->partition[out->count++];
        p->number = i + 1;
        p->first = first;
        p->count = last - first + 1;
        read_name(e, p->name);
    }
    return NULL;
}

/* NULL, or what is wrong with the table whose header is in sector `own`; "": there is none. */
static const char *read_table(struct block *disk, uint64_t own, uint8_t *memory, struct gpt *out, struct vm_error *io)
{
    struct header h;
    *io = block_ask(disk, BLOCK_READ, own, 1, memory);
    const char *wrong = vm_failed(*io) ? "its header cannot be read" : read_header(disk, own, memory, &h);
    if (wrong) return wrong;
    uint64_t bytes = (uint64_t)h.count * h.entry_bytes;
    *io = block_ask(disk, BLOCK_READ, h.entries, (uint32_t)(align_up(bytes, BLOCK_SECTOR_BYTES) / BLOCK_SECTOR_BYTES), memory);
    if (vm_failed(*io)) return "its entries cannot be read";
    if (crc32(0, memory, bytes) != h.table_crc) return "its entries have a wrong checksum";
    return read_entries(&h, memory, out);
}

struct vm_error gpt_read(struct block *disk, struct gpt *out)
{
    struct vm_error io, backup_io;
    out->count = 0;
    out->primary_fault = NULL;
    if (disk->sector_count < 6) return vm_error_because(VM_DEVICE_NOT_FOUND, "the disk is too small for a partition table");
    uint8_t *memory = heap_alloc(MAX_TABLE_BYTES);
    if (!memory) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a partition table");
    const char *wrong = read_table(disk, 1, memory, out, &io), *backup_wrong = NULL;
    if (wrong) {
        backup_wrong = read_table(disk, disk->sector_count - 1, memory, out, &backup_io);
        out->primary_fault = *wrong ? wrong : "there is no header in sector 1";
    }
    heap_free(memory);
    if (!wrong || !backup_wrong) return VM_SUCCESS;
    out->count = 0;
    if (!*wrong && !*backup_wrong) return vm_error_because(VM_DEVICE_NOT_FOUND, "the disk has no GUID partition table");
    if (vm_failed(io)) return io;
    return vm_error_because(VM_DEVICE_CONFIG, *wrong ? wrong : backup_wrong);
}

const struct gpt_partition *gpt_find(const struct gpt *g, uint32_t number)
{
    for (unsigned i = 0; i < g->count; i++) {
        if (g->partition[i].number == number) return &g->partition[i];
    }
    return NULL;
}

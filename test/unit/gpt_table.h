// SPDX-License-Identifier: Apache-2.0
/* GUID partition tables made by the book (UEFI 2.10, 5.3), for tests to break. */
#pragma once
#include "hv/base/bits.h"
#include "hv/base/crc.h"
#include "test/harness/test.h"

struct gpt_row { uint64_t first, last; const char *name; };      /* first 0: an empty entry */

/* Checksums of the header in sector `own`, whose entries are where it says, after a test has changed something. */
static inline void gpt_seal(uint8_t *disk, uint64_t own)
{
    uint8_t *h = disk + own * 512;
    store_le32(h + 88, crc32(0, disk + load_le64(h + 72) * 512, load_le32(h + 80) * load_le32(h + 84)));
    store_le32(h + 16, 0);
    store_le32(h + 16, crc32(0, h, load_le32(h + 12)));
}

/* Both copies, 128 entries of 128 bytes each, onto a disk that is all zeroes. */
static inline void gpt_make(uint8_t *disk, uint64_t sectors, const struct gpt_row *row, unsigned count)
{
    for (unsigned copy = 0; copy < 2; copy++) {
        uint64_t own = copy ? sectors - 1 : 1, table = copy ? sectors - 33 : 2;
        uint8_t *h = disk + own * 512, *e = disk + table * 512;
        memcpy(h, "EFI PART", 8);
        store_le32(h + 8, 0x10000);
        store_le32(h + 12, 92);
        store_le64(h + 24, own);
        store_le64(h + 32, copy ? 1 : sectors - 1);
        store_le64(h + 40, 34);
        store_le64(h + 48, sectors - 34);
        store_le64(h + 72, table);
        store_le32(h + 80, 128);
        store_le32(h + 84, 128);
        for (unsigned i = 0; i < count; i++, e += 128) {
            if (!row[i].first) continue;
            memset(e, 0x11 + (int)i, 32);
            store_le64(e + 32, row[i].first);
            store_le64(e + 40, row[i].last);
            for (unsigned k = 0; row[i].name && row[i].name[k]; k++) store_le16(e + 56 + 2 * k, (uint8_t)row[i].name[k]);
        }
        gpt_seal(disk, own);
    }
}

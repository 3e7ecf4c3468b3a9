// SPDX-License-Identifier: Apache-2.0
/* See atags.h; Linux' Documentation/arch/arm/booting. Each tag: its size in words, its kind, its words. Boot core, once. */
#include "boot/aarch64/atags.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

enum { HEAD_WORDS = 2, MAX_TAGS = 64, MAX_WORDS = 1024 };
#define TAG_NONE    0u
#define TAG_CORE    0x54410001u
#define TAG_MEMORY  0x54410002u
#define TAG_INITRD  0x54420005u
#define TAG_CMDLINE 0x54410009u

static char cmdline[1024];

static uint32_t word(const uint8_t *tag, unsigned i) { return load_le32(tag + 4 * i); }

static void read_tag(const uint8_t *tag, uint32_t words, struct machine *m)
{
    switch (word(tag, 1)) {
    case TAG_MEMORY:                                      /* size, start */
        if (words >= 4) machine_add(m->ram, &m->ram_count, word(tag, 3), word(tag, 2));
        break;
    case TAG_INITRD:                                      /* start, size */
        if (words < 4) break;
        m->initrd = (struct boot_range){ word(tag, 2), word(tag, 3) };
        machine_add(m->reserved, &m->reserved_count, word(tag, 2), word(tag, 3));
        break;
    case TAG_CMDLINE: {
        size_t cap = 4 * (words - HEAD_WORDS), n = 0;
        while (n < cap && n < sizeof cmdline - 1 && tag[8 + n]) n++;
        memcpy(cmdline, tag + 8, n);
        cmdline[n] = 0;
        m->cmdline = cmdline;
        break;
    }
    default:
        break;
    }
}

bool atags_read(const void *at, struct machine *m)
{
    const uint8_t *tag = at;
    if (!at || (uint64_t)at % 4 || word(tag, 1) != TAG_CORE) return false;
    for (unsigned i = 0; i < MAX_TAGS && word(tag, 1) != TAG_NONE; i++) {
        uint32_t words = word(tag, 0);
        if (words < HEAD_WORDS || words > MAX_WORDS) break;
        read_tag(tag, words, m);
        tag += 4 * words;
    }
    return true;
}

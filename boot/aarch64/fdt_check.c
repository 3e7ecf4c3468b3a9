// SPDX-License-Identifier: Apache-2.0
/* Whether libfdt may walk a tree: Devicetree Specification 0.4, 5.2 to 5.6. libfdt trusts lengths of properties, so one that
 * wraps around would make it walk in circles; and it reads words in place, which must be aligned while the MMU is off. */
#include "boot/aarch64/fdt_boot.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include <libfdt.h>

struct region { const uint8_t *at; uint32_t size_bytes; };

/* Length of the string at `from`, with its zero; 0: it does not end inside. */
static uint32_t string_bytes(struct region r, uint32_t from)
{
    const uint8_t *zero = from < r.size_bytes ? memchr(r.at + from, 0, r.size_bytes - from) : NULL;
    return zero ? (uint32_t)(zero - r.at) - from + 1 : 0;
}

static uint32_t aligned(uint32_t n) { return (n + 3) & ~3u; }

/* Tags nest, every property lies inside and has a name, and the end is there. */
static bool is_structure(struct region words, struct region strings)
{
    uint32_t at = 0, depth = 0, length;
    while (words.size_bytes - at >= 4) {
        uint32_t tag = load_be32(words.at + at), left = words.size_bytes - at - 4;
        at += 4;
        switch (tag) {
        case FDT_BEGIN_NODE:
            length = string_bytes(words, at);
            if (!length || aligned(length) > left) return false;
            at += aligned(length);
            depth++;
            break;
        case FDT_END_NODE:
            if (!depth--) return false;
            break;
        case FDT_PROP:
            if (left < 8 || !depth) return false;
            length = load_be32(words.at + at);
            if (length > left - 8 || aligned(length) > left - 8 || !string_bytes(strings, load_be32(words.at + at + 4))) return false;
            at += 8 + aligned(length);
            break;
        case FDT_NOP:
            break;
        case FDT_END:
            return !depth;
        default:
            return false;
        }
    }
    return false;
}

static bool is_inside(const void *tree, uint32_t from, uint32_t size_bytes)
{
    return from <= fdt_totalsize(tree) && size_bytes <= fdt_totalsize(tree) - from;
}

uint32_t fdt_extent(const void *tree)
{
    if (!tree || (uintptr_t)tree % 8 || fdt_magic(tree) != FDT_MAGIC || fdt_version(tree) < 17) return 0;
    uint64_t words = (uint64_t)fdt_off_dt_struct(tree) + fdt_size_dt_struct(tree);
    uint64_t strings = (uint64_t)fdt_off_dt_strings(tree) + fdt_size_dt_strings(tree), end = words > strings ? words : strings;
    return end <= FDT_MOST_BYTES ? (uint32_t)end : 0;
}

bool fdt_is_tree(const void *tree)
{
    const uint8_t *bytes = tree;
    if (!tree || (uintptr_t)tree % 8 || fdt_check_header(tree) || fdt_version(tree) < 17) return false;
    uint32_t words = fdt_off_dt_struct(tree), strings = fdt_off_dt_strings(tree), reserved = fdt_off_mem_rsvmap(tree);
    if (reserved % 8 || words % 4 || !is_inside(tree, reserved, 16)) return false;
    if (!is_inside(tree, words, fdt_size_dt_struct(tree)) || !is_inside(tree, strings, fdt_size_dt_strings(tree))) return false;
    return is_structure((struct region){ bytes + words, fdt_size_dt_struct(tree) }, (struct region){ bytes + strings, fdt_size_dt_strings(tree) });
}

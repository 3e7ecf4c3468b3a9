// SPDX-License-Identifier: Apache-2.0
/* A small reader of device trees of our own, so that what libfdt wrote is not judged by libfdt (Devicetree Specification
 * 0.4, chapter 5). `tree` is the one that is read. */
#pragma once
#include "hv/base/bits.h"
#include "test/harness/test.h"

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_END = 9 };

/* The property's value; path is "/soc/plic@c000000", "" for the root. */
static inline const uint8_t *fdt_find(const uint8_t *tree, const char *path, const char *name, uint32_t *length)
{
    const uint8_t *p = tree + load_be32(tree + 8);
    const char *strings = (const char *)tree + load_be32(tree + 12);
    char here[256] = "";
    CHECK_EQ_U64(load_be32(tree), 0xd00dfeed);
    for (;;) {
        uint32_t token = load_be32(p);
        p += 4;
        CHECK(p < tree + load_be32(tree + 4));
        if (token == FDT_BEGIN_NODE) {
            if (*p) {
                strcat(here, "/");
                strcat(here, (const char *)p);
            }
            p += align_up(strlen((const char *)p) + 1, 4);
        } else if (token == FDT_END_NODE) {
            char *slash = strrchr(here, '/');
            if (slash) *slash = 0;
        } else if (token == FDT_PROP) {
            uint32_t size = load_be32(p);
            if (!strcmp(here, path) && !strcmp(strings + load_be32(p + 4), name)) {
                *length = size;
                return p + 8;
            }
            p += 8 + align_up(size, 4);
        } else if (token == FDT_END) {
            return NULL;
        }
    }
}
static inline uint32_t fdt_cell(const uint8_t *tree, const char *path, const char *name, unsigned index)
{
    uint32_t length;
    const uint8_t *p = fdt_find(tree, path, name, &length);
    CHECK(p && length >= 4 * (index + 1));
    return load_be32(p + 4 * index);
}
static inline uint64_t fdt_u64(const uint8_t *tree, const char *path, const char *name, unsigned first_cell)
{
    return (uint64_t)fdt_cell(tree, path, name, first_cell) << 32 | fdt_cell(tree, path, name, first_cell + 1);
}
static inline bool fdt_has(const uint8_t *tree, const char *path, const char *name)
{
    uint32_t length;
    return fdt_find(tree, path, name, &length) != NULL;
}

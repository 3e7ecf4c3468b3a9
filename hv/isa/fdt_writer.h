// SPDX-License-Identifier: Apache-2.0
/* Writing a guest's device tree front to back with libfdt, in few words. For the machines' fdt.c alone, at reset. Devicetree
 * Specification 0.4. */
#pragma once
#include "hv/base/bits.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include <libfdt.h>

/* The first error stays and makes the rest idle. */
struct tree { void *at; int error; };

static inline void begin(struct tree *t, const char *name)
{
    if (!t->error) t->error = fdt_begin_node(t->at, name);
}
static inline void begin_at(struct tree *t, const char *name, uint64_t address)
{
    char text[40];
    hv_snprintf(text, sizeof text, "%s@%llx", name, (unsigned long long)address);
    begin(t, text);
}
static inline void end(struct tree *t)
{
    if (!t->error) t->error = fdt_end_node(t->at);
}
static inline void put(struct tree *t, const char *name, const void *value, size_t size_bytes)
{
    if (!t->error) t->error = fdt_property(t->at, name, value, (int)size_bytes);
}
static inline void put_text(struct tree *t, const char *name, const char *text)
{
    put(t, name, text, strlen(text) + 1);
}
static inline void put_cells(struct tree *t, const char *name, unsigned count, const uint32_t *cells)
{
    uint32_t raw[8];
    for (unsigned i = 0; i < count && i < ARRAY_COUNT(raw); i++) raw[i] = __builtin_bswap32(cells[i]);
    put(t, name, raw, count * sizeof raw[0]);
}
#define PUT_CELLS(t, name, ...) \
    put_cells(t, name, ARRAY_COUNT(((const uint32_t[]){ __VA_ARGS__ })), (const uint32_t[]){ __VA_ARGS__ })
static inline void put_u64(struct tree *t, const char *name, uint64_t v)
{
    PUT_CELLS(t, name, (uint32_t)(v >> 32), (uint32_t)v);
}
static inline void put_reg(struct tree *t, uint64_t base, uint64_t size_bytes)
{
    PUT_CELLS(t, "reg", (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size_bytes >> 32),
              (uint32_t)size_bytes);
}
/* strings with \0 between them */
#define PUT_TEXTS(t, name, literal) put(t, name, literal, sizeof(literal))

/* The root node, opened, with two cells for addresses and sizes. */
static inline struct tree start(void *out, size_t cap_bytes)
{
    struct tree t = { out, fdt_create(out, (int)cap_bytes) };
    if (!t.error) t.error = fdt_finish_reservemap(out);
    begin(&t, "");
    PUT_CELLS(&t, "#address-cells", 2);
    PUT_CELLS(&t, "#size-cells", 2);
    return t;
}
/* After the root's end. False: it did not fit. */
static inline bool finish(struct tree *t, size_t *size_bytes)
{
    if (!t->error) t->error = fdt_finish(t->at);
    if (t->error) return false;
    *size_bytes = fdt_totalsize(t->at);
    return true;
}

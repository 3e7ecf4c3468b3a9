// SPDX-License-Identifier: Apache-2.0
/* A reader of the flattened device tree (Devicetree Specification 0.4, chapter 5): nodes in document order,
 * properties by name. Read only, no allocation; every step stays inside the structure block. */
#include "demo.h"

enum { FDT_MAGIC = 0xd00dfeed };
enum { TOKEN_BEGIN = 1, TOKEN_END = 2, TOKEN_PROPERTY = 3, TOKEN_NOP = 4 };
enum { HEADER_MAGIC, HEADER_TOTAL_SIZE, HEADER_STRUCT, HEADER_STRINGS, HEADER_STRUCT_SIZE = 9 };

static const u8 *blob;
static u32 struct_size;

u32 fdt_cell(const void *property, u32 index)
{
    const u8 *p = (const u8 *)property + 4 * index;
    return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u32 token(u32 offset)
{
    return offset + 4 <= struct_size ? fdt_cell(blob + fdt_cell(blob, HEADER_STRUCT) + offset, 0) : 0;
}

static const char *text(u32 offset)
{
    return (const char *)blob + fdt_cell(blob, HEADER_STRUCT) + offset;
}

static u32 after_property(u32 offset)
{
    return offset + 12 + ((token(offset + 4) + 3) & ~3u);
}

bool fdt_open(const void *from)
{
    blob = from;
    if (!from || (u64)from % 4 || fdt_cell(from, HEADER_MAGIC) != FDT_MAGIC) {
        return false;
    }
    struct_size = fdt_cell(from, HEADER_STRUCT_SIZE);
    return true;
}

bool fdt_next(struct fdt_node *node)
{
    for (u32 at = node->offset; at < struct_size;) {
        switch (token(at)) {
        case TOKEN_NOP: at += 4; break;
        case TOKEN_PROPERTY: at = after_property(at); break;
        case TOKEN_END: node->depth--, at += 4; break;
        case TOKEN_BEGIN:
            node->name = text(at + 4);
            node->props = node->offset = at + 4 + (((u32)strlen(node->name) + 4) & ~3u);
            if (++node->depth >= COUNT_OF(node->size_cells)) {
                return false;
            }
            node->address_cells[node->depth] = (u8)fdt_u32(node, "#address-cells", 2);
            node->size_cells[node->depth] = (u8)fdt_u32(node, "#size-cells", 1);
            return true;
        default: return false;
        }
    }
    return false;
}

const void *fdt_property(const struct fdt_node *node, const char *name, u32 *length_bytes)
{
    for (u32 at = node->props; token(at) == TOKEN_PROPERTY || token(at) == TOKEN_NOP;) {
        if (token(at) == TOKEN_NOP) {
            at += 4;
            continue;
        }
        if (strcmp((const char *)blob + fdt_cell(blob, HEADER_STRINGS) + token(at + 8), name) == 0) {
            if (length_bytes) {
                *length_bytes = token(at + 4);
            }
            return text(at + 12);
        }
        at = after_property(at);
    }
    return NULL;
}

u32 fdt_u32(const struct fdt_node *node, const char *name, u32 otherwise)
{
    u32 length = 0;
    const void *p = fdt_property(node, name, &length);
    return p && length >= 4 ? fdt_cell(p, 0) : otherwise;
}

bool fdt_reg(const struct fdt_node *node, u64 *base, u64 *size_bytes)
{
    u32 length = 0, address_cells = node->address_cells[node->depth - 1],
        size_cells = node->size_cells[node->depth - 1];
    const void *p = fdt_property(node, "reg", &length);
    if (!p || length < 4 * (address_cells + size_cells)) {
        return false;
    }
    *base = *size_bytes = 0;
    for (u32 i = 0; i < address_cells; i++) {
        *base = *base << 32 | fdt_cell(p, i);
    }
    for (u32 i = 0; i < size_cells; i++) {
        *size_bytes = *size_bytes << 32 | fdt_cell(p, address_cells + i);
    }
    return true;
}

bool fdt_compatible(const struct fdt_node *node, const char *with)
{
    u32 length = 0;
    const char *p = fdt_property(node, "compatible", &length);
    for (const char *end = p + length; p && p < end; p += strlen(p) + 1) {
        if (strcmp(p, with) == 0) {
            return true;
        }
    }
    return false;
}

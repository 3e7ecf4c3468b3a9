// SPDX-License-Identifier: Apache-2.0
/* Multiboot2 boot information (2.0, section 3.6): a list of tags in ebx, magic in eax. From a UEFI machine as well: GRUB
 * has left the boot services and translated the memory map. */
#include "boot/x86_64/found.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define MAGIC 0x36d76289u
#define MAX_BYTES (1u << 20)
enum { TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3, TAG_MEMORY_MAP = 6, TAG_FRAMEBUFFER = 8, TAG_ACPI_OLD = 14, TAG_ACPI_NEW = 15 };
#define TYPE_RAM 1u

struct tag { uint32_t type, size; };
struct module_tag { struct tag tag; uint32_t from, to; char cmdline[]; };
struct map_tag { struct tag tag; uint32_t entry_size, entry_version; uint8_t entries[]; };
struct screen_tag {
    struct tag tag;
    uint64_t base;
    uint32_t pitch, width, height;
    uint8_t  pixel_bits, kind;
    uint16_t reserved;
    struct framebuffer_colour red, green, blue;          /* of SCREEN_DIRECT */
};
enum { SCREEN_DIRECT = 1, SCREEN_TEXT = 2 };
_Static_assert(sizeof(struct screen_tag) == 40 && offsetof(struct screen_tag, red) == 32, "3.6.12");
struct map_entry { uint64_t base, size; uint32_t type, reserved; };

static void read_map(const struct map_tag *t, struct found *out)
{
    if (t->entry_size < sizeof(struct map_entry)) return;
    for (uint32_t at = 0; at + t->entry_size <= t->tag.size - sizeof *t; at += t->entry_size) {
        struct map_entry e;
        memcpy(&e, t->entries + at, sizeof e);
        found_add_range(out, e.base, e.size, e.type == TYPE_RAM);
    }
}

/* Of a screen with a palette we could not know the colours. */
static void read_screen(const struct tag *t, struct found *out)
{
    struct screen_tag s = { 0 };
    memcpy(&s, t, t->size < sizeof s ? t->size : sizeof s);
    if (s.kind != SCREEN_TEXT && (s.kind != SCREEN_DIRECT || t->size < offsetof(struct screen_tag, blue) + sizeof s.blue)) return;
    out->framebuffer = (struct framebuffer){
        .base = (void *)s.base, .pitch_bytes = s.pitch, .width = s.width, .height = s.height, .pixel_bits = s.pixel_bits,
        .is_text = s.kind == SCREEN_TEXT, .red = s.red, .green = s.green, .blue = s.blue,
    };
}

static void read_rsdp(const struct tag *t, struct found *out)
{
    static uint8_t rsdp[64] ALIGNED(16);                  /* the tag holds a copy of the firmware's */
    size_t size_bytes = t->size - sizeof *t;
    if (out->rsdp && t->type == TAG_ACPI_OLD) return;
    memcpy(rsdp, t + 1, size_bytes < sizeof rsdp ? size_bytes : sizeof rsdp);
    out->rsdp = (uint64_t)rsdp;
}

bool multiboot2_read(uint32_t magic, uint64_t info, struct found *out)
{
    if (magic != MAGIC || !info || info % 8) return false;
    uint32_t total = *(const uint32_t *)info;
    if (total > MAX_BYTES) total = MAX_BYTES;
    out->loader = "Multiboot2";
    for (uint32_t at = 8; at + sizeof(struct tag) <= total;) {
        const struct tag *t = (const struct tag *)(info + at);
        if (t->type == TAG_END || t->size < sizeof *t || t->size > total - at) break;
        if (t->type == TAG_CMDLINE) {
            found_set_cmdline(out, (const char *)(t + 1), t->size - sizeof *t);
        } else if (t->type == TAG_MODULE && t->size > sizeof(struct module_tag)) {
            const struct module_tag *m = (const struct module_tag *)t;
            found_add_module(out, m->from, m->to - m->from, m->cmdline);
        } else if (t->type == TAG_MEMORY_MAP && t->size >= sizeof(struct map_tag)) {
            read_map((const struct map_tag *)t, out);
        } else if (t->type == TAG_FRAMEBUFFER && t->size >= offsetof(struct screen_tag, red)) {
            read_screen(t, out);
        } else if (t->type == TAG_ACPI_OLD || t->type == TAG_ACPI_NEW) {
            read_rsdp(t, out);
        }
        at += (uint32_t)align_up(t->size, 8);
    }
    return true;
}

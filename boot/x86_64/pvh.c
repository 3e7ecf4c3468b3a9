// SPDX-License-Identifier: Apache-2.0
/* PVH: Xen's hvm_start_info (version 0 and 1) in ebx. Loaders differ in eax, so the magic in the structure decides. */
#include "boot/x86_64/found.h"

#define MAGIC 0x336ec578u
#define TYPE_RAM 1u

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, cmdline, rsdp;
    uint64_t map;                                        /* from version 1 on */
    uint32_t map_count, reserved;
};
struct module { uint64_t base, size, cmdline, reserved; };
struct map_entry { uint64_t base, size; uint32_t type, reserved; };
_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct module) == 32 && sizeof(struct map_entry) == 24, "start_info.h");

bool pvh_read(uint64_t info, struct found *out)
{
    const struct start_info *s = (const struct start_info *)info;
    if (!info || info % 4 || s->magic != MAGIC) return false;
    out->loader = "PVH";
    out->rsdp = s->rsdp;
    if (s->cmdline) found_set_cmdline(out, (const char *)s->cmdline, FOUND_MAX_CMDLINE);
    const struct map_entry *map = (const struct map_entry *)s->map;
    for (uint32_t i = 0; s->version >= 1 && i < s->map_count; i++) found_add_range(out, map[i].base, map[i].size, map[i].type == TYPE_RAM);
    const struct module *modules = (const struct module *)s->modules;
    for (uint32_t i = 0; i < s->module_count; i++) {
        found_add_module(out, modules[i].base, modules[i].size, modules[i].cmdline ? (const char *)modules[i].cmdline : "");
    }
    return true;
}

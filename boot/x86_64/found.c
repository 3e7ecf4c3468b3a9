// SPDX-License-Identifier: Apache-2.0
/* Filling of struct found, with its limits; see found.h. */
#include "boot/x86_64/found.h"
#include "hv/base/string.h"

void found_add_range(struct found *f, uint64_t base, uint64_t size_bytes, bool is_ram)
{
    if (!size_bytes || f->range_count == FOUND_MAX_RANGES) return;
    uint64_t end = base + size_bytes < base ? UINT64_MAX : base + size_bytes;
    f->range[f->range_count++] = (struct found_range){ base, end, is_ram };
}

void found_add_module(struct found *f, uint64_t base, uint64_t size_bytes, const char *name)
{
    if (!size_bytes || f->module_count == BOOT_MAX_MODULES) return;
    char *copy = f->module_name[f->module_count];
    size_t n = strnlen(name, FOUND_NAME_BYTES - 1);
    memcpy(copy, name, n);
    copy[n] = 0;
    f->module[f->module_count++] = (struct boot_module){ (const void *)base, size_bytes, copy };
}

void found_set_cmdline(struct found *f, const char *text, size_t cap_bytes)
{
    size_t n = strnlen(text, cap_bytes < FOUND_MAX_CMDLINE ? cap_bytes : FOUND_MAX_CMDLINE - 1);
    memcpy(f->cmdline, text, n);
    f->cmdline[n < FOUND_MAX_CMDLINE ? n : FOUND_MAX_CMDLINE - 1] = 0;
}

uint64_t found_ebda(void)
{
    uint32_t segment;
    __asm__ volatile("movzwl 0x40e, %0" : "=r"(segment));
    uint64_t at = (uint64_t)segment << 4;
    return at >= 0x80000 && at < 0xa0000 ? at : 0;
}

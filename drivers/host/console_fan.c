// SPDX-License-Identifier: Apache-2.0
/* Several consoles as one; see console_fan.h. No lock: console.h says who may call. */
#include "drivers/host/console_fan.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"

static void fan_write(void *ctx, const char *text, size_t length)
{
    const struct console_fan *f = ctx;
    for (unsigned i = 0; i < f->count; i++) {
        if (f->part[i]->write) f->part[i]->write(f->part[i]->ctx, text, length);
    }
}

static size_t fan_read(void *ctx, char *out, size_t cap_bytes)
{
    struct console_fan *f = ctx;
    size_t n = 0;
    for (unsigned i = 0; i < f->count && n < cap_bytes; i++) {
        const struct host_console *c = f->part[(f->turn + i) % f->count];
        if (c->read) n += c->read(c->ctx, out + n, cap_bytes - n);
    }
    f->turn++;
    return n;
}

bool console_fan_add(struct console_fan *f, const struct host_console *part)
{
    if (f->count == CONSOLE_FAN_PARTS) return false;
    size_t used = strlen(f->name);
    hv_snprintf(f->name + used, sizeof f->name - used, "%s%s", used ? "+" : "", part->name);
    bool has_keys = f->console.read, is_told = !has_keys || f->console.has_irq;
    f->part[f->count++] = part;
    f->console.name = f->name;
    f->console.write = fan_write;
    f->console.ctx = f;
    if (!part->read) return true;
    f->console.read = fan_read;
    f->console.has_irq = is_told && part->has_irq;       /* one that must be polled makes the whole so */
    return true;
}

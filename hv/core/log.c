// SPDX-License-Identifier: Apache-2.0
/* The log; see log.h. Until a sink is set, lines wait in a small early buffer and are handed over then. */
#include "hv/core/log.h"
#include "hv/arch/spin.h"
#include "hv/base/fmt.h"

#define LINE_BYTES  240
#define EARLY_LINES 32

static struct { enum log_level level; uint16_t length; char text[LINE_BYTES]; } early[EARLY_LINES];
static unsigned early_count;
static log_sink_fn *sink;
static void *sink_ctx;
static enum log_level loudest = LOG_INFO;
static struct spinlock lock;

void log_set_sink(log_sink_fn *s, void *ctx)
{
    spin_lock(&lock);
    sink = s;
    sink_ctx = ctx;
    unsigned n = s ? early_count : 0;
    early_count = s ? 0 : early_count;
    spin_unlock(&lock);
    for (unsigned i = 0; i < n; i++) s(ctx, early[i].level, early[i].text, early[i].length);
}

void log_set_level(enum log_level level) { loudest = level; }

void log_write(enum log_level level, const char *format, ...)
{
    static const char *const word[] = { "error: ", "notice: ", "", "debug: " };
    if (level > loudest) return;
    char line[LINE_BYTES];
    uint64_t ms = arch_time_ns() / 1000000;
    int n = hv_snprintf(line, sizeof line, "[%5lu.%03lu] %s", (unsigned long)(ms / 1000), (unsigned long)(ms % 1000), word[level]);
    va_list args;
    va_start(args, format);
    n += hv_vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    va_end(args);
    if (n >= (int)sizeof line) n = sizeof line - 1;
    spin_lock(&lock);
    log_sink_fn *s = sink;
    void *ctx = sink_ctx;
    if (!s && early_count < EARLY_LINES) {
        early[early_count].level = level;
        early[early_count].length = (uint16_t)n;
        for (int i = 0; i <= n; i++) early[early_count].text[i] = line[i];
        early_count++;
    }
    spin_unlock(&lock);
    if (s) s(ctx, level, line, (size_t)n);
}

bool log_allowed(struct log_limit *l, uint32_t burst)
{
    uint64_t now = arch_time_ns();
    if (now - l->window_ns > 1000000000u) {
        if (l->dropped) log_write(LOG_NOTICE, "(%u similar lines left out)", l->dropped);
        *l = (struct log_limit){ .window_ns = now };
    }
    if (l->count < burst) {
        l->count++;
        return true;
    }
    l->dropped++;
    return false;
}

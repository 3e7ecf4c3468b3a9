// SPDX-License-Identifier: Apache-2.0
/* Log by culprit: error = we are wrong; notice = a guest did something odd; info = lives of machines; debug = for us.
 * Lines go to a ring and, when loud enough, to the sinks (the console room decides how they mix with guests' output:
 * never inside a guest's line). Own lock; any core, not in interrupt context. */
#pragma once
#include <stdarg.h>
#include "hv/base/types.h"

/* From the one that matters most. */
enum log_level { LOG_ERROR, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Gets each line, without its newline, that is loud enough. */
typedef void log_sink_fn(void *ctx, enum log_level level, const char *line, size_t length);

/* One sink, NULL: none; the loudest level that it gets; and a line in printf's words. */
void log_set_sink(log_sink_fn *sink, void *ctx);
void log_set_level(enum log_level loudest);
void log_write(enum log_level level, const char *format, ...) PRINTF(2, 3);
#define log_error(...)  log_write(LOG_ERROR,  __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)   log_write(LOG_INFO,   __VA_ARGS__)
#define log_debug(...)  log_write(LOG_DEBUG,  __VA_ARGS__)

/* At most `burst` calls a second return true; the state is the caller's. For what a guest can provoke at will. */
struct log_limit { uint64_t window_ns; uint32_t count, dropped; };
bool log_allowed(struct log_limit *l, uint32_t burst);

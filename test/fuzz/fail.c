// SPDX-License-Identifier: Apache-2.0
/* A CHECK that fails ends a fuzzer as a crash does. */
#include "test/harness/test.h"
#include <stdarg.h>

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

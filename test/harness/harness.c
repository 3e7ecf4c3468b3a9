// SPDX-License-Identifier: Apache-2.0
/* Runs the registered unit tests: all, or those whose name or file contains one of the arguments. */
#include "test/harness/test.h"
#include <setjmp.h>
#include <stdarg.h>

static struct test *first, **last = &first;
static jmp_buf out;
static uint64_t random_state;

void test_register(struct test *t)
{
    *last = t;
    last = &t->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    longjmp(out, 1);
}

uint64_t test_random(void)
{
    random_state += 0x9e3779b97f4a7c15u;                    /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool wanted(const struct test *t, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') continue;
        any = true;
        if (strstr(t->name, argv[i]) || strstr(t->file, argv[i])) return true;
    }
    return !any;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    bool verbose = argc > 1 && !strcmp(argv[1], "-v"), list = argc > 1 && !strcmp(argv[1], "--list");
    for (struct test *t = first; t; t = t->next) {
        if (!wanted(t, argc, argv)) continue;
        if (list) {
            puts(t->name);
            continue;
        }
        if (verbose) printf("%s\n", t->name), fflush(stdout);
        random_state = 1;
        if (!setjmp(out)) {
            t->run();
            passed++;
        } else {
            fprintf(stderr, "FAILED %s\n", t->name);
            failed++;
        }
    }
    if (!list) printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}

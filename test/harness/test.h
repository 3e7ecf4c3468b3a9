// SPDX-License-Identifier: Apache-2.0
/* Unit tests: TEST(a_sentence) { CHECK(...); } anywhere in test/unit registers itself; harness.c runs them all.
 * A failed CHECK ends its test, says where and why, and the run goes on. */
#pragma once
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test { const char *name, *file; void (*run)(void); struct test *next; };
void test_register(struct test *t);
__attribute__((noreturn)) void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Deterministic random numbers, the same sequence in every run of one test. */
uint64_t test_random(void);

#define TEST(name)                                                                                       \
    static void test_##name(void);                                                                       \
    static struct test test_entry_##name = { #name, __FILE__, test_##name, 0 };                          \
    __attribute__((constructor)) static void test_register_##name(void) { test_register(&test_entry_##name); } \
    static void test_##name(void)

#define CHECK(x) do { if (!(x)) test_fail(__FILE__, __LINE__, "%s", #x); } while (0)
#define CHECK_EQ_U64(got, want)                                                                          \
    do { uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);                                      \
         if (got_ != want_) test_fail(__FILE__, __LINE__, "%s is 0x%" PRIx64 ", want 0x%" PRIx64, #got, got_, want_); } while (0)
#define CHECK_STR(got, want)                                                                             \
    do { const char *got_ = (got), *want_ = (want);                                                      \
         if (strcmp(got_, want_)) test_fail(__FILE__, __LINE__, "%s is \"%s\", want \"%s\"", #got, got_, want_); } while (0)

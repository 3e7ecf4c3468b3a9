// SPDX-License-Identifier: Apache-2.0
/* The few memory and string functions that the compiler and the kernel ask for. */
#include "demo.h"

void *memset(void *to, int byte, size_t size)
{
    for (u8 *p = to; size--; p++) {
        *p = (u8)byte;
    }
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    const u8 *q = from;
    for (u8 *p = to; size--; p++, q++) {
        *p = *q;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const u8 *p = a, *q = b;
    for (; size--; p++, q++) {
        if (*p != *q) {
            return *p - *q;
        }
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n]) {
        n++;
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++, b++;
    }
    return (u8)*a - (u8)*b;
}

bool starts_with(const char *s, const char *prefix)
{
    return memcmp(s, prefix, strlen(prefix)) == 0 || !*prefix;
}

bool contains(const char *s, const char *word)
{
    for (; *s; s++) {
        size_t i = 0;
        while (word[i] && s[i] == word[i]) {
            i++;
        }
        if (!word[i]) {
            return true;
        }
    }
    return false;
}

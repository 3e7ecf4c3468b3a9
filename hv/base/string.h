// SPDX-License-Identifier: Apache-2.0
/* The C library's memory and string functions that the hypervisor and its libraries need, under their usual names.
 * Bodies in string.c for freestanding images; the hosted build links the host's own. Any context. */
#pragma once
#include <stddef.h>

/* As in C. */
void  *memcpy(void *restrict to, const void *restrict from, size_t n);
void  *memmove(void *to, const void *from, size_t n);
void  *memset(void *to, int byte, size_t n);
int    memcmp(const void *a, const void *b, size_t n);
void  *memchr(const void *s, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t cap);
int    strcmp(const char *a, const char *b);
int    strncmp(const char *a, const char *b, size_t n);
char  *strchr(const char *s, int c);
char  *strrchr(const char *s, int c);
char  *strstr(const char *s, const char *part);
unsigned long strtoul(const char *s, char **end, int base);

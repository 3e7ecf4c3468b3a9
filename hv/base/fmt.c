// SPDX-License-Identifier: Apache-2.0
/* Formatting and number parsing; see fmt.h. */
#include "hv/base/fmt.h"
#include "hv/base/string.h"

struct out { char *at; size_t cap, length; };

static void put(struct out *o, char c)
{
    if (o->length + 1 < o->cap) o->at[o->length] = c;
    o->length++;
}

static void pad(struct out *o, char c, int n)
{
    while (n-- > 0) put(o, c);
}

struct spec { bool left, zero, plus, alt; int width, precision; };

/* `prefix` is at most two characters; `digits` are in reverse order. */
static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool upper, const char *prefix)
{
    char digits[24];
    int n = 0;
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    while (v) digits[n++] = alphabet[v % base], v /= base;
    if (!n && s->precision) digits[n++] = '0';
    int zeros = s->precision > n ? s->precision - n : 0, prefix_length = (int)strlen(prefix);
    int spaces = s->width - n - zeros - prefix_length;
    if (s->zero && !s->left && s->precision < 0) zeros += spaces > 0 ? spaces : 0, spaces = 0;
    if (!s->left) pad(o, ' ', spaces);
    while (*prefix) put(o, *prefix++);
    pad(o, '0', zeros);
    while (n) put(o, digits[--n]);
    if (s->left) pad(o, ' ', spaces);
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t length)
{
    int spaces = s->width - (int)length;
    if (!s->left) pad(o, ' ', spaces);
    for (size_t i = 0; i < length; i++) put(o, text[i]);
    if (s->left) pad(o, ' ', spaces);
}

int hv_vsnprintf(char *text, size_t cap_bytes, const char *format, va_list args)
{
    struct out o = { text, cap_bytes, 0 };
    for (; *format; format++) {
        if (*format != '%') {
            put(&o, *format);
            continue;
        }
        struct spec s = { .precision = -1 };
        for (format++;; format++) {
            if (*format == '-') s.left = true;
            else if (*format == '0') s.zero = true;
            else if (*format == '+') s.plus = true;
            else if (*format == '#') s.alt = true;
            else break;
        }
        if (*format == '*') s.width = va_arg(args, int), format++;
        else while (*format >= '0' && *format <= '9') s.width = s.width * 10 + *format++ - '0';
        if (s.width < 0) s.left = true, s.width = -s.width;
        if (*format == '.') {
            s.precision = 0;
            if (*++format == '*') s.precision = va_arg(args, int), format++;
            else while (*format >= '0' && *format <= '9') s.precision = s.precision * 10 + *format++ - '0';
        }
        int longs = 0, halves = 0;
        for (;; format++) {
            if (*format == 'l') longs++;
            else if (*format == 'z' || *format == 'j' || *format == 't') longs = 2;
            else if (*format == 'h') halves++;
            else break;
        }
        switch (*format) {
        case 'd': case 'i': {
            int64_t v = longs ? va_arg(args, int64_t) : va_arg(args, int);
            if (halves) v = halves > 1 ? (signed char)v : (short)v;
            put_number(&o, &s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, false, v < 0 ? "-" : s.plus ? "+" : "");
            break;
        }
        case 'u': case 'x': case 'X': {
            uint64_t v = longs ? va_arg(args, uint64_t) : va_arg(args, unsigned);
            if (halves) v = halves > 1 ? (unsigned char)v : (unsigned short)v;
            put_number(&o, &s, v, *format == 'u' ? 10 : 16, *format == 'X', s.alt && v && *format != 'u' ? "0x" : "");
            break;
        }
        case 'p':
            put_number(&o, &s, (uintptr_t)va_arg(args, void *), 16, false, "0x");
            break;
        case 'c': {
            char c = (char)va_arg(args, int);
            put_text(&o, &s, &c, 1);
            break;
        }
        case 's': {
            const char *t = va_arg(args, const char *);
            if (!t) t = "(null)";
            put_text(&o, &s, t, s.precision >= 0 ? strnlen(t, (size_t)s.precision) : strlen(t));
            break;
        }
        case '%':
            put(&o, '%');
            break;
        case 0:
            format--;
            break;
        default:
            put(&o, '%');
            put(&o, *format);
        }
    }
    if (cap_bytes) text[o.length < cap_bytes ? o.length : cap_bytes - 1] = 0;
    return (int)o.length;
}

int hv_snprintf(char *out, size_t cap_bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = hv_vsnprintf(out, cap_bytes, format, args);
    va_end(args);
    return n;
}

bool hv_parse_u64(const char *t, bool suffix, uint64_t *out)
{
    unsigned base = 10, shift = 0;
    uint64_t v = 0;
    if (t[0] == '0' && (t[1] | 32) == 'x') base = 16, t += 2;
    const char *digits = t;
    for (; *t; t++) {
        unsigned d = *t >= '0' && *t <= '9' ? (unsigned)(*t - '0') : (*t | 32) >= 'a' && (*t | 32) <= 'f' ? (unsigned)(*t | 32) - 'a' + 10 : 99;
        if (d >= base) break;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v)) return false;
    }
    if (t == digits) return false;
    if (suffix && *t) {
        switch (*t | 32) {
        case 'k': shift = 10; t++; break;
        case 'm': shift = 20; t++; break;
        case 'g': shift = 30; t++; break;
        }
    }
    if (*t || (shift && v >> (64 - shift))) return false;
    *out = v << shift;
    return true;
}

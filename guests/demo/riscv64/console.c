// SPDX-License-Identifier: Apache-2.0
/* The console: printing from any hart (one lock, one line buffer) through SBI DBCN or the ns16550, and a
 * ring of typed bytes that the UART's interrupt fills on the boot hart. */
#include "demo.h"

enum { DATA = 0, IER = 1, LSR = 5 };
enum { IER_RECEIVE = 1, LSR_READY = 1, LSR_THR_EMPTY = 0x20 };

static char line[128];
static u32 line_length, lock;
static volatile u8 ring[64];
static volatile u32 ring_head, ring_tail;
static volatile bool break_typed;
static bool is_ready, uses_interrupt;

static volatile u8 *uart(u32 reg)
{
    return (volatile u8 *)(machine.uart.base + ((u64)reg << machine.uart_shift));
}

static void flush(void)
{
    for (u32 at = 0; at < line_length;) {
        if (sbi_has(SBI_DBCN)) {
            long written = sbi_console_write(line + at, line_length - at);
            if (written <= 0) {
                break;
            }
            at += (u32)written;
        } else if (machine.uart.base) {
            while (!(*uart(LSR) & LSR_THR_EMPTY)) {
            }
            *uart(DATA) = (u8)line[at++];
        } else {
            break;
        }
    }
    line_length = 0;
}

static void put(char c)
{
    if (c == '\n') {
        put('\r');
    }
    line[line_length++] = c;
    if (line_length == sizeof line) {
        flush();
    }
}

static void put_padded(const char *s, u32 length, int width, char pad)
{
    for (int i = (int)length; i < width; i++) {
        put(pad);
    }
    for (u32 i = 0; i < length; i++) {
        put(s[i]);
    }
    for (int i = (int)length; i < -width; i++) {
        put(' ');
    }
}

static void put_number(u64 n, u32 base, bool negative, int width, char pad)
{
    char digits[24];
    u32 i = sizeof digits;
    do {
        digits[--i] = "0123456789abcdef"[n % base];
    } while (n /= base);
    if (negative) {
        digits[--i] = '-';
    }
    put_padded(digits + i, (u32)sizeof digits - i, width, pad);
}

/* %s %c %d %u %x with l, width, '-' and '0'. */
void print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    u64 status = csr_read(sstatus);
    interrupts_off();
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
    }
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            put(*f);
            continue;
        }
        bool left = f[1] == '-', is_long = false;
        f += left ? 2 : 1;
        char pad = *f == '0' ? '0' : ' ';
        int width = 0;
        for (; *f >= '0' && *f <= '9'; f++) {
            width = 10 * width + *f - '0';
        }
        width = left ? -width : width;
        for (; *f == 'l'; f++) {
            is_long = true;
        }
        if (*f == 's') {
            const char *s = va_arg(args, const char *);
            put_padded(s, (u32)strlen(s), width, ' ');
        } else if (*f == 'c') {
            put((char)va_arg(args, int));
        } else if (*f == 'd') {
            long n = is_long ? va_arg(args, long) : va_arg(args, int);
            put_number(n < 0 ? -(u64)n : (u64)n, 10, n < 0, width, pad);
        } else {
            u64 n = is_long ? va_arg(args, u64) : va_arg(args, u32);
            put_number(n, *f == 'x' ? 16 : 10, false, width, pad);
        }
    }
    flush();
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    csr_set(sstatus, status & SSTATUS_SIE);
    va_end(args);
}

/* Sixteen bytes a line; a run of equal lines becomes one '*'. */
void print_hex(const void *data, u64 address, u32 length_bytes)
{
    const u8 *bytes = data;
    bool starred = false;
    for (u32 at = 0; at < length_bytes; at += 16) {
        if (at && at + 16 < length_bytes && memcmp(bytes + at, bytes + at - 16, 16) == 0) {
            print("%s", starred ? "" : "*\n");
            starred = true;
            continue;
        }
        starred = false;
        print("%08lx ", address + at);
        for (u32 i = 0; i < 16; i++) {
            print(" %02x", bytes[at + i]);
        }
        print("  |");
        for (u32 i = 0; i < 16; i++) {
            u8 c = bytes[at + i];
            print("%c", c >= ' ' && c < 127 ? c : '.');
        }
        print("|\n");
    }
}

static void typed(u8 byte)
{
    if (byte == 3) {
        break_typed = true;
    }
    if (ring_head - ring_tail < sizeof ring) {
        ring[ring_head % sizeof ring] = byte;
        ring_head++;
    }
}

void console_interrupt(void)
{
    while (*uart(LSR) & LSR_READY) {
        typed(*uart(DATA));
    }
}

/* Without a PLIC and a UART the firmware is asked for bytes whenever somebody looks. */
static void poll(void)
{
    if (is_ready && !uses_interrupt && sbi_has(SBI_DBCN)) {
        for (int byte; (byte = sbi_console_read()) >= 0;) {
            typed((u8)byte);
        }
    }
}

void console_init(void)
{
    uses_interrupt = machine.uart.base && machine.uart.irq && machine.plic.base;
    if (uses_interrupt) {
        plic_enable(machine.uart.irq, console_interrupt);
        *uart(IER) = IER_RECEIVE;
    }
    is_ready = true;
}

int console_getc(void)
{
    poll();
    if (ring_tail == ring_head) {
        return -1;
    }
    u8 byte = ring[ring_tail % sizeof ring];
    ring_tail++;
    break_typed = break_typed && byte != 3;
    return byte;
}

bool console_break(void)
{
    poll();
    bool was_typed = break_typed;
    break_typed = false;
    return was_typed;
}

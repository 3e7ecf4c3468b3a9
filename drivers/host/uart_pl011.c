// SPDX-License-Identifier: Apache-2.0
/* PL011 UART (DDI 0183); see uart.h. No lock: console.h says who may call. The interrupt mask is the only register that two
 * contexts write: the handler clears it, a read that found the FIFO empty sets it; input that comes in between raises the
 * line again, since it is a level. */
#include "drivers/host/uart.h"

enum { DR = 0x00, FR = 0x18, LCR_H = 0x2c, CR = 0x30, IFLS = 0x34, IMSC = 0x38, ICR = 0x44 };
#define FR_RXFE  (1u << 4)
#define FR_TXFF  (1u << 5)
#define LCR_FEN  (1u << 4)
#define LCR_8BIT (3u << 5)
#define CR_ON    (1u | 1u << 8 | 1u << 9)                 /* UARTEN, TXE, RXE */
#define INT_RX   (1u << 4 | 1u << 6)                      /* receive level, receive timeout */

static void init(struct uart *u, uintptr_t base)
{
    *u = (struct uart){ .base = base };
    *uart_reg(u, IMSC) = 0;
    *uart_reg(u, ICR) = 0x7ff;
    *uart_reg(u, LCR_H) |= LCR_FEN | LCR_8BIT;
    *uart_reg(u, IFLS) = 0;                               /* tell of one eighth full */
    *uart_reg(u, CR) |= CR_ON;
}

static const struct uart_sender sender = { DR, FR, FR_TXFF };

static void write(void *uart, const char *text, size_t length) { uart_send(uart, &sender, text, length); }

static size_t read(void *uart, char *out, size_t cap_bytes)
{
    const struct uart *u = uart;
    size_t n = 0;
    while (n < cap_bytes && !(*uart_reg(u, FR) & FR_RXFE)) {
        uint32_t data = *uart_reg(u, DR);
        if (!(data & 0x700)) out[n++] = (char)data;       /* framing, parity, break: no character */
    }
    if (u->has_irq && n < cap_bytes) *uart_reg(u, IMSC) = INT_RX;
    return n;
}

static void quiet(void *uart) { *uart_reg(uart, IMSC) = 0; }

static void listen(struct uart *u)
{
    u->has_irq = true;
    *uart_reg(u, IMSC) = INT_RX;
}

const struct uart_chip uart_pl011 = { "pl011", { "arm,pl011" }, init, write, read, quiet, listen };

// SPDX-License-Identifier: Apache-2.0
/* A UART whose registers lie in memory, as the machine's console: output by polling, input by polling or with an interrupt.
 * One row of functions for each chip. The line settings stay what firmware made them. */
#pragma once
#include "drivers/host/console.h"

/* A driver's own: where the registers are. */
struct uart { uintptr_t base; bool has_irq; };

struct uart_chip {
    const char *name;
    const char *compatible[4];                            /* its nodes in device trees; NULL ends */
    void   (*init)(struct uart *u, uintptr_t base);       /* receiver, transmitter and FIFO on, interrupts off */
    void   (*write)(void *uart, const char *text, size_t length);
    size_t (*read)(void *uart, char *out, size_t cap_bytes);
    void   (*quiet)(void *uart);                          /* interrupt context: drops the line until the next read has emptied the FIFO */
    void   (*listen)(struct uart *u);                     /* the interrupt is wired: let it come */
};

/* ---- for the chips ---- */
static inline volatile uint32_t *uart_reg(const struct uart *u, unsigned offset) { return (volatile uint32_t *)(u->base + offset); }

/* Where a letter goes: into `data`, when `status` no longer says `full`, or after a while all the same. */
struct uart_sender { unsigned data, status; uint32_t full; };

/* One letter. */
static inline void uart_put(const struct uart *u, const struct uart_sender *s, char c)
{
    for (unsigned i = 0; i < 10000000 && *uart_reg(u, s->status) & s->full; i++) {}
    *uart_reg(u, s->data) = (uint8_t)c;
}

/* A text, CR before LF. */
static inline void uart_send(const struct uart *u, const struct uart_sender *s, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') uart_put(u, s, '\r');
        uart_put(u, s, text[i]);
    }
}

/* Arm's PL011; Cadence's, of Zynq chips. */
extern const struct uart_chip uart_pl011, uart_cadence;

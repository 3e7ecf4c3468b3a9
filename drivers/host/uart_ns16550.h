// SPDX-License-Identifier: Apache-2.0
/* 16550A UART (National PC16550D) as the machine's console: output by polling, input by polling or with an interrupt.
 * How its registers are reached (ports, memory, which stride) is its owner's business. */
#pragma once
#include "drivers/host/console.h"

#define UART_NS16550_RING 256u

struct uart_ns16550 {
    uint8_t (*get)(uintptr_t base, unsigned reg);
    void    (*put)(uintptr_t base, unsigned reg, uint8_t v);
    uintptr_t base;
    bool has_irq;
    /* The chip keeps 16 bytes, 1.4 ms of a paste: the interrupt handler empties it into here, read takes from here. */
    char     ring[UART_NS16550_RING];
    uint32_t head, tail;                                 /* atomic; free running: the handler's, the reader's */
    bool     is_full;                                    /* atomic: the handler turned its interrupt off */
};

/* get, put and base are filled. 115200 baud, 8 bits, no parity. False: there is no such chip. */
bool   uart_ns16550_init(struct uart_ns16550 *u);
void   uart_ns16550_write(void *uart, const char *text, size_t length);
size_t uart_ns16550_read(void *uart, char *out, size_t cap_bytes);
/* Interrupt context: takes what the chip has, which drops the line. */
void   uart_ns16550_interrupt(void *uart);
/* The interrupt is wired: let it come. */
void   uart_ns16550_listen(struct uart_ns16550 *u);

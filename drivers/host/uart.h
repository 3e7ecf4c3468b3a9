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

/* Arm's PL011; Cadence's, of Zynq chips. */
extern const struct uart_chip uart_pl011, uart_cadence;

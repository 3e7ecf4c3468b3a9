// SPDX-License-Identifier: Apache-2.0
/* Cadence UART of Zynq and Zynq UltraScale+ (Xilinx UG1085 and UG1087, module UART); see uart.h. No lock: console.h says who
 * may call. The handler masks the interrupt; a read forgets what raised it, empties the FIFO and lets it come again: input
 * after the last look raises it anew. */
#include "drivers/host/uart.h"

enum { CR = 0x00, IER = 0x08, IDR = 0x0c, ISR = 0x14, RXTOUT = 0x1c, RXWM = 0x20, SR = 0x2c, FIFO = 0x30 };
#define CR_RX_ON    (1u << 2)
#define CR_RX_OFF   (1u << 3)
#define CR_TX_ON    (1u << 4)
#define CR_TX_OFF   (1u << 5)
#define SR_RX_EMPTY (1u << 1)
#define SR_TX_FULL  (1u << 4)
#define INT_RX      1u                                    /* as many wait as RXWM says */

static void init(struct uart *u, uintptr_t base)
{
    *u = (struct uart){ .base = base };
    *uart_reg(u, IDR) = ~0u;
    *uart_reg(u, CR) = (*uart_reg(u, CR) & ~(CR_RX_OFF | CR_TX_OFF)) | CR_RX_ON | CR_TX_ON;
    *uart_reg(u, RXTOUT) = 0;
    *uart_reg(u, RXWM) = 1;
    *uart_reg(u, ISR) = ~0u;
}

static const struct uart_sender sender = { FIFO, SR, SR_TX_FULL };

static void write(void *uart, const char *text, size_t length) { uart_send(uart, &sender, text, length); }

static size_t read(void *uart, char *out, size_t cap_bytes)
{
    const struct uart *u = uart;
    size_t n = 0;
    *uart_reg(u, ISR) = INT_RX;
    while (n < cap_bytes && !(*uart_reg(u, SR) & SR_RX_EMPTY)) out[n++] = (char)*uart_reg(u, FIFO);
    if (u->has_irq && n < cap_bytes) *uart_reg(u, IER) = INT_RX;
    return n;
}

static void quiet(void *uart) { *uart_reg(uart, IDR) = INT_RX; }

static void listen(struct uart *u)
{
    u->has_irq = true;
    *uart_reg(u, IER) = INT_RX;
}

const struct uart_chip uart_cadence = { "cadence", { "cdns,uart-r1p12", "cdns,uart-r1p8", "xlnx,xuartps" }, init, write, read, quiet, listen };

// SPDX-License-Identifier: Apache-2.0
/* 16550A UART; see uart_ns16550.h. No lock: console.h says who may call. With an interrupt, the handler alone reads DATA
 * and is the ring's one producer; it leaves no byte in the chip, so that an edge-triggered interrupt chip sees the next
 * one, but when the ring is full it turns its interrupt off, and the reader turns it on again when there is room. */
#include "drivers/host/uart_ns16550.h"

enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCRATCH = 7, DIVISOR_LOW = 0, DIVISOR_HIGH = 1 };
#define IER_RX      0x01u
#define FCR_ON      0x07u                                /* enable, clear both; tell of the first byte */
#define LCR_8N1     0x03u
#define LCR_DIVISOR 0x80u
#define MCR_ON      0x0bu                                /* DTR, RTS, and OUT2: on a PC it gates the interrupt */
#define LSR_RX      0x01u
#define LSR_BREAK   0x10u
#define LSR_ROOM    0x20u
#define LSR_IDLE    0x40u
#define PATIENCE    1000000u                             /* reads of LSR: some tenths of a second on real chips */
#define PATIENCE_BYTES (4 * UART_NS16550_RING)           /* at once: more than the ring, less than for ever */

bool uart_ns16550_init(struct uart_ns16550 *u)
{
    u->has_irq = false;
    u->put(u->base, SCRATCH, 0x5a);
    if (u->get(u->base, SCRATCH) != 0x5a) return false;
    u->put(u->base, IER, 0);
    u->put(u->base, LCR, LCR_DIVISOR);
    u->put(u->base, DIVISOR_LOW, 1);                     /* 1.8432 MHz / 16 / 115200 */
    u->put(u->base, DIVISOR_HIGH, 0);
    u->put(u->base, LCR, LCR_8N1);
    u->put(u->base, FCR, FCR_ON);
    u->put(u->base, MCR, MCR_ON);
    return true;
}

static void wait_for(const struct uart_ns16550 *u, uint8_t status)
{
    for (unsigned i = 0; i < PATIENCE && !(u->get(u->base, LSR) & status); i++) {}
}

static void put(const struct uart_ns16550 *u, char c)
{
    wait_for(u, LSR_ROOM);
    u->put(u->base, DATA, (uint8_t)c);
}

void uart_ns16550_write(void *uart, const char *text, size_t length)
{
    const struct uart_ns16550 *u = uart;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') put(u, '\r');
        put(u, text[i]);
    }
    wait_for(u, LSR_IDLE);                               /* all on the wire: the machine may be switched off next */
}

/* One byte of the chip. False: none waits. A chip that is gone reads all ones: its callers count. */
static bool take(const struct uart_ns16550 *u, char *out, bool *is_break)
{
    uint8_t status = u->get(u->base, LSR);
    if (!(status & LSR_RX)) return false;
    *out = (char)u->get(u->base, DATA);
    *is_break = status & LSR_BREAK;
    return true;
}

static size_t read_ring(struct uart_ns16550 *u, char *out, size_t cap_bytes)
{
    uint32_t head = __atomic_load_n(&u->head, __ATOMIC_ACQUIRE), tail = u->tail;     /* pairs with the handler's store */
    size_t n = 0;
    while (n < cap_bytes && tail != head) out[n++] = u->ring[tail++ % UART_NS16550_RING];
    __atomic_store_n(&u->tail, tail, __ATOMIC_RELEASE);
    if (n && __atomic_exchange_n(&u->is_full, false, __ATOMIC_ACQ_REL)) u->put(u->base, IER, IER_RX);
    return n;
}

size_t uart_ns16550_read(void *uart, char *out, size_t cap_bytes)
{
    struct uart_ns16550 *u = uart;
    if (u->has_irq) return read_ring(u, out, cap_bytes);
    size_t n = 0;
    char c;
    bool is_break;
    for (unsigned i = 0; i < PATIENCE_BYTES && n < cap_bytes && take(u, &c, &is_break); i++) {
        if (!is_break) out[n++] = c;
    }
    return n;
}

void uart_ns16550_interrupt(void *uart)
{
    struct uart_ns16550 *u = uart;
    uint32_t head = u->head;
    char c;
    bool is_break;
    for (unsigned i = 0; i < PATIENCE_BYTES; i++) {
        if (head - __atomic_load_n(&u->tail, __ATOMIC_ACQUIRE) == UART_NS16550_RING) {   /* pairs with the reader's store */
            u->put(u->base, IER, 0);
            __atomic_store_n(&u->is_full, true, __ATOMIC_RELEASE);
            break;
        }
        if (!take(u, &c, &is_break)) break;
        if (!is_break) u->ring[head++ % UART_NS16550_RING] = c;
        __atomic_store_n(&u->head, head, __ATOMIC_RELEASE);
    }
}

void uart_ns16550_listen(struct uart_ns16550 *u)
{
    u->head = u->tail = 0;
    u->is_full = false;
    u->has_irq = true;
    u->put(u->base, IER, IER_RX);
}

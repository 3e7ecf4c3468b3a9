// SPDX-License-Identifier: Apache-2.0
/* The PL011; see pl011.h. A byte written to UARTDR is gone at once, so the transmitter is always empty. All state belongs to
 * `lock`. Names are those of DDI 0183G, chapter 3. */
#include "drivers/virt/pl011.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"

#define FIFO_BYTES 32u
#define TIMEOUT_NS 2800000                 /* 32 bit times at 11520 baud and above: 2.4.3, receive timeout */

enum {
    DR = 0x000, RSR = 0x004, FR = 0x018, ILPR = 0x020, IBRD = 0x024, FBRD = 0x028, LCR_H = 0x02c, CR = 0x030, IFLS = 0x034, IMSC = 0x038,
    RIS = 0x03c, MIS = 0x040, ICR = 0x044, DMACR = 0x048, ID = 0xfe0,
};
#define FR_CTS    0x001u
#define FR_RXFE   0x010u
#define FR_RXFF   0x040u
#define FR_TXFE   0x080u
#define LCR_FEN   0x10u
#define CR_ENABLE 0x001u
#define CR_LOOP   0x080u
#define CR_TX     0x100u
#define CR_RX     0x200u
#define INT_RX    0x010u
#define INT_TX    0x020u
#define INT_RT    0x040u
#define INT_OE    0x400u
#define INT_ALL   0x7ffu
#define DR_OE     0x800u
#define RSR_OE    0x008u

struct uart {
    struct spinlock lock;
    struct pl011_config config;
    struct timer    timeout;
    uint32_t        ilpr, ibrd, fbrd, lcr, cr, ifls, imsc, ris, dmacr, rsr;
    uint8_t         fifo[FIFO_BYTES];
    unsigned        fifo_from, fifo_count;
    bool            is_overrun;            /* told with the next byte that is read */
};

static unsigned capacity(const struct uart *u) { return u->lcr & LCR_FEN ? FIFO_BYTES : 1; }

static unsigned trigger_level(const struct uart *u)
{
    static const uint8_t level[8] = { 4, 8, 16, 24, 28, 28, 28, 28 };
    return u->lcr & LCR_FEN ? level[u->ifls >> 3 & 7] : 1;
}

/* All below: lock held. */
static void update(struct uart *u) { irq_line_set(&u->config.irq, (u->ris & u->imsc) != 0); }

static void restart_timeout(struct uart *u)
{
    if (u->fifo_count && u->lcr & LCR_FEN) timer_arm(&u->timeout, arch_time_ns() + TIMEOUT_NS);
    else timer_cancel(&u->timeout);
}

static void timed_out(void *arg)
{
    struct uart *u = arg;
    spin_lock(&u->lock);
    if (u->fifo_count) u->ris |= INT_RT;
    update(u);
    spin_unlock(&u->lock);
}

static void receive(struct uart *u, uint8_t byte)
{
    if (u->fifo_count == capacity(u)) {
        u->is_overrun = true;
        u->rsr = RSR_OE;
        u->ris |= INT_OE;
        return;
    }
    u->fifo[(u->fifo_from + u->fifo_count++) % FIFO_BYTES] = byte;
    if (u->fifo_count >= trigger_level(u)) u->ris |= INT_RX;
    restart_timeout(u);
}

static uint32_t pop(struct uart *u)
{
    uint32_t v = u->fifo[u->fifo_from] | (u->is_overrun ? DR_OE : 0);
    u->is_overrun = false;
    if (u->fifo_count) {
        u->fifo_count--;
        u->fifo_from = (u->fifo_from + 1) % FIFO_BYTES;
    }
    if (u->fifo_count < trigger_level(u)) u->ris &= ~INT_RX;
    if (!u->fifo_count) u->ris &= ~INT_RT;
    restart_timeout(u);
    update(u);
    return v;
}

static uint32_t flags(const struct uart *u)
{
    return FR_CTS | FR_TXFE | (u->fifo_count ? 0 : FR_RXFE) | (u->fifo_count == capacity(u) ? FR_RXFF : 0);
}

static uint32_t read_register(struct uart *u, uint64_t offset)
{
    /* revision 3 (r1p5): drivers take the older ones' FIFOs for 16 bytes deep */
    static const uint8_t id[8] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    if (offset >= ID) return id[(offset - ID) / 4 & 7];
    switch (offset) {
    case DR:    return pop(u);
    case RSR:   return u->rsr;
    case FR:    return flags(u);
    case ILPR:  return u->ilpr;
    case IBRD:  return u->ibrd;
    case FBRD:  return u->fbrd;
    case LCR_H: return u->lcr;
    case CR:    return u->cr;
    case IFLS:  return u->ifls;
    case IMSC:  return u->imsc;
    case RIS:   return u->ris;
    case MIS:   return u->ris & u->imsc;
    case DMACR: return u->dmacr;
    }
    return 0;
}

static void write_lcr(struct uart *u, uint32_t v)
{
    if ((v ^ u->lcr) & LCR_FEN) {
        u->fifo_count = u->fifo_from = 0;
        u->ris &= ~(INT_RX | INT_RT);
        restart_timeout(u);
    }
    u->lcr = v & 0xff;
}

/* True: the byte goes out. Also while UARTEN is clear: early consoles do not care, and neither does the model that they know. */
static bool write_data(struct uart *u, uint8_t v)
{
    bool is_loop = u->cr & CR_LOOP;
    if (is_loop) receive(u, v);
    u->ris |= INT_TX;
    return !is_loop;
}

static bool write_register(struct uart *u, uint64_t offset, uint32_t v)
{
    bool is_output = false;
    switch (offset) {
    case DR:    is_output = write_data(u, (uint8_t)v); break;
    case RSR:   u->rsr = 0; break;
    case ILPR:  u->ilpr = v & 0xff; break;
    case IBRD:  u->ibrd = v & 0xffff; break;
    case FBRD:  u->fbrd = v & 0x3f; break;
    case LCR_H: write_lcr(u, v); break;
    case CR:    u->cr = v & 0xffff; break;
    case IFLS:  u->ifls = v & 0x3f; break;
    case IMSC:  u->imsc = v & INT_ALL; break;
    case ICR:   u->ris &= ~v; break;
    case DMACR: u->dmacr = v & 7; break;
    }
    update(u);
    return is_output;
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct uart *u = dev;
    (void)size_bytes;
    spin_lock(&u->lock);
    *out = read_register(u, offset & ~3ull);
    spin_unlock(&u->lock);
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct uart *u = dev;
    char byte = (char)value;
    (void)size_bytes;
    spin_lock(&u->lock);
    bool is_output = write_register(u, offset & ~3ull, (uint32_t)value);
    spin_unlock(&u->lock);
    if (is_output) u->config.write(u->config.ctx, &byte, 1);
    return VM_SUCCESS;
}

/* ---- from the host ---- */
/* Nobody hears what comes before the guest has switched its receiver on. */
static unsigned room(const struct uart *u)
{
    bool is_on = (u->cr & (CR_ENABLE | CR_RX | CR_LOOP)) == (CR_ENABLE | CR_RX);
    return is_on ? capacity(u) - u->fifo_count : 0;
}

size_t pl011_room(void *uart)
{
    struct uart *u = uart;
    spin_lock(&u->lock);
    size_t n = room(u);
    spin_unlock(&u->lock);
    return n;
}

size_t pl011_input(void *uart, const char *text, size_t length)
{
    struct uart *u = uart;
    size_t n = 0;
    spin_lock(&u->lock);
    while (n < length && room(u)) receive(u, (uint8_t)text[n++]);
    if (n) update(u);
    spin_unlock(&u->lock);
    return n;
}

/* ---- life ---- */
static void reset(void *dev)
{
    struct uart *u = dev;
    timer_cancel_sync(&u->timeout);
    spin_lock(&u->lock);
    u->ilpr = u->ibrd = u->fbrd = u->lcr = u->imsc = u->ris = u->dmacr = u->rsr = 0;
    u->cr = CR_TX | CR_RX;
    u->ifls = 0x12;
    u->fifo_from = u->fifo_count = 0;
    u->is_overrun = false;
    update(u);
    spin_unlock(&u->lock);
}

static void destroy(void *dev)
{
    struct uart *u = dev;
    timer_cancel_sync(&u->timeout);
    heap_free(u);
}

static const struct mmio_ops uart_ops = { .name = "pl011", .read = read, .write = write, .reset = reset, .destroy = destroy };

struct vm_error pl011_create(const struct pl011_config *c, struct mmio_region *out)
{
    struct uart *u = heap_alloc(sizeof *u);
    if (!u) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a UART");
    u->config = *c;
    timer_init(&u->timeout, timed_out, u);
    reset(u);
    *out = (struct mmio_region){ .base = c->base, .size_bytes = PL011_BYTES, .min_access_bytes = 1, .max_access_bytes = 8, .ops = &uart_ops, .dev = u };
    return VM_SUCCESS;
}

// SPDX-License-Identifier: Apache-2.0
/* The 16550A; see ns16550.h. A byte written to THR is gone at once, so the transmitter is always empty; received bytes wait
 * in the 16-byte FIFO. All state belongs to `lock`. Register and bit names are those of the data sheet (PC16550D, section 8). */
#include "drivers/virt/ns16550.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"

#define FIFO_BYTES 16u
#define TIMEOUT_NS 350000                  /* four characters at 115200 baud: 8.4.1, FIFO timeout */

enum { RBR_THR_DLL = 0, IER_DLM = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7, REGISTER_COUNT = 8 };

#define IER_RECEIVED    0x01u
#define IER_THR_EMPTY   0x02u
#define IER_LINE_STATUS 0x04u
#define IER_MODEM       0x08u

#define IIR_NONE        0x01u
#define IIR_MODEM       0x00u
#define IIR_THR_EMPTY   0x02u
#define IIR_RECEIVED    0x04u
#define IIR_LINE_STATUS 0x06u
#define IIR_TIMEOUT     0x0cu
#define IIR_ID          0x0fu
#define IIR_FIFOS_ON    0xc0u

#define FCR_ENABLE      0x01u
#define FCR_CLEAR_RX    0x02u
#define FCR_CLEAR_TX    0x04u
#define FCR_KEPT        0xc9u

#define LCR_DLAB        0x80u

#define MCR_DTR         0x01u
#define MCR_RTS         0x02u
#define MCR_OUT1        0x04u
#define MCR_OUT2        0x08u
#define MCR_LOOP        0x10u
#define MCR_KEPT        0x1fu

#define LSR_DATA_READY  0x01u
#define LSR_OVERRUN     0x02u
#define LSR_ERRORS      0x1eu
#define LSR_THR_EMPTY   0x20u
#define LSR_TX_EMPTY    0x40u

#define MSR_DELTAS      0x0fu
#define MSR_CTS         0x10u
#define MSR_DSR         0x20u
#define MSR_RI          0x40u
#define MSR_DCD         0x80u

struct uart {
    struct spinlock lock;
    struct ns16550_config config;
    struct timer    timeout;
    uint16_t        divisor;
    uint8_t         ier, iir, fcr, lcr, mcr, lsr, msr, scr;
    bool            is_thre_pending, is_timeout_pending;
    uint8_t         fifo[FIFO_BYTES];      /* one byte of it when FIFOs are off */
    unsigned        fifo_from, fifo_count;
};

static bool has_fifos(const struct uart *u) { return u->fcr & FCR_ENABLE; }
static unsigned capacity(const struct uart *u) { return has_fifos(u) ? FIFO_BYTES : 1; }

static unsigned trigger_level(const struct uart *u)
{
    static const uint8_t level[] = { 1, 4, 8, 14 };
    return has_fifos(u) ? level[u->fcr >> 6] : 1;
}

/* All below: lock held. Interrupts by falling priority (table 8.4). */
static void update(struct uart *u)
{
    uint8_t id = IIR_NONE;
    if (u->ier & IER_LINE_STATUS && u->lsr & LSR_ERRORS) id = IIR_LINE_STATUS;
    else if (u->ier & IER_RECEIVED && u->is_timeout_pending) id = IIR_TIMEOUT;
    else if (u->ier & IER_RECEIVED && u->fifo_count >= trigger_level(u)) id = IIR_RECEIVED;
    else if (u->ier & IER_THR_EMPTY && u->is_thre_pending) id = IIR_THR_EMPTY;
    else if (u->ier & IER_MODEM && u->msr & MSR_DELTAS) id = IIR_MODEM;
    u->iir = (uint8_t)(id | (has_fifos(u) ? IIR_FIFOS_ON : 0));
    irq_line_set(&u->config.irq, id != IIR_NONE);
}

static void restart_timeout(struct uart *u)
{
    if (has_fifos(u) && u->fifo_count) timer_arm(&u->timeout, arch_time_ns() + TIMEOUT_NS);
    else timer_cancel(&u->timeout);
}

static void timed_out(void *arg)
{
    struct uart *u = arg;
    spin_lock(&u->lock);
    if (has_fifos(u) && u->fifo_count) {
        u->is_timeout_pending = true;
        update(u);
    }
    spin_unlock(&u->lock);
}

static void receive(struct uart *u, uint8_t byte)
{
    if (u->fifo_count < capacity(u)) {
        u->fifo[(u->fifo_from + u->fifo_count++) % FIFO_BYTES] = byte;
    } else {
        u->lsr |= LSR_OVERRUN;
        if (!has_fifos(u)) u->fifo[u->fifo_from] = byte;       /* the newer one overwrites RBR */
    }
    u->lsr |= LSR_DATA_READY;
    restart_timeout(u);
}

static uint8_t pop(struct uart *u)
{
    uint8_t byte = u->fifo[u->fifo_from];                      /* when empty, whatever lies there */
    if (u->fifo_count) {
        u->fifo_count--;
        if (u->fifo_count || has_fifos(u)) u->fifo_from = (u->fifo_from + 1) % FIFO_BYTES;
    }
    if (!u->fifo_count) u->lsr &= (uint8_t)~LSR_DATA_READY;
    u->is_timeout_pending = false;
    restart_timeout(u);
    update(u);
    return byte;
}

static void clear_receiver(struct uart *u)
{
    u->fifo_count = 0;
    u->lsr &= (uint8_t)~LSR_DATA_READY;
    u->is_timeout_pending = false;
    restart_timeout(u);
}

static uint8_t read_iir(struct uart *u)
{
    uint8_t iir = u->iir;
    if ((iir & IIR_ID) == IIR_THR_EMPTY) {                     /* reading it acknowledges it */
        u->is_thre_pending = false;
        update(u);
    }
    return iir;
}

static uint8_t read_lsr(struct uart *u)
{
    uint8_t lsr = u->lsr;
    if (lsr & LSR_ERRORS) {
        u->lsr &= (uint8_t)~LSR_ERRORS;
        update(u);
    }
    return lsr;
}

/* 8.6.4: in loopback the outputs come back as inputs; else somebody is always there. */
static uint8_t modem_lines(uint8_t mcr)
{
    if (!(mcr & MCR_LOOP)) return MSR_DCD | MSR_DSR | MSR_CTS;
    return (uint8_t)((mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
                     (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* 8.6.7: a changed line sets its delta bit, the ring indicator only when it ends. */
static void write_mcr(struct uart *u, uint8_t v)
{
    u->mcr = v & MCR_KEPT;
    uint8_t lines = modem_lines(u->mcr), changed = (uint8_t)((lines ^ u->msr) & 0xf0);
    if (lines & MSR_RI) changed &= (uint8_t)~MSR_RI;
    u->msr = (uint8_t)(lines | (u->msr & MSR_DELTAS) | changed >> 4);
    if (changed) update(u);
}

static uint8_t read_msr(struct uart *u)
{
    uint8_t msr = u->msr;
    if (msr & MSR_DELTAS) {
        u->msr &= (uint8_t)~MSR_DELTAS;
        update(u);
    }
    return msr;
}

static uint8_t read_register(struct uart *u, uint64_t offset)
{
    switch (offset) {
    case RBR_THR_DLL: return u->lcr & LCR_DLAB ? (uint8_t)u->divisor : pop(u);
    case IER_DLM:     return u->lcr & LCR_DLAB ? (uint8_t)(u->divisor >> 8) : u->ier;
    case IIR_FCR:     return read_iir(u);
    case LCR:         return u->lcr;
    case MCR:         return u->mcr;
    case LSR:         return read_lsr(u);
    case MSR:         return read_msr(u);
    case SCR:         return u->scr;
    default:          return 0;
    }
}

static void write_ier(struct uart *u, uint8_t v)
{
    uint8_t changed = (u->ier ^ v) & 0x0f;
    u->ier = v & 0x0f;
    if (changed & IER_THR_EMPTY) u->is_thre_pending = u->ier & IER_THR_EMPTY;    /* enabling it with THR empty raises it */
    if (changed) update(u);
}

static void write_fcr(struct uart *u, uint8_t v)
{
    if ((v ^ u->fcr) & FCR_ENABLE) v |= FCR_CLEAR_RX | FCR_CLEAR_TX;
    u->fcr = v & FCR_KEPT;
    if (!has_fifos(u)) u->fcr = 0;                             /* 8.5: bit 0 must be 1 for the others to count */
    if (v & FCR_CLEAR_RX) clear_receiver(u);
    if (v & FCR_CLEAR_TX) u->is_thre_pending = true;
    update(u);
}

/* True: the byte goes out. */
static bool write_thr(struct uart *u, uint8_t v)
{
    bool is_loop = u->mcr & MCR_LOOP;
    u->is_thre_pending = false;                                /* full, and at once empty again: a new edge */
    update(u);
    u->is_thre_pending = true;
    if (is_loop) receive(u, v);
    update(u);
    return !is_loop;
}

static bool write_register(struct uart *u, uint64_t offset, uint8_t v)
{
    bool is_divisor = u->lcr & LCR_DLAB;
    switch (offset) {
    case RBR_THR_DLL:
        if (!is_divisor) return write_thr(u, v);
        u->divisor = (uint16_t)((u->divisor & 0xff00) | v);
        break;
    case IER_DLM:
        if (is_divisor) u->divisor = (uint16_t)((u->divisor & 0x00ff) | v << 8);
        else write_ier(u, v);
        break;
    case IIR_FCR: write_fcr(u, v);         break;
    case LCR:     u->lcr = v;              break;
    case MCR:     write_mcr(u, v);         break;
    case SCR:     u->scr = v;              break;
    default:                               break;              /* LSR and MSR are read-only */
    }
    return false;
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct uart *u = dev;
    (void)size_bytes;                                          /* registers are bytes; wider accesses see one of them */
    spin_lock(&u->lock);
    *out = offset < REGISTER_COUNT ? read_register(u, offset) : 0;
    spin_unlock(&u->lock);
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct uart *u = dev;
    char byte = (char)value;
    (void)size_bytes;
    spin_lock(&u->lock);
    bool is_output = write_register(u, offset, (uint8_t)value);
    spin_unlock(&u->lock);
    if (is_output) u->config.write(u->config.ctx, &byte, 1);
    return VM_SUCCESS;
}

/* ---- from the host ---- */
static unsigned room(const struct uart *u) { return u->mcr & MCR_LOOP ? 0 : capacity(u) - u->fifo_count; }

size_t ns16550_room(void *uart)
{
    struct uart *u = uart;
    spin_lock(&u->lock);
    size_t n = room(u);
    spin_unlock(&u->lock);
    return n;
}

size_t ns16550_input(void *uart, const char *text, size_t length)
{
    struct uart *u = uart;
    size_t n = 0;
    spin_lock(&u->lock);
    while (n < length && room(u)) receive(u, (uint8_t)text[n++]);
    if (n) update(u);
    spin_unlock(&u->lock);
    return n;
}

size_t ns16550_take(void *uart, char *out, size_t cap_bytes)
{
    struct uart *u = uart;
    size_t n = 0;
    spin_lock(&u->lock);
    while (n < cap_bytes && u->fifo_count) out[n++] = (char)pop(u);
    spin_unlock(&u->lock);
    return n;
}

/* ---- life ---- */
static void reset(void *dev)
{
    struct uart *u = dev;
    timer_cancel_sync(&u->timeout);
    spin_lock(&u->lock);
    u->divisor = 12;                                           /* 9600 baud of a 1.8432 MHz crystal */
    u->ier = u->fcr = u->lcr = u->scr = 0;
    u->mcr = MCR_OUT2;
    u->msr = modem_lines(u->mcr);
    u->lsr = LSR_THR_EMPTY | LSR_TX_EMPTY;
    u->is_thre_pending = false;
    u->fifo_from = 0;
    clear_receiver(u);
    update(u);
    spin_unlock(&u->lock);
}

static void destroy(void *dev)
{
    struct uart *u = dev;
    timer_cancel_sync(&u->timeout);
    heap_free(u);
}

static const struct mmio_ops uart_ops = { .name = "ns16550", .read = read, .write = write, .reset = reset, .destroy = destroy };

struct vm_error ns16550_create(const struct ns16550_config *c, struct mmio_region *out)
{
    struct uart *u = heap_alloc(sizeof *u);
    if (!u) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a UART");
    u->config = *c;
    timer_init(&u->timeout, timed_out, u);
    reset(u);
    *out = (struct mmio_region){ .base = c->base, .size_bytes = NS16550_BYTES, .min_access_bytes = 1, .max_access_bytes = 8,
                                 .ops = &uart_ops, .dev = u };
    return VM_SUCCESS;
}

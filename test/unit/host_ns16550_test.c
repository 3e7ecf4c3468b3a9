// SPDX-License-Identifier: Apache-2.0
/* The host's 16550 driver before a model of the chip: 16 bytes of FIFO, an edge for every byte that comes while none waits. */
#include "drivers/host/uart_ns16550.c"
#include "hv/base/string.h"
#include "test/harness/test.h"

enum { FIFO = 16, STATUS_RX = 1, STATUS_BREAK = 0x10, STATUS_IDLE = 0x60 };

static struct {
    uint8_t reg[8], fifo[FIFO];
    bool    is_break[FIFO], is_gone;
    unsigned count, lost, edges;
    char     sent[64];
    unsigned sent_count;
} chip;
static struct uart_ns16550 uart;

static uint8_t get(uintptr_t base, unsigned reg)
{
    (void)base;
    if (chip.is_gone) return 0xff;
    if (reg == 5) return (uint8_t)(STATUS_IDLE | (chip.count ? STATUS_RX | (chip.is_break[0] ? STATUS_BREAK : 0) : 0));
    if (reg != 0) return chip.reg[reg];
    uint8_t v = chip.fifo[0];
    if (chip.count) chip.count--;
    memmove(chip.fifo, chip.fifo + 1, FIFO - 1);
    memmove(chip.is_break, chip.is_break + 1, (FIFO - 1) * sizeof(bool));
    return v;
}

static void put_register(uintptr_t base, unsigned reg, uint8_t v)
{
    (void)base;
    if (reg == 0 && !(chip.reg[3] & 0x80) && chip.sent_count < sizeof chip.sent) chip.sent[chip.sent_count++] = (char)v;
    if (reg == 1 && !(chip.reg[1] & 1) && v & 1 && chip.count) chip.edges++;      /* the line rises when the gate opens */
    chip.reg[reg] = v;
}

/* A byte on the wire, and the interrupt if it makes an edge. */
static void comes(uint8_t byte, bool is_break)
{
    if (chip.count == FIFO) {
        chip.lost++;
        return;
    }
    chip.fifo[chip.count] = byte;
    chip.is_break[chip.count] = is_break;
    if (chip.count++ == 0 && chip.reg[1] & 1) chip.edges++;
}

static void deliver(void)
{
    for (; chip.edges; chip.edges--) uart_ns16550_interrupt(&uart);
}

static void start(bool has_irq)
{
    memset(&chip, 0, sizeof chip);
    memset(&uart, 0, sizeof uart);
    uart.get = get;
    uart.put = put_register;
    CHECK(uart_ns16550_init(&uart));
    if (has_irq) uart_ns16550_listen(&uart);
}

TEST(host_uart_that_is_not_there_is_not_found)
{
    memset(&chip, 0, sizeof chip);
    chip.is_gone = true;
    uart.get = get;
    uart.put = put_register;
    CHECK(!uart_ns16550_init(&uart));
}

TEST(host_uart_sends_cr_before_lf)
{
    start(false);
    uart_ns16550_write(&uart, "a\nb", 3);
    CHECK_EQ_U64(chip.sent_count, 4);
    CHECK(!memcmp(chip.sent, "a\r\nb", 4));
}

TEST(host_uart_polled_reads_what_waits_and_no_breaks)
{
    char out[8];
    start(false);
    comes('x', false);
    comes(0, true);
    comes('y', false);
    CHECK_EQ_U64(uart_ns16550_read(&uart, out, sizeof out), 2);
    CHECK(out[0] == 'x' && out[1] == 'y');
    CHECK_EQ_U64(uart_ns16550_read(&uart, out, sizeof out), 0);
}

TEST(host_uart_interrupt_keeps_a_paste_that_is_longer_than_the_chips_fifo)
{
    char out[256];
    start(true);
    for (unsigned i = 0; i < 200; i++) {
        comes((uint8_t)i, false);
        deliver();
    }
    CHECK_EQ_U64(chip.lost, 0);
    CHECK_EQ_U64(uart_ns16550_read(&uart, out, sizeof out), 200);
    for (unsigned i = 0; i < 200; i++) CHECK_EQ_U64((uint8_t)out[i], i);
}

TEST(host_uart_full_ring_stops_the_interrupt_and_a_read_starts_it_again)
{
    char out[100];
    unsigned read = 0, sent = 0;
    start(true);
    for (; sent < UART_NS16550_RING + FIFO; sent++) {    /* the ring, and what then waits in the chip */
        comes((uint8_t)sent, false);
        deliver();
    }
    CHECK_EQ_U64(chip.reg[1], 0);
    CHECK_EQ_U64(chip.lost, 0);
    for (size_t n; (n = uart_ns16550_read(&uart, out, sizeof out)); deliver()) {
        for (size_t i = 0; i < n; i++) CHECK_EQ_U64((uint8_t)out[i], (uint8_t)read++);
    }
    CHECK_EQ_U64(read, sent);
    CHECK_EQ_U64(chip.reg[1], 1);
    comes('z', false);
    deliver();
    CHECK_EQ_U64(uart_ns16550_read(&uart, out, 1), 1);
    CHECK(out[0] == 'z');
}

TEST(host_uart_that_vanishes_ends_reads_and_interrupts)
{
    char out[16];
    start(true);
    chip.is_gone = true;
    uart_ns16550_interrupt(&uart);
    CHECK_EQ_U64(uart_ns16550_read(&uart, out, sizeof out), 0);
    uart.has_irq = false;
    CHECK_EQ_U64(uart_ns16550_read(&uart, out, sizeof out), 0);
}

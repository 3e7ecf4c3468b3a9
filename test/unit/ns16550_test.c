// SPDX-License-Identifier: Apache-2.0
/* The UART as its data sheet (PC16550D) and its drivers see it: drivers/virt/ns16550.h. */
#include "drivers/virt/ns16550.h"
#include "test/unit/chip.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR, DLL = DATA, DLM = IER };
enum { RX_INT = 1, THRE_INT = 2, LINE_INT = 4, MODEM_INT = 8 };
enum { NONE = 1, IS_MODEM = 0, IS_THRE = 2, IS_RX = 4, IS_LINE = 6, IS_TIMEOUT = 12 };
enum { LOOP = 0x10, DLAB = 0x80, DR = 1, OE = 2, EMPTY = 0x60 };

static struct mmio_region u;
static struct wire irq;
static char out[64];
static size_t out_count;

static void uart_out(void *ctx, const char *text, size_t length)
{
    CHECK(ctx == out);
    for (size_t i = 0; i < length; i++, out_count++) out[out_count % sizeof out] = text[i];
}
static uint8_t in(unsigned at)             { return (uint8_t)chip_read(&u, at, 1); }
static void    put(unsigned at, uint8_t v) { chip_write(&u, at, 1, v); }
static size_t  type(const char *text)      { return ns16550_input(u.dev, text, strlen(text)); }
static uint8_t id(void)                    { return in(IIR) & 0x0f; }

static void start(void)
{
    chip_pages();
    irq = (struct wire){ 0 };
    out_count = 0;
    const struct ns16550_config c = { { 0x10000000 }, wire_line(&irq), out, uart_out };
    CHECK(!vm_failed(ns16550_create(&c, &u)));
}
static void start_fifo(uint8_t trigger)
{
    start();
    put(FCR, (uint8_t)(1 | trigger << 6));
}
static void end(void) { u.ops->destroy(u.dev); }

TEST(uart_powers_on_with_an_empty_transmitter_and_somebody_on_the_line)
{
    start();
    CHECK(in(IER) == 0 && in(IIR) == NONE && in(LCR) == 0 && in(LSR) == EMPTY && in(MSR) == 0xb0 && in(SCR) == 0 && !irq.level);
    end();
}

TEST(uart_registers_keep_the_bits_they_have)
{
    start();
    for (unsigned v = 0; v < 256; v++) {
        put(SCR, (uint8_t)v);
        CHECK_EQ_U64(in(SCR), v);
        put(IER, (uint8_t)v);
        CHECK_EQ_U64(in(IER), v & 0x0f);
        put(MCR, (uint8_t)v);
        CHECK_EQ_U64(in(MCR), v & 0x1f);
        put(LCR, (uint8_t)v);
        CHECK_EQ_U64(in(LCR), v);
        put(LCR, 0);
        put(LSR, (uint8_t)v);                                           /* read-only, both */
        put(MSR, (uint8_t)v);
        put(MCR, 0);
    }
    CHECK_EQ_U64(in(LSR), EMPTY);
    end();
}

TEST(uart_divisor_hides_behind_dlab)
{
    start();
    put(IER, RX_INT);
    put(LCR, DLAB | 3);
    put(DLL, 0x34);
    put(DLM, 0x12);
    CHECK(in(DLL) == 0x34 && in(DLM) == 0x12 && out_count == 0);
    put(LCR, 3);
    CHECK_EQ_U64(in(IER), RX_INT);
    put(DATA, 'a');
    CHECK_EQ_U64(out_count, 1);
    put(LCR, DLAB);
    CHECK_EQ_U64(in(DLL), 0x34);
    end();
}

TEST(uart_sends_at_once)
{
    start();
    for (const char *s = "hello"; *s; s++) {
        CHECK_EQ_U64(in(LSR) & EMPTY, EMPTY);
        put(DATA, (uint8_t)*s);
    }
    CHECK(out_count == 5 && !memcmp(out, "hello", 5));
    end();
}

TEST(uart_wider_accesses_see_one_register_and_the_rest_of_the_window_is_empty)
{
    start();
    put(SCR, 0xa5);
    CHECK(chip_read(&u, LSR, 1) == EMPTY && chip_read(&u, 4, 4) == 8 && chip_read(&u, SCR, 1) == 0xa5);
    chip_write(&u, 0, 8, 0x4847464544434241);
    CHECK(out_count == 1 && out[0] == 'A' && in(SCR) == 0xa5);
    for (unsigned at = 8; at < NS16550_BYTES; at++) {
        put(at, 0xff);
        CHECK_EQ_U64(in(at), 0);
    }
    end();
}

TEST(uart_receives_one_byte_without_fifos)
{
    start();
    CHECK(ns16550_room(u.dev) == 1 && type("ab") == 1 && ns16550_room(u.dev) == 0);
    CHECK(in(LSR) == (EMPTY | DR) && in(DATA) == 'a' && in(LSR) == EMPTY);
    CHECK(in(DATA) == 'a');                                             /* RBR keeps it */
    end();
}

TEST(uart_fifo_keeps_16_bytes_in_order)
{
    start_fifo(0);
    CHECK_EQ_U64(in(IIR) & 0xc0, 0xc0);
    CHECK_EQ_U64(type("0123456789abcdefXYZ"), 16);
    CHECK_EQ_U64(ns16550_room(u.dev), 0);
    for (const char *s = "0123456789abcdef"; *s; s++) CHECK(in(LSR) & DR && in(DATA) == (uint8_t)*s);
    CHECK(!(in(LSR) & DR) && ns16550_room(u.dev) == 16);
    end();
}

TEST(uart_interrupts_at_the_triggers_1_4_8_and_14)
{
    static const unsigned level[] = { 1, 4, 8, 14 };
    for (unsigned t = 0; t < 4; t++) {
        start_fifo((uint8_t)t);
        put(IER, RX_INT);
        for (unsigned n = 1; n <= 16; n++) {
            CHECK_EQ_U64(type("x"), 1);
            CHECK(irq.level == (n >= level[t]) && id() == (n >= level[t] ? IS_RX : NONE));
        }
        for (unsigned n = 16; n; n--) {
            CHECK_EQ_U64(irq.level, n >= level[t]);
            in(DATA);
        }
        CHECK(!irq.level);
        end();
    }
}

TEST(uart_reports_a_timeout_when_bytes_below_the_trigger_are_not_read)
{
    start_fifo(3);
    put(IER, RX_INT);
    CHECK(type("ab") == 2 && !irq.level);
    CHIP_WAIT(irq.level);
    CHECK(irq.level && in(IIR) == (0xc0 | IS_TIMEOUT) && id() == IS_TIMEOUT);
    CHECK(in(DATA) == 'a' && !irq.level && id() == NONE);               /* a read ends it, and starts the next */
    CHIP_WAIT(irq.level);
    CHECK(id() == IS_TIMEOUT && in(DATA) == 'b' && !irq.level);
    end();
}

TEST(uart_fcr_clears_what_it_is_told_to_and_counts_only_with_bit_0)
{
    start_fifo(0);
    CHECK_EQ_U64(type("abc"), 3);
    put(FCR, 1 | 4);                                                    /* transmitter only */
    CHECK(in(LSR) & DR);
    put(FCR, 1 | 2);
    CHECK(!(in(LSR) & DR) && ns16550_room(u.dev) == 16);
    CHECK_EQ_U64(type("abc"), 3);
    put(FCR, 0xc0);                                                     /* FIFOs off: all is cleared */
    CHECK(!(in(LSR) & DR) && (in(IIR) & 0xc0) == 0 && ns16550_room(u.dev) == 1);
    CHECK_EQ_U64(type("z"), 1);
    put(FCR, 0xc1);                                                     /* and on: as well */
    CHECK(!(in(LSR) & DR));
    end();
}

TEST(uart_thr_empty_interrupt_comes_when_enabled_goes_when_seen_and_comes_with_each_byte)
{
    start();
    put(IER, THRE_INT);
    CHECK(irq.level && in(IIR) == IS_THRE && !irq.level && in(IIR) == NONE);
    put(IER, 0);
    put(IER, THRE_INT);                                                 /* Linux looks for this one */
    CHECK(irq.level && in(IIR) == IS_THRE && !irq.level);
    unsigned was = irq.raises;
    put(DATA, 'x');
    CHECK(irq.level && irq.raises == was + 1);
    put(DATA, 'y');
    CHECK(irq.level && irq.raises == was + 2 && in(IIR) == IS_THRE && !irq.level);
    put(DATA, 'z');
    put(IER, 0);
    CHECK(!irq.level && in(IIR) == NONE);
    end();
}

TEST(uart_interrupts_have_the_data_sheets_priorities)
{
    start();
    put(MCR, LOOP);
    put(DATA, 'a');
    put(DATA, 'b');                                                     /* overrun, data, THR empty, and modem lines that fell */
    put(IER, RX_INT | THRE_INT | LINE_INT | MODEM_INT);
    CHECK_EQ_U64(id(), IS_LINE);
    CHECK(in(LSR) & OE);
    CHECK_EQ_U64(id(), IS_RX);
    CHECK_EQ_U64(in(DATA), 'b');                                        /* the newer one overwrote the older */
    CHECK_EQ_U64(id(), IS_THRE);
    CHECK_EQ_U64(id(), IS_MODEM);
    CHECK(irq.level && (in(MSR) & 0x0f) != 0);
    CHECK(id() == NONE && !irq.level);
    end();
}

TEST(uart_masked_causes_wait_and_the_line_is_down)
{
    start();
    CHECK(type("a") == 1 && !irq.level && id() == NONE);
    put(IER, RX_INT);
    CHECK(irq.level && id() == IS_RX);
    put(IER, 0);
    CHECK(!irq.level);
    end();
}

TEST(uart_loopback_sends_to_itself_and_keeps_strangers_out)
{
    start_fifo(0);
    put(MCR, LOOP);
    put(DATA, 'q');
    CHECK(out_count == 0 && in(DATA) == 'q');
    CHECK(ns16550_room(u.dev) == 0 && type("x") == 0);
    for (unsigned i = 0; i < 20; i++) put(DATA, (uint8_t)i);
    CHECK(in(LSR) & OE);
    CHECK(!(in(LSR) & OE));                                             /* reading it clears it */
    for (unsigned i = 0; i < 16; i++) CHECK_EQ_U64(in(DATA), i);        /* the FIFO kept the older ones */
    put(MCR, 0);
    put(DATA, 'o');
    CHECK(out_count == 1 && ns16550_room(u.dev) == 16);
    end();
}

TEST(uart_loopback_turns_modem_outputs_into_inputs_with_deltas)
{
    start();
    put(MCR, LOOP);
    CHECK_EQ_U64(in(MSR), 0x0b);                                        /* CTS, DSR and DCD fell */
    for (uint8_t v = 0; v < 16; v++) {
        put(MCR, LOOP | v);
        uint8_t want = (uint8_t)((v & 2 ? 0x10 : 0) | (v & 1 ? 0x20 : 0) | (v & 4 ? 0x40 : 0) | (v & 8 ? 0x80 : 0));
        CHECK_EQ_U64(in(MSR) & 0xf0, want);
    }
    put(MCR, LOOP);
    in(MSR);
    put(MCR, LOOP | 4);
    CHECK_EQ_U64(in(MSR), 0x40);                                        /* a ring's beginning is no delta */
    put(MCR, LOOP);
    CHECK_EQ_U64(in(MSR), 0x04);                                        /* its end is */
    put(IER, MODEM_INT);
    put(MCR, LOOP | 2);
    CHECK(irq.level && id() == IS_MODEM && in(MSR) == 0x11 && !irq.level);
    end();
}

TEST(uart_passes_linux_autoconfiguration_as_a_16550a)
{
    start();
    put(IER, 0);
    CHECK_EQ_U64(in(IER) & 0x0f, 0);
    put(IER, 0x0f);
    CHECK_EQ_U64(in(IER) & 0x0f, 0x0f);
    put(IER, 0);
    put(MCR, LOOP | 0x0a);
    CHECK_EQ_U64(in(MSR) & 0xf0, 0x90);
    put(MCR, 8);
    put(LCR, 0xbf);                                                     /* no EFR here */
    put(LCR, 0);
    put(FCR, 1);
    CHECK_EQ_U64(in(IIR) >> 6, 3);
    put(LCR, 0xe0);                                                     /* no second bank either (NS16550A "super I/O") */
    CHECK(!(in(2) & 0x10));
    put(LCR, 0);
    CHECK(in(IIR) != 0xff && in(LSR) != 0xff);
    end();
}

TEST(uart_gives_unread_input_to_whoever_else_asks_for_it)
{
    char text[16];
    start_fifo(0);
    put(IER, RX_INT);
    CHECK(type("abcdef") == 6 && irq.level);
    CHECK(ns16550_take(u.dev, text, 4) == 4 && !memcmp(text, "abcd", 4) && irq.level);
    CHECK(in(DATA) == 'e' && ns16550_take(u.dev, text, sizeof text) == 1 && text[0] == 'f' && !irq.level);
    CHECK_EQ_U64(ns16550_take(u.dev, text, sizeof text), 0);
    end();
}

TEST(uart_reset_forgets_input_interrupts_and_settings)
{
    start_fifo(0);
    put(IER, 0x0f);
    put(LCR, DLAB | 3);
    put(SCR, 1);
    CHECK(type("abc") == 3 && irq.level);
    u.ops->reset(u.dev);
    CHECK(!irq.level && in(LCR) == 0 && in(IER) == 0 && in(IIR) == NONE && in(LSR) == EMPTY && in(SCR) == 0 && in(MSR) == 0xb0);
    end();
}

TEST(uart_stands_any_access)
{
    start();
    chip_torture(&u, 200000);
    CHECK_EQ_U64(in(LSR) & EMPTY, EMPTY);
    end();
}

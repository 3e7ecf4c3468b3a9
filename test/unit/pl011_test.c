// SPDX-License-Identifier: Apache-2.0
/* The UART as its manual (DDI 0183) and its drivers see it: drivers/virt/pl011.h. */
#include "drivers/virt/pl011.h"
#include "test/unit/chip.h"

enum { DR = 0x00, RSR = 0x04, FR = 0x18, IBRD = 0x24, FBRD = 0x28, LCR = 0x2c, CR = 0x30, IFLS = 0x34, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44, DMACR = 0x48 };
enum { RXFE = 0x10, RXFF = 0x40, TXFE = 0x80, FEN = 0x10, ON = 0x301, LOOP = 0x80, RX = 0x10, TX = 0x20, RT = 0x40, OE = 0x400, DR_OE = 0x800 };

static struct mmio_region u;
static struct wire irq;
static char out[64];
static size_t out_count;

static void uart_out(void *ctx, const char *text, size_t length)
{
    CHECK(ctx == out);
    for (size_t i = 0; i < length; i++, out_count++) out[out_count % sizeof out] = text[i];
}
static uint32_t in(unsigned at)              { return (uint32_t)chip_read(&u, at, 4); }
static void     put(unsigned at, uint32_t v) { chip_write(&u, at, 4, v); }
static size_t   type(const char *text)       { return pl011_input(u.dev, text, strlen(text)); }

static void start(void)
{
    chip_pages();
    irq = (struct wire){ 0 };
    out_count = 0;
    const struct pl011_config c = { { 0x09000000 }, wire_line(&irq), out, uart_out };
    CHECK(!vm_failed(pl011_create(&c, &u)));
}
static void start_on(uint32_t lcr)
{
    start();
    put(LCR, lcr);
    put(CR, ON);
}
static void end(void) { u.ops->destroy(u.dev); }

TEST(pl011_powers_on_silent_with_transmitter_and_receiver_enabled_but_the_uart_off)
{
    start();
    CHECK(in(FR) == (1 | RXFE | TXFE) && in(LCR) == 0 && in(CR) == 0x300 && in(IFLS) == 0x12 && in(IMSC) == 0 && in(RIS) == 0 && in(MIS) == 0 && !irq.level);
    CHECK(pl011_room(u.dev) == 0 && type("x") == 0);                    /* nobody hears */
    end();
}

TEST(pl011_says_which_primecell_it_is)
{
    static const uint8_t id[] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };     /* r1p5, the one with FIFOs of 32: 3.3.15 to 3.3.22 */
    start();
    for (unsigned i = 0; i < 8; i++) {
        put(0xfe0 + 4 * i, 0xff);
        CHECK_EQ_U64(in(0xfe0 + 4 * i), id[i]);
    }
    end();
}

TEST(pl011_registers_keep_the_bits_they_have)
{
    static const struct { unsigned at; uint32_t bits; } rows[] = { { IBRD, 0xffff }, { FBRD, 0x3f }, { LCR, 0xff }, { CR, 0xffff }, { IFLS, 0x3f }, { IMSC, 0x7ff }, { DMACR, 7 }, { 0x20, 0xff } };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        put(rows[i].at, 0xffffffff);
        CHECK_EQ_U64(in(rows[i].at), rows[i].bits);
        put(rows[i].at, 0);
        CHECK_EQ_U64(in(rows[i].at), 0);
    }
    put(FR, 0xffff), put(RIS, 0xffff), put(MIS, 0xffff);                /* read-only */
    CHECK(in(FR) == (1 | RXFE | TXFE) && in(RIS) == 0);
    for (unsigned at = 0x4c; at < 0xfe0; at += 4) {
        put(at, 0xffffffff);
        CHECK_EQ_U64(in(at), 0);
    }
    end();
}

TEST(pl011_sends_at_once_and_interrupts_for_more)
{
    start_on(FEN);
    for (const char *s = "hello"; *s; s++) put(DR, 0xabcd0000u | (uint8_t)*s);
    CHECK(out_count == 5 && !memcmp(out, "hello", 5) && in(FR) & TXFE && in(RIS) == TX && !irq.level);
    put(IMSC, TX);
    CHECK(irq.level && in(MIS) == TX);
    put(ICR, TX);
    CHECK(!irq.level && in(RIS) == 0);
    put(DR, 'x');
    CHECK(irq.level && irq.raises == 2);
    end();
}

TEST(pl011_byte_and_halfword_accesses_reach_the_same_registers)
{
    start_on(FEN);
    CHECK_EQ_U64(type("ab"), 2);
    CHECK(chip_read(&u, DR, 1) == 'a' && chip_read(&u, DR, 2) == 'b');
    chip_write(&u, DR, 1, 'q');
    chip_write(&u, DR, 8, 'r');
    CHECK(out_count == 2 && out[0] == 'q' && out[1] == 'r');
    end();
}

TEST(pl011_receives_one_byte_without_fifos_and_interrupts)
{
    start_on(0);
    put(IMSC, RX);
    CHECK(pl011_room(u.dev) == 1 && type("ab") == 1 && pl011_room(u.dev) == 0);
    CHECK(irq.level && in(MIS) == RX && (in(FR) & (RXFE | RXFF)) == RXFF);
    CHECK(in(DR) == 'a' && !irq.level && (in(FR) & (RXFE | RXFF)) == RXFE);
    end();
}

TEST(pl011_fifo_keeps_32_bytes_in_order)
{
    start_on(FEN);
    for (unsigned round = 0; round < 3; round++) {
        CHECK_EQ_U64(type("0123456789abcdefghijklmnopqrstuvXYZ"), 32);
        CHECK(pl011_room(u.dev) == 0 && in(FR) & RXFF);
        for (const char *s = "0123456789abcdefghijklmnopqrstuv"; *s; s++) CHECK(!(in(FR) & RXFE) && in(DR) == (uint8_t)*s);
        CHECK(in(FR) & RXFE);
        CHECK_EQ_U64(type("0123456"), 7);                               /* the next round begins elsewhere in the ring */
        for (unsigned i = 0; i < 7; i++) in(DR);
    }
    end();
}

TEST(pl011_interrupts_at_the_fifo_levels_of_ifls)
{
    static const unsigned level[] = { 4, 8, 16, 24, 28 };
    for (unsigned t = 0; t < ARRAY_COUNT(level); t++) {
        start_on(FEN);
        put(IFLS, t << 3);
        put(IMSC, RX);
        for (unsigned n = 1; n <= 32; n++) {
            CHECK_EQ_U64(type("x"), 1);
            CHECK_EQ_U64(irq.level, n >= level[t]);
        }
        for (unsigned n = 32; n; n--) {
            CHECK_EQ_U64(irq.level, n >= level[t]);
            in(DR);
        }
        CHECK(!irq.level && irq.raises == 1);
        end();
    }
}

TEST(pl011_reports_a_timeout_when_bytes_below_the_level_are_not_read)
{
    start_on(FEN);
    put(IMSC, RX | RT);
    CHECK(type("ab") == 2 && !irq.level);
    CHIP_WAIT(irq.level);
    CHECK(irq.level && in(MIS) == RT && in(DR) == 'a' && irq.level);
    CHECK(in(DR) == 'b' && !irq.level && in(RIS) == 0);                 /* empty: 2.8.2 */
    CHECK_EQ_U64(type("c"), 1);
    CHIP_WAIT(irq.level);
    put(ICR, RT);
    CHECK(!irq.level && in(DR) == 'c');
    end();
}

TEST(pl011_clears_what_is_written_to_icr_and_masks_what_imsc_does_not_have)
{
    start_on(0);
    CHECK(type("a") == 1 && in(RIS) == RX && in(MIS) == 0 && !irq.level);
    put(DR, 'x');
    put(IMSC, RX | TX);
    CHECK(in(MIS) == (RX | TX) && irq.level);
    put(ICR, RX);
    CHECK(in(RIS) == TX && irq.level);
    put(IMSC, RX);
    CHECK(!irq.level && in(RIS) == TX);
    end();
}

TEST(pl011_loopback_sends_to_itself_and_keeps_strangers_out)
{
    start_on(FEN);
    put(CR, ON | LOOP);
    CHECK(pl011_room(u.dev) == 0 && type("x") == 0);
    put(DR, 'q');
    CHECK(out_count == 0 && in(DR) == 'q' && in(FR) & RXFE);
    put(CR, ON);
    put(DR, 'o');
    CHECK(out_count == 1 && out[0] == 'o' && pl011_room(u.dev) == 32);
    end();
}

TEST(pl011_overrun_is_told_and_the_older_bytes_stay)
{
    start_on(FEN);
    put(CR, ON | LOOP);
    put(IMSC, OE);
    for (unsigned i = 0; i < 32; i++) put(DR, i);
    CHECK(!irq.level && in(RSR) == 0);
    put(DR, 99);
    CHECK(irq.level && in(MIS) == OE && in(RSR) == 8);                  /* at once: 3.3.2 */
    put(ICR, OE);
    CHECK(!irq.level && in(RSR) == 8);
    CHECK_EQ_U64(in(DR), DR_OE | 0);
    for (unsigned i = 1; i < 32; i++) CHECK_EQ_U64(in(DR), i);
    CHECK(in(FR) & RXFE);
    CHECK_EQ_U64(in(RSR), 8);
    put(RSR, 0xff);                                                     /* any value clears: UARTECR */
    CHECK_EQ_U64(in(RSR), 0);
    end();
}

TEST(pl011_turning_fifos_on_or_off_empties_them)
{
    start_on(FEN);
    put(IMSC, RX | RT);
    CHECK(type("0123456789abcdefgh") == 18 && irq.level);
    put(LCR, 0);
    CHECK(!irq.level && in(FR) & RXFE && pl011_room(u.dev) == 1);
    CHECK(type("a") == 1 && irq.level);
    put(LCR, FEN | 0x60);
    CHECK(!irq.level && pl011_room(u.dev) == 32);
    CHECK_EQ_U64(type("b"), 1);
    put(LCR, FEN);                                                      /* another word length: nothing is lost */
    CHECK_EQ_U64(in(DR), 'b');
    end();
}

TEST(pl011_hears_nothing_while_its_receiver_is_off)
{
    static const uint32_t off[] = { 0, 1, 0x101, 0x200, 0x300, ON | LOOP };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(off); i++) {
        put(CR, off[i]);
        CHECK(pl011_room(u.dev) == 0 && type("x") == 0);
    }
    put(CR, 0x201);
    CHECK(type("x") == 1 && in(DR) == 'x');
    end();
}

TEST(pl011_reset_forgets_input_interrupts_and_settings)
{
    start_on(FEN);
    put(IMSC, 0x7ff);
    put(IBRD, 1), put(FBRD, 1), put(IFLS, 0), put(DMACR, 1);
    CHECK(type("abcd") == 4 && irq.level);
    u.ops->reset(u.dev);
    CHECK(!irq.level && in(FR) == (1 | RXFE | TXFE) && in(LCR) == 0 && in(CR) == 0x300 && in(IFLS) == 0x12 && in(IMSC) == 0 && in(RIS) == 0 && in(IBRD) == 0
          && in(FBRD) == 0 && in(DMACR) == 0 && in(RSR) == 0);
    end();
}

TEST(pl011_stands_any_access)
{
    start();
    for (unsigned i = 0; i < 200; i++) {
        chip_torture(&u, 1000);
        CHECK(pl011_room(u.dev) <= 32 && type("some text that is long enough to fill it") <= 32);
    }
    end();
}

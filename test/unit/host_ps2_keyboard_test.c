// SPDX-License-Identifier: Apache-2.0
/* The host's keyboard before a model of the 8042 with a keyboard behind it, whole and broken. */
#include "drivers/host/ps2_keyboard.c"
#include "test/harness/test.h"

static struct {
    uint8_t out[64], config, command;
    bool    from_mouse[64];
    unsigned count, edges;
    bool    is_gone, is_dead, has_no_keyboard, never_translates, has_command;
} chip;
static struct ps2_keyboard kb;

static void push(uint8_t v, bool from_mouse)
{
    CHECK(chip.count < sizeof chip.out);
    chip.out[chip.count] = v;
    chip.from_mouse[chip.count++] = from_mouse;
}

static uint8_t get(uint16_t port)
{
    if (chip.is_gone) return 0xff;
    if (port == PS2_STATUS) return (uint8_t)((chip.count ? STATUS_OUTPUT | (chip.from_mouse[0] ? STATUS_MOUSE : 0) : 0) | (chip.is_dead ? STATUS_INPUT : 0));
    uint8_t v = chip.out[0];
    if (chip.count) chip.count--;
    memmove(chip.out, chip.out + 1, sizeof chip.out - 1);
    memmove(chip.from_mouse, chip.from_mouse + 1, sizeof chip.from_mouse - sizeof(bool));
    return v;
}

static void put(uint16_t port, uint8_t v)
{
    if (port == PS2_STATUS) {
        if (v == SELF_TEST) push(SELF_TEST_GOOD, false);
        if (v == READ_CONFIG) push(chip.config, false);
        chip.has_command = v == WRITE_CONFIG;
    } else if (chip.has_command) {
        chip.config = chip.never_translates ? v & (uint8_t)~CONFIG_TRANSLATE : v;
        chip.has_command = false;
    } else if (!chip.has_no_keyboard) {
        push(0x1e, false);                               /* a key came before the answer */
        push(ACKNOWLEDGE, false);
    }
}

static void no_delay(uint64_t us) { (void)us; }

static bool start(void)
{
    kb = (struct ps2_keyboard){ .get = get, .put = put, .delay_us = no_delay };
    return ps2_keyboard_init(&kb);
}

static char keys_read[256];

/* What comes out after these codes, as text. */
static const char *after(const char *codes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        push((uint8_t)codes[i], false);
        ps2_keyboard_interrupt(&kb);
    }
    size_t got = ps2_keyboard_read(&kb, keys_read, sizeof keys_read - 1);
    keys_read[got] = 0;
    return keys_read;
}
#define AFTER(codes) after(codes, sizeof(codes) - 1)

static void start_set_1(void) { memset(&chip, 0, sizeof chip); CHECK(start()); ps2_keyboard_listen(&kb); }
static void start_set_2(void) { memset(&chip, 0, sizeof chip); chip.never_translates = true; CHECK(start()); ps2_keyboard_listen(&kb); }

TEST(keyboard_that_is_not_there_is_not_found_and_nobody_waits_for_ever)
{
    memset(&chip, 0, sizeof chip);
    chip.is_gone = true;
    CHECK(!start());
    memset(&chip, 0, sizeof chip);
    chip.is_dead = true;
    CHECK(!start());
    memset(&chip, 0, sizeof chip);
    chip.has_no_keyboard = true;
    CHECK(!start());
}

TEST(keyboard_is_set_up_with_its_interrupt_only_when_somebody_listens)
{
    memset(&chip, 0, sizeof chip);
    chip.config = CONFIG_IRQ | CONFIG_MOUSE_IRQ | CONFIG_NO_CLOCK;
    push(0x33, false);                                   /* left over by a loader */
    CHECK(start());
    CHECK(!(chip.config & (CONFIG_IRQ | CONFIG_MOUSE_IRQ | CONFIG_NO_CLOCK)) && chip.config & CONFIG_TRANSLATE);
    CHECK_EQ_U64(chip.count, 0);
    ps2_keyboard_listen(&kb);
    CHECK(chip.config & CONFIG_IRQ);
    CHECK(!(chip.config & CONFIG_MOUSE_IRQ));
}

TEST(keyboard_letters_follow_shift_caps_and_control)
{
    start_set_1();
    CHECK_STR(AFTER("\x1e\x9e"), "a");
    CHECK_STR(AFTER("\x2a\x1e\x9e\xaa\x1e"), "Aa");
    CHECK_STR(AFTER("\x36\x02\xb6\x02"), "!1");
    CHECK_STR(AFTER("\x3a\x3a\x3a\xba\x1e\x02\x2a\x1e\xaa"), "A1a");      /* held down it repeats, and is one press */
    CHECK_STR(AFTER("\x3a\xba\x1e"), "a");
    CHECK_STR(AFTER("\x1d\x1b\x9b\x9d\x1b"), "\035]");
    CHECK_STR(AFTER("\x1d\x2e\xae\x9d"), "\003");
    CHECK_STR(AFTER("\xe0\x1d\x1a\xe0\x9d\x1a"), "\033[");
    CHECK_STR(AFTER("\x38\x30\xb8\x30"), "\033bb");
    CHECK_STR(AFTER("\x2a\x36\xaa\x1e\xb6\x1e"), "Aa");                    /* one Shift of two let go */
}

TEST(keyboard_keys_without_a_letter_are_sequences)
{
    start_set_1();
    CHECK_STR(AFTER("\xe0\x48\xe0\xc8\xe0\x50\xe0\x4d\xe0\x4b"), "\033[A\033[B\033[C\033[D");
    CHECK_STR(AFTER("\xe0\x2a\xe0\x47\xe0\xc7\xe0\xaa\xe0\x4f\xe0\x53\xe0\x52"), "\033[1~\033[4~\033[3~\033[2~");
    CHECK_STR(AFTER("\x3b\x3f\x58"), "\033OP\033[15~\033[24~");
    CHECK_STR(AFTER("\x1c\xe0\x1c\x0e\x0f\x01\xe0\x35"), "\r\r\177\t\033/");
    CHECK_STR(AFTER("\x47\x52\x53"), "70.");
    CHECK_STR(AFTER("\x45\xc5\x47\x48"), "\033[1~\033[A");
    CHECK_STR(AFTER("\xe1\x1d\x45\xe1\x9d\xc5\x1e"), "a");                 /* Pause says nothing */
    CHECK_STR(AFTER("\xe0\x2a\xe0\x37\xe0\xb7\xe0\xaa\xe0\x5b\xe0\x5d"), "");      /* nor Print Screen, nor what has no meaning here */
}

TEST(keyboard_without_translation_is_read_in_set_2)
{
    start_set_2();
    CHECK(kb.is_set_2);
    CHECK_STR(AFTER("\x1c\xf0\x1c\x12\x1c\xf0\x1c\xf0\x12\x1c"), "aAa");
    CHECK_STR(AFTER("\x14\x5b\xf0\x5b\xf0\x14"), "\035");
    CHECK_STR(AFTER("\xe0\x75\xe0\xf0\x75\xe0\x72\xe0\x71"), "\033[A\033[B\033[3~");
    CHECK_STR(AFTER("\xe1\x14\x77\xe1\xf0\x14\xf0\x77\x1c"), "a");
}

TEST(keyboard_sets_name_the_same_keys_once)
{
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        for (size_t k = 0; k < i; k++) CHECK(keys[i].set_1 != keys[k].set_1 && keys[i].set_2 != keys[k].set_2);
        CHECK(strlen(keys[i].plain) < sizeof kb.text && strlen(keys[i].shifted) < sizeof kb.text);
    }
    for (char c = ' '; c < 0x7f; c++) {                  /* every letter of ASCII can be typed */
        bool is_there = false;
        for (size_t i = 0; i < ARRAY_COUNT(keys); i++) is_there |= (keys[i].plain[0] == c && !keys[i].plain[1]) || (keys[i].shifted[0] == c && !keys[i].shifted[1]);
        CHECK(is_there);
    }
}

TEST(keyboard_mouse_bytes_and_a_full_ring_are_dropped)
{
    start_set_1();
    push(0x1e, true);
    push(0x1e, false);
    ps2_keyboard_interrupt(&kb);
    CHECK_STR(AFTER(""), "a");
    for (unsigned i = 0; i < 3 * PS2_RING; i++) {
        push(0x1e, false);
        ps2_keyboard_interrupt(&kb);
    }
    CHECK_EQ_U64(strlen(AFTER("")), PS2_RING);
    CHECK_STR(AFTER("\x30"), "b");
}

TEST(keyboard_polled_gives_the_same_and_a_long_key_fits_into_small_pieces)
{
    memset(&chip, 0, sizeof chip);
    CHECK(start());
    push(0x3f, false), push(0x1e, false);
    char out[7] = "";
    for (unsigned i = 0; i < 6; i++) CHECK_EQ_U64(ps2_keyboard_read(&kb, out + i, 1), 1);
    CHECK_STR(out, "\033[15~a");
    CHECK_EQ_U64(ps2_keyboard_read(&kb, out, 1), 0);
}

// SPDX-License-Identifier: Apache-2.0
/* A PC keyboard; see ps2_keyboard.h. The controller is asked in small steps, each with its patience, since what answers
 * may be an emulation in firmware, or nothing at all: a bus without a device reads all ones. */
#include "drivers/host/ps2_keyboard.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

enum { STATUS_OUTPUT = 0x01, STATUS_INPUT = 0x02, STATUS_MOUSE = 0x20 };
enum { READ_CONFIG = 0x20, WRITE_CONFIG = 0x60, MOUSE_OFF = 0xa7, SELF_TEST = 0xaa, KEYBOARD_OFF = 0xad, KEYBOARD_ON = 0xae };
enum { CONFIG_IRQ = 0x01, CONFIG_MOUSE_IRQ = 0x02, CONFIG_SYSTEM = 0x04, CONFIG_NO_CLOCK = 0x10, CONFIG_MOUSE_NO_CLOCK = 0x20,
       CONFIG_TRANSLATE = 0x40 };
enum { KEYBOARD_DEFAULTS = 0xf6, KEYBOARD_ENABLE = 0xf4, ACKNOWLEDGE = 0xfa, SELF_TEST_GOOD = 0x55 };
#define STEP_US  20u
#define PATIENCE 5000u                                   /* steps: 100 ms */
#define DRAIN    64u                                     /* bytes at once: more than any controller keeps */

static bool wait_status(const struct ps2_keyboard *k, uint8_t mask, uint8_t wanted)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        uint8_t status = k->get(PS2_STATUS);
        if (status == 0xff) return false;
        if ((status & mask) == wanted) return true;
        k->delay_us(STEP_US);
    }
    return false;
}

static bool send(const struct ps2_keyboard *k, uint16_t port, uint8_t v)
{
    if (!wait_status(k, STATUS_INPUT, 0)) return false;
    k->put(port, v);
    return true;
}

static int receive(const struct ps2_keyboard *k)
{
    return wait_status(k, STATUS_OUTPUT, STATUS_OUTPUT) ? k->get(PS2_DATA) : -1;
}

static void drain(const struct ps2_keyboard *k)
{
    for (unsigned i = 0; i < DRAIN && k->get(PS2_STATUS) & STATUS_OUTPUT; i++) {
        k->get(PS2_DATA);
        k->delay_us(STEP_US);
    }
}

static int ask(const struct ps2_keyboard *k, uint8_t command) { return send(k, PS2_STATUS, command) ? receive(k) : -1; }

static bool configure(const struct ps2_keyboard *k, uint8_t config)
{
    return send(k, PS2_STATUS, WRITE_CONFIG) && send(k, PS2_DATA, config);
}

/* To the keyboard itself. Keys that were pressed meanwhile may come before its answer. */
static bool tell(const struct ps2_keyboard *k, uint8_t command)
{
    if (!send(k, PS2_DATA, command)) return false;
    for (unsigned i = 0; i < 8; i++) {
        int v = receive(k);
        if (v < 0) return false;
        if (v == ACKNOWLEDGE) return true;
    }
    return false;
}

bool ps2_keyboard_init(struct ps2_keyboard *k)
{
    k->has_irq = false;
    k->is_num = true;
    if (k->get(PS2_STATUS) == 0xff) return false;
    if (!send(k, PS2_STATUS, KEYBOARD_OFF) || !send(k, PS2_STATUS, MOUSE_OFF)) return false;
    drain(k);
    if (ask(k, SELF_TEST) != SELF_TEST_GOOD) return false;
    int config = ask(k, READ_CONFIG);
    if (config < 0) return false;
    config = (config | CONFIG_TRANSLATE | CONFIG_SYSTEM | CONFIG_MOUSE_NO_CLOCK) & ~(CONFIG_IRQ | CONFIG_MOUSE_IRQ | CONFIG_NO_CLOCK);
    if (!configure(k, (uint8_t)config)) return false;
    config = ask(k, READ_CONFIG);
    if (config < 0 || !send(k, PS2_STATUS, KEYBOARD_ON)) return false;
    k->config = (uint8_t)config & (uint8_t)~(CONFIG_IRQ | CONFIG_MOUSE_IRQ | CONFIG_NO_CLOCK);
    k->is_set_2 = !(config & CONFIG_TRANSLATE);
    if (!tell(k, KEYBOARD_DEFAULTS) || !tell(k, KEYBOARD_ENABLE)) return false;
    drain(k);
    return true;
}

void ps2_keyboard_listen(struct ps2_keyboard *k)
{
    k->has_irq = true;
    drain(k);
    configure(k, k->config | CONFIG_IRQ);
}

/* The ring's one producer. A full ring loses keys, not the interrupt. */
void ps2_keyboard_interrupt(void *keyboard)
{
    struct ps2_keyboard *k = keyboard;
    uint32_t head = k->head;
    for (unsigned i = 0; i < DRAIN; i++) {
        uint8_t status = k->get(PS2_STATUS);
        if (!(status & STATUS_OUTPUT) || status == 0xff) break;
        uint8_t code = k->get(PS2_DATA);
        if (status & STATUS_MOUSE || head - __atomic_load_n(&k->tail, __ATOMIC_ACQUIRE) == PS2_RING) continue;
        k->ring[head++ % PS2_RING] = code;
    }
    __atomic_store_n(&k->head, head, __ATOMIC_RELEASE);  /* pairs with next_code */
}

/* ---- from scan codes to text ---- */

enum kind { TEXT, LETTER, KEYPAD, SHIFT_LEFT, SHIFT_RIGHT, CONTROL, ALT, CAPS_LOCK, NUM_LOCK };

/* One row a key: its codes in both sets, and what it says, without and with Shift (a keypad's: without and with Num Lock). */
static const struct key { uint8_t set_1, set_2; enum kind kind; const char *plain, *shifted; } keys[] = {
    { 0x01, 0x76, TEXT,   "\033", "\033" }, { 0x0e, 0x66, TEXT,   "\177", "\177" }, { 0x0f, 0x0d, TEXT,   "\t", "\033[Z" },
    { 0x1c, 0x5a, TEXT,   "\r", "\r" },     { 0x39, 0x29, TEXT,   " ", " " },
    { 0x02, 0x16, TEXT,   "1", "!" },       { 0x03, 0x1e, TEXT,   "2", "@" },       { 0x04, 0x26, TEXT,   "3", "#" },
    { 0x05, 0x25, TEXT,   "4", "$" },       { 0x06, 0x2e, TEXT,   "5", "%" },       { 0x07, 0x36, TEXT,   "6", "^" },
    { 0x08, 0x3d, TEXT,   "7", "&" },       { 0x09, 0x3e, TEXT,   "8", "*" },       { 0x0a, 0x46, TEXT,   "9", "(" },
    { 0x0b, 0x45, TEXT,   "0", ")" },       { 0x0c, 0x4e, TEXT,   "-", "_" },       { 0x0d, 0x55, TEXT,   "=", "+" },
    { 0x10, 0x15, LETTER, "q", "Q" },       { 0x11, 0x1d, LETTER, "w", "W" },       { 0x12, 0x24, LETTER, "e", "E" },
    { 0x13, 0x2d, LETTER, "r", "R" },       { 0x14, 0x2c, LETTER, "t", "T" },       { 0x15, 0x35, LETTER, "y", "Y" },
    { 0x16, 0x3c, LETTER, "u", "U" },       { 0x17, 0x43, LETTER, "i", "I" },       { 0x18, 0x44, LETTER, "o", "O" },
    { 0x19, 0x4d, LETTER, "p", "P" },       { 0x1a, 0x54, TEXT,   "[", "{" },       { 0x1b, 0x5b, TEXT,   "]", "}" },
    { 0x1e, 0x1c, LETTER, "a", "A" },       { 0x1f, 0x1b, LETTER, "s", "S" },       { 0x20, 0x23, LETTER, "d", "D" },
    { 0x21, 0x2b, LETTER, "f", "F" },       { 0x22, 0x34, LETTER, "g", "G" },       { 0x23, 0x33, LETTER, "h", "H" },
    { 0x24, 0x3b, LETTER, "j", "J" },       { 0x25, 0x42, LETTER, "k", "K" },       { 0x26, 0x4b, LETTER, "l", "L" },
    { 0x27, 0x4c, TEXT,   ";", ":" },       { 0x28, 0x52, TEXT,   "'", "\"" },      { 0x29, 0x0e, TEXT,   "`", "~" },
    { 0x2b, 0x5d, TEXT,   "\\", "|" },      { 0x56, 0x61, TEXT,   "\\", "|" },      { 0x2c, 0x1a, LETTER, "z", "Z" },
    { 0x2d, 0x22, LETTER, "x", "X" },       { 0x2e, 0x21, LETTER, "c", "C" },       { 0x2f, 0x2a, LETTER, "v", "V" },
    { 0x30, 0x32, LETTER, "b", "B" },       { 0x31, 0x31, LETTER, "n", "N" },       { 0x32, 0x3a, LETTER, "m", "M" },
    { 0x33, 0x41, TEXT,   ",", "<" },       { 0x34, 0x49, TEXT,   ".", ">" },       { 0x35, 0x4a, TEXT,   "/", "?" },
    { 0x3b, 0x05, TEXT,   "\033OP", "\033OP" },     { 0x3c, 0x06, TEXT,   "\033OQ", "\033OQ" },
    { 0x3d, 0x04, TEXT,   "\033OR", "\033OR" },     { 0x3e, 0x0c, TEXT,   "\033OS", "\033OS" },
    { 0x3f, 0x03, TEXT,   "\033[15~", "\033[15~" }, { 0x40, 0x0b, TEXT,   "\033[17~", "\033[17~" },
    { 0x41, 0x83, TEXT,   "\033[18~", "\033[18~" }, { 0x42, 0x0a, TEXT,   "\033[19~", "\033[19~" },
    { 0x43, 0x01, TEXT,   "\033[20~", "\033[20~" }, { 0x44, 0x09, TEXT,   "\033[21~", "\033[21~" },
    { 0x57, 0x78, TEXT,   "\033[23~", "\033[23~" }, { 0x58, 0x07, TEXT,   "\033[24~", "\033[24~" },
    { 0x37, 0x7c, TEXT,   "*", "*" },       { 0x4a, 0x7b, TEXT,   "-", "-" },       { 0x4e, 0x79, TEXT,   "+", "+" },
    { 0x47, 0x6c, KEYPAD, "\033[1~", "7" }, { 0x48, 0x75, KEYPAD, "\033[A", "8" },  { 0x49, 0x7d, KEYPAD, "\033[5~", "9" },
    { 0x4b, 0x6b, KEYPAD, "\033[D", "4" },  { 0x4c, 0x73, KEYPAD, "", "5" },        { 0x4d, 0x74, KEYPAD, "\033[C", "6" },
    { 0x4f, 0x69, KEYPAD, "\033[4~", "1" }, { 0x50, 0x72, KEYPAD, "\033[B", "2" },  { 0x51, 0x7a, KEYPAD, "\033[6~", "3" },
    { 0x52, 0x70, KEYPAD, "\033[2~", "0" }, { 0x53, 0x71, KEYPAD, "\033[3~", "." },
    { 0x2a, 0x12, SHIFT_LEFT, "", "" },     { 0x36, 0x59, SHIFT_RIGHT, "", "" },    { 0x1d, 0x14, CONTROL, "", "" },
    { 0x38, 0x11, ALT, "", "" },            { 0x3a, 0x58, CAPS_LOCK, "", "" },      { 0x45, 0x77, NUM_LOCK, "", "" },
};

static const struct key *find(const struct ps2_keyboard *k, uint8_t code)
{
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        if ((k->is_set_2 ? keys[i].set_2 : keys[i].set_1) == code) return &keys[i];
    }
    return NULL;
}

static void hold(uint8_t *held, uint8_t side, bool is_released)
{
    *held = is_released ? *held & (uint8_t)~side : *held | side;
}

/* A key that is held down repeats its code. */
static void toggle(bool *lock, uint8_t *held, uint8_t bit, bool is_released)
{
    if (!is_released && !(*held & bit)) *lock = !*lock;
    hold(held, bit, is_released);
}

/* What a key with Control sends; -1: as without. */
static int with_control(char c)
{
    if (c >= 'a' && c <= 'z') return c & 0x1f;
    if (c >= '@' && c <= '_') return c & 0x1f;
    if (c == ' ' || c == '2') return 0;
    if (c == '/') return 0x1f;
    if (c == '6') return 0x1e;
    return c == '?' ? 0x7f : -1;
}

static void say(struct ps2_keyboard *k, const struct key *key, bool is_extended)
{
    bool is_shifted = k->shift;
    if (key->kind == LETTER) is_shifted ^= k->is_caps;
    if (key->kind == KEYPAD) is_shifted = !is_extended && (k->is_num ^ is_shifted);
    const char *text = is_shifted ? key->shifted : key->plain;
    k->text_at = k->text_bytes = 0;
    if (k->alt && text[0]) k->text[k->text_bytes++] = '\033';
    int control = k->control && text[0] && !text[1] ? with_control(text[0]) : -1;
    if (control >= 0) {
        k->text[k->text_bytes++] = (char)control;
        return;
    }
    for (; *text && k->text_bytes < sizeof k->text; text++) k->text[k->text_bytes++] = *text;
}

static void act(struct ps2_keyboard *k, const struct key *key, bool is_released, bool is_extended)
{
    uint8_t side = is_extended ? 2 : 1;
    switch (key->kind) {
    case SHIFT_LEFT:  if (!is_extended) hold(&k->shift, 1, is_released); break;      /* extended: only around keypad keys */
    case SHIFT_RIGHT: if (!is_extended) hold(&k->shift, 2, is_released); break;
    case CONTROL:     hold(&k->control, side, is_released); break;
    case ALT:         hold(&k->alt, side, is_released); break;
    case CAPS_LOCK:   toggle(&k->is_caps, &k->locks_held, 1, is_released); break;
    case NUM_LOCK:    toggle(&k->is_num, &k->locks_held, 2, is_released); break;
    case TEXT: case LETTER:
        if (is_extended && key->plain[0] != '\r' && key->plain[0] != '/') break;       /* Print Screen, and keys that came later */
        if (!is_released) say(k, key, is_extended);
        break;
    case KEYPAD:
        if (!is_released) say(k, key, is_extended);
        break;
    }
}

static void take_code(struct ps2_keyboard *k, uint8_t code)
{
    if (k->skip) {
        k->skip--;
        return;
    }
    if (code == 0xe0) {
        k->is_extended = true;
        return;
    }
    if (code == 0xe1) {                                  /* Pause; it has no release */
        k->skip = k->is_set_2 ? 7 : 5;
        return;
    }
    if (k->is_set_2 && code == 0xf0) {
        k->is_released = true;
        return;
    }
    bool is_released = k->is_set_2 ? k->is_released : code & 0x80, is_extended = k->is_extended;
    k->is_released = k->is_extended = false;
    const struct key *key = find(k, k->is_set_2 ? code : code & 0x7f);
    if (key) act(k, key, is_released, is_extended);
}

static bool next_code(struct ps2_keyboard *k, uint8_t *out)
{
    uint32_t tail = k->tail;
    if (tail == __atomic_load_n(&k->head, __ATOMIC_ACQUIRE)) return false;           /* pairs with the handler's store */
    *out = k->ring[tail++ % PS2_RING];
    __atomic_store_n(&k->tail, tail, __ATOMIC_RELEASE);
    return true;
}

size_t ps2_keyboard_read(void *keyboard, char *out, size_t cap_bytes)
{
    struct ps2_keyboard *k = keyboard;
    size_t n = 0;
    uint8_t code;
    if (!k->has_irq) ps2_keyboard_interrupt(k);
    for (;;) {
        while (k->text_at < k->text_bytes && n < cap_bytes) out[n++] = k->text[k->text_at++];
        if (n == cap_bytes || !next_code(k, &code)) return n;
        take_code(k, code);
    }
}

// SPDX-License-Identifier: Apache-2.0
/* A PC keyboard behind its controller (Intel 8042; IBM PS/2 Technical Reference, keyboard and controller), as keys for a
 * console: US layout, keys without a letter as a VT220's sequences. Scan code set 1 as the controller translates it, or
 * set 2 where it does not. How the two ports are reached is its owner's business. */
#pragma once
#include "hv/base/types.h"

#define PS2_RING 128u

enum { PS2_DATA = 0x60, PS2_STATUS = 0x64 };             /* PS2_STATUS written is the command port */

struct ps2_keyboard {
    uint8_t (*get)(uint16_t port);
    void    (*put)(uint16_t port, uint8_t v);
    void    (*delay_us)(uint64_t us);
    uint8_t config;                                      /* the controller's, interrupts off */
    bool    is_set_2, has_irq;

    uint8_t  ring[PS2_RING];                             /* scan codes: the interrupt handler's, or read's own when polled */
    uint32_t head, tail;                                 /* atomic; free running: producer's, consumer's */

    /* The reader's: what is held down, and a key's text that did not fit yet. */
    bool     is_released, is_extended;                   /* a prefix came */
    uint8_t  skip;                                       /* codes of Pause that are still to come */
    uint8_t  shift, control, alt;                        /* a bit a side */
    uint8_t  locks_held;                                 /* Caps Lock, Num Lock: down */
    bool     is_caps, is_num;
    char     text[8];
    unsigned text_at, text_bytes;
};

/* get, put and delay_us are filled. False: there is no controller, or no keyboard that answers at it. */
bool   ps2_keyboard_init(struct ps2_keyboard *k);
/* As of struct host_console. */
size_t ps2_keyboard_read(void *keyboard, char *out, size_t cap_bytes);
/* Interrupt context: takes what the controller has. */
void   ps2_keyboard_interrupt(void *keyboard);
/* The interrupt is wired: let it come. */
void   ps2_keyboard_listen(struct ps2_keyboard *k);

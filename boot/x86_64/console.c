// SPDX-License-Identifier: Apache-2.0
/* A PC's consoles; see console.h. */
#include "boot/x86_64/console.h"
#include "drivers/host/console_fan.h"
#include "drivers/host/fb_console.h"
#include "drivers/host/ps2_keyboard.h"
#include "drivers/host/uart_ns16550.h"
#include "hv/arch/x86_64/x86_64.h"

#define KEYBOARD_IRQ 1

static uint8_t uart_get(uintptr_t base, unsigned reg)         { return x86_64_in8((uint16_t)(base + reg)); }
static void uart_put(uintptr_t base, unsigned reg, uint8_t v) { x86_64_out8((uint16_t)(base + reg), v); }

static struct uart_ns16550 uart = { .get = uart_get, .put = uart_put };
static struct ps2_keyboard keyboard = { .get = x86_64_in8, .put = x86_64_out8, .delay_us = x86_64_delay_us };
static bool has_uart, has_screen;

static struct host_console serial = { .name = "ns16550", .write = uart_ns16550_write, .read = uart_ns16550_read, .ctx = &uart };
static struct host_console screen = { .name = "screen", .write = fb_console_write };
static struct host_console keys = { .name = "keyboard", .read = ps2_keyboard_read, .ctx = &keyboard };
static struct console_fan fan;

void pc_console_raw(const char *text, size_t length)
{
    if (has_uart) uart_ns16550_write(&uart, text, length);
    if (has_screen) fb_console_write(NULL, text, length);
}

void pc_console_serial(uint16_t port)
{
    uart.base = port;
    has_uart = port && uart_ns16550_init(&uart);
}

void pc_console_screen(const struct framebuffer *f)
{
    has_screen = fb_console_init(f);
    if (!has_screen || !f->is_text) return;
    x86_64_out8(0x3d4, 0x0a);                            /* VGA's own cursor: off, we draw one */
    x86_64_out8(0x3d5, 0x20);
}

const struct host_console *pc_console_start(uint8_t uart_irq, bool has_keyboard)
{
    if (has_uart) {
        serial.has_irq = x86_64_irq_connect(uart_irq, uart_ns16550_interrupt, &uart);
        if (serial.has_irq) uart_ns16550_listen(&uart);
        console_fan_add(&fan, &serial);
    }
    if (has_screen) {
        if (!has_uart) {                                 /* else the terminal at the serial port answers */
            screen.read = fb_console_read_answers;
            screen.has_irq = true;                       /* answers come with the next key at the latest */
        }
        console_fan_add(&fan, &screen);
    }
    if (has_keyboard && ps2_keyboard_init(&keyboard)) {
        keys.has_irq = x86_64_irq_connect(KEYBOARD_IRQ, ps2_keyboard_interrupt, &keyboard);
        if (keys.has_irq) ps2_keyboard_listen(&keyboard);
        console_fan_add(&fan, &keys);
    }
    return fan.count == 0 ? NULL : fan.count == 1 ? fan.part[0] : &fan.console;
}

// SPDX-License-Identifier: Apache-2.0
/* An AArch64 machine's consoles; see console.h. */
#include "boot/aarch64/console.h"
#include "drivers/host/console_fan.h"
#include "drivers/host/fb_console.h"
#include "hv/core/panic.h"

static struct uart uart;
static struct board_uart wiring;
static struct host_console serial, screen = { .name = "screen", .write = fb_console_write };
static struct console_fan fan;
static bool has_screen;

static void write_raw(const char *text, size_t length)
{
    if (wiring.chip) wiring.chip->write(&uart, text, length);
    if (has_screen) fb_console_write(NULL, text, length);
}

void board_console_serial(const struct board_uart *u)
{
    panic_set_output(write_raw);
    if (!u->chip) return;
    u->chip->init(&uart, u->base);
    wiring = *u;
}

void board_console_screen(const struct framebuffer *f) { has_screen = fb_console_init(f); }

const struct host_console *board_console_start(void)
{
    const struct uart_chip *chip = wiring.chip;
    if (chip) {
        serial = (struct host_console){ .name = chip->name, .write = chip->write, .read = chip->read, .ctx = &uart };
        serial.has_irq = aarch64_irq_connect(wiring.intid, chip->quiet, &uart);
        if (serial.has_irq) chip->listen(&uart);
        console_fan_add(&fan, &serial);
    }
    if (has_screen) {
        if (!chip) {                                      /* else the terminal at the serial port answers */
            screen.read = fb_console_read_answers;
            screen.has_irq = true;
        }
        console_fan_add(&fan, &screen);
    }
    return fan.count == 0 ? NULL : fan.count == 1 ? fan.part[0] : &fan.console;
}

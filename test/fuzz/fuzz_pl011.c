// SPDX-License-Identifier: Apache-2.0
/* A PL011 between a guest and a keyboard, both led by the input: what was taken is read in its order, and the line says what the
 * registers say. */
#include "drivers/virt/pl011.h"
#include "test/fuzz/input.h"
#include "test/unit/chip.h"

static void ignore(void *ctx, const char *text, size_t length) { (void)ctx, (void)text, (void)length; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct wire irq = { 0 };
    struct mmio_region u;
    uint8_t sent = 0, wanted = 0;
    bool is_in_order = true;                                /* until the guest empties the FIFO by other means */
    chip_pages();
    input_start(data, size_bytes);
    const struct pl011_config c = { { 0 }, wire_line(&irq), NULL, ignore };
    CHECK(!vm_failed(pl011_create(&c, &u)));
    for (unsigned i = 0; i < 1000 && input_left(); i++) {
        char text[40];
        uint64_t v = 0, at = input_number(1);
        switch (input_number(1) % 4) {
        case 0:                                             /* keys: numbered */
            for (unsigned n = 0; n < sizeof text; n++) text[n] = (char)(sent + n);
            sent = (uint8_t)(sent + pl011_input(u.dev, text, at % sizeof text));
            break;
        case 1: {
            bool is_empty = chip_read(&u, 0x18, 4) & 0x10;
            v = chip_read(&u, 0, 4);
            if (is_empty) break;
            if (is_in_order) CHECK_EQ_U64(v & 0xff, wanted);
            wanted++;
            break;
        }
        case 2:                                             /* settings, and loopback, which types too */
            v = input_number(2);
            at = at % 32 * 4;
            chip_write(&u, at, 4, v);
            if (at == 0x2c || (at == 0x30 && v & 0x80)) is_in_order = false;
            break;
        case 3:
            chip_read(&u, at * 16 % PL011_BYTES, 1u << input_number(1) % 4);
            if (at * 16 % PL011_BYTES == 0) is_in_order = false;
            break;
        }
        CHECK(pl011_room(u.dev) <= 32);
        CHECK_EQ_U64(irq.level, chip_read(&u, 0x40, 4) != 0);
        CHECK_EQ_U64(chip_read(&u, 0x40, 4), chip_read(&u, 0x3c, 4) & chip_read(&u, 0x38, 4));
    }
    u.ops->destroy(u.dev);
    return 0;
}

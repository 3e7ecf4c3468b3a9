// SPDX-License-Identifier: Apache-2.0
/* The test finisher: drivers/virt/sifive_test.h. */
#include "drivers/virt/sifive_test.h"
#include "test/unit/chip.h"

static struct mmio_region t;
static unsigned offs, reboots;
static uint32_t last_code;

static void off(void *ctx, uint32_t code)
{
    CHECK(ctx == &t);
    offs++;
    last_code = code;
}
static void reboot(void *ctx)
{
    CHECK(ctx == &t);
    reboots++;
}
static void start(void)
{
    chip_pages();
    offs = reboots = last_code = 0;
    const struct sifive_test_config c = { { 0x100000 }, &t, off, reboot };
    CHECK(!vm_failed(sifive_test_create(&c, &t)));
}
static void end(void) { t.ops->destroy(t.dev); }

TEST(finisher_passes_fails_with_a_code_and_restarts)
{
    start();
    chip_write(&t, 0, 4, 0x5555);
    CHECK(offs == 1 && last_code == 0);
    chip_write(&t, 0, 2, 0x5555);
    CHECK(offs == 2 && last_code == 0);
    chip_write(&t, 0, 4, 0x3333 | 42u << 16);
    CHECK(offs == 3 && last_code == 42);
    chip_write(&t, 0, 4, 0x3333);
    CHECK(offs == 4 && last_code == 1);                                 /* a failure is never 0 */
    chip_write(&t, 0, 4, 0x3333 | 0xffffu << 16);
    CHECK(offs == 5 && last_code == 0xffff);
    chip_write(&t, 0, 4, 0x5555 | 3u << 16);
    CHECK(offs == 6 && last_code == 3);
    CHECK_EQ_U64(reboots, 0);
    chip_write(&t, 0, 4, 0x7777);
    CHECK(reboots == 1 && offs == 6);
    end();
}

TEST(finisher_ignores_other_words_and_places_and_reads_0)
{
    start();
    for (uint64_t v = 0; v < 0x10000; v++)
        if (v != 0x5555 && v != 0x3333 && v != 0x7777) chip_write(&t, 0, 4, v);
    for (uint64_t at = 2; at < SIFIVE_TEST_BYTES; at += 2) {
        chip_write(&t, at, 2, 0x5555);
        CHECK_EQ_U64(chip_read(&t, at, 2), 0);
    }
    CHECK(offs == 0 && reboots == 0 && chip_read(&t, 0, 4) == 0);
    end();
}

// SPDX-License-Identifier: Apache-2.0
/* Several host consoles as one. */
#include "drivers/host/console_fan.c"
#include "test/harness/test.h"

struct fake { char written[32], keys[8]; size_t n, left; };

static void fake_write(void *ctx, const char *text, size_t length)
{
    struct fake *f = ctx;
    memcpy(f->written + f->n, text, length);
    f->n += length;
}

static size_t fake_read(void *ctx, char *out, size_t cap_bytes)
{
    struct fake *f = ctx;
    size_t n = f->left < cap_bytes ? f->left : cap_bytes;
    memcpy(out, f->keys, n);
    memmove(f->keys, f->keys + n, f->left - n);
    f->left -= n;
    return n;
}

TEST(consoles_get_what_is_written_and_give_their_keys)
{
    struct fake a = { .keys = "ab", .left = 2 }, b = { .keys = "cd", .left = 2 }, c = { 0 };
    const struct host_console serial = { .name = "uart", .write = fake_write, .read = fake_read, .ctx = &a, .has_irq = true };
    const struct host_console screen = { .name = "screen", .write = fake_write, .ctx = &c };
    const struct host_console keys = { .name = "keyboard", .read = fake_read, .ctx = &b, .has_irq = true };
    struct console_fan fan = { .count = 0 };
    CHECK(console_fan_add(&fan, &serial) && console_fan_add(&fan, &screen) && console_fan_add(&fan, &keys));
    CHECK_STR(fan.console.name, "uart+screen+keyboard");
    CHECK(fan.console.has_irq);
    fan.console.write(fan.console.ctx, "hello", 5);
    CHECK_STR(a.written, "hello");
    CHECK_STR(c.written, "hello");
    CHECK_EQ_U64(b.n, 0);
    char out[8] = "";
    CHECK_EQ_U64(fan.console.read(fan.console.ctx, out, 3), 3);
    CHECK_EQ_U64(fan.console.read(fan.console.ctx, out + 3, 3), 1);
    CHECK(strspn(out, "abcd") == 4 && strchr(out, 'a') < strchr(out, 'b') && strchr(out, 'c') < strchr(out, 'd'));
    CHECK_EQ_U64(fan.console.read(fan.console.ctx, out, 3), 0);
}

TEST(consoles_one_of_which_must_be_polled_are_polled)
{
    const struct host_console told = { .name = "a", .write = fake_write, .read = fake_read, .has_irq = true };
    const struct host_console polled = { .name = "b", .write = fake_write, .read = fake_read };
    struct console_fan fan = { .count = 0 };
    console_fan_add(&fan, &told);
    CHECK(fan.console.has_irq);
    console_fan_add(&fan, &polled);
    CHECK(!fan.console.has_irq);
    console_fan_add(&fan, &told);
    CHECK(!fan.console.has_irq);
    CHECK(console_fan_add(&fan, &told) && !console_fan_add(&fan, &told));
}

TEST(consoles_that_talk_all_the_time_leave_room_for_others)
{
    struct fake a = { 0 }, b = { 0 };
    const struct host_console first = { .name = "a", .read = fake_read, .ctx = &a }, second = { .name = "b", .read = fake_read, .ctx = &b };
    struct console_fan fan = { .count = 0 };
    console_fan_add(&fan, &first), console_fan_add(&fan, &second);
    unsigned from_b = 0;
    for (unsigned i = 0; i < 10; i++) {
        char c;
        a.keys[0] = 'a', b.keys[0] = 'b', a.left = b.left = 1;
        CHECK_EQ_U64(fan.console.read(fan.console.ctx, &c, 1), 1);
        from_b += c == 'b';
    }
    CHECK_EQ_U64(from_b, 5);
}

// SPDX-License-Identifier: Apache-2.0
/* The hosted body under test/boot/selftest.c: main in place of a firmware's entry. */
#include <stdio.h>
#include "boot/boot_info.h"
#include "hv/arch/hosted/hosted.h"
#include "hv/core/page.h"
#include "hv/core/panic.h"

const char __image_start[1];                     /* a process has no image of ours: selftest.c's write-code is not asked for */

static void write_out(void *ctx, const char *text, size_t length)
{
    (void)ctx;
    (void)!fwrite(text, 1, length, stdout);
}
static void write_raw(const char *text, size_t length) { write_out(NULL, text, length); }
static size_t read_nothing(void *ctx, char *out, size_t cap_bytes)
{
    (void)ctx, (void)out, (void)cap_bytes;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct host_console console = { .name = "stdio", .write = write_out, .read = read_nothing, .has_irq = true };
    static struct boot_info info = { .loader = "a process", .cmdline = "", .console = &console };
    const uint64_t ram_bytes = MIB(64);
    if (argc > 1) info.cmdline = argv[1];
    hosted_init(4);
    void *ram = hosted_map(ram_bytes);
    if (!ram) return 2;
    page_add_range(host_addr_make(ram), ram_bytes);
    panic_set_output(write_raw);
    hospes_main(&info);
}

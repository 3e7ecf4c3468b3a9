// SPDX-License-Identifier: Apache-2.0
/* The riscv64 machine's device tree, read back by a small reader of our own. */
#include "hv/isa/riscv64/board.h"
#include "hv/isa/riscv64/state.h"
#include "test/unit/fdt_reader.h"

static uint8_t tree[RV_DTB_BYTES];

static const char *text(const char *path, const char *name)
{
    uint32_t length;
    const char *p = (const char *)fdt_find(tree, path, name, &length);
    return p && length && !p[length - 1] ? p : "(none)";
}
static uint32_t cell(const char *path, const char *name, unsigned index) { return fdt_cell(tree, path, name, index); }
static bool     has(const char *path, const char *name)                  { return fdt_has(tree, path, name); }
static size_t make(const struct rv_fdt *d)
{
    size_t size = 0;
    memset(tree, 0xee, sizeof tree);
    CHECK(rv_fdt_make(tree, sizeof tree, d, &size));
    CHECK_EQ_U64(load_be32(tree + 4), size);
    return size;
}
static const struct rv_fdt two_harts = {
    .memory_size = GIB(5), .hart_count = 2, .options = { true, true, RV_SV57 }, .cmdline = "console=ttyS0",
    .initrd_from = 0x187000000, .initrd_end = 0x187000123, .seed = { 1, 2, 3 }, .has_seed = true };

TEST(device_tree_says_what_the_machine_has)
{
    make(&two_harts);
    CHECK_STR(text("", "compatible"), "riscv-virtio");
    CHECK_STR(text("/chosen", "bootargs"), "console=ttyS0");
    CHECK_STR(text("/chosen", "stdout-path"), "/soc/serial@10000000");
    CHECK_EQ_U64(cell("/chosen", "linux,initrd-start", 0), 1);
    CHECK_EQ_U64(cell("/chosen", "linux,initrd-start", 1), 0x87000000);
    CHECK_EQ_U64(cell("/chosen", "linux,initrd-end", 1), 0x87000123);
    CHECK_EQ_U64(cell("/chosen", "rng-seed", 0), 0x01020300);
    CHECK_STR(text("/memory@80000000", "device_type"), "memory");
    CHECK_EQ_U64(cell("/memory@80000000", "reg", 1), 0x80000000);
    CHECK_EQ_U64(cell("/memory@80000000", "reg", 2), 1);
    CHECK_EQ_U64(cell("/memory@80000000", "reg", 3), 0x40000000);
    CHECK_EQ_U64(cell("/cpus", "timebase-frequency", 0), 10000000);
    CHECK_STR(text("/cpus/cpu@1", "riscv,isa"), "rv64imafdc_zicsr_zifencei_zba_zbb_zbs_sstc");
    CHECK_STR(text("/cpus/cpu@1", "mmu-type"), "riscv,sv57");
    CHECK_EQ_U64(cell("/cpus/cpu@1", "reg", 0), 1);
    CHECK(!has("/cpus/cpu@2", "reg"));
    CHECK_EQ_U64(cell("/soc/serial@10000000", "interrupts", 0), 10);
    CHECK_STR(text("/soc/serial@10000000", "compatible"), "ns16550a");
    CHECK_EQ_U64(cell("/soc/rtc@101000", "interrupts", 0), 11);
    for (unsigned n = 0; n < 8; n++) {
        char path[64];
        snprintf(path, sizeof path, "/soc/virtio_mmio@%x", 0x10001000 + n * 0x1000);
        CHECK_STR(text(path, "compatible"), "virtio,mmio");
        CHECK_EQ_U64(cell(path, "interrupts", 0), n + 1);
        CHECK_EQ_U64(cell(path, "reg", 3), 0x1000);
    }
}

TEST(R41_the_device_tree_says_exactly_the_memory)
{
    static const uint64_t sizes[] = { MIB(4), MIB(4) + 4096, MIB(128), GIB(2) - 4096, GIB(2), GIB(4) - 4096, GIB(4), GIB(5) + 4096, GIB(1024) };
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct rv_fdt d = two_harts;
        d.memory_size = sizes[i];
        make(&d);
        CHECK_EQ_U64(fdt_u64(tree, "/memory@80000000", "reg", 0), 0x80000000);
        CHECK_EQ_U64(fdt_u64(tree, "/memory@80000000", "reg", 2), sizes[i]);
    }
}

TEST(R42_the_device_tree_has_one_node_for_each_cpu)
{
    for (unsigned n = 1; n <= RV_MAX_HARTS; n++) {
        struct rv_fdt d = two_harts;
        d.hart_count = n;
        make(&d);
        for (unsigned h = 0; h <= RV_MAX_HARTS; h++) {
            char path[32];
            snprintf(path, sizeof path, "/cpus/cpu@%x", h);
            CHECK_EQ_U64(has(path, "reg"), h < n);
            if (h < n) CHECK_EQ_U64(cell(path, "reg", 0), h);
        }
    }
}

TEST(device_tree_wires_lead_to_the_harts)
{
    make(&two_harts);
    uint32_t plic = cell("/soc/plic@c000000", "phandle", 0), test = cell("/soc/test@100000", "phandle", 0);
    CHECK(plic != test);
    CHECK_EQ_U64(cell("/soc/serial@10000000", "interrupt-parent", 0), plic);
    CHECK_EQ_U64(cell("/poweroff", "regmap", 0), test);
    CHECK_EQ_U64(cell("/poweroff", "value", 0), 0x5555);
    CHECK_EQ_U64(cell("/reboot", "value", 0), 0x7777);
    for (unsigned h = 0; h < 2; h++) {
        char path[64];
        snprintf(path, sizeof path, "/cpus/cpu@%u/interrupt-controller", h);
        uint32_t intc = cell(path, "phandle", 0);
        static const struct { const char *chip; uint32_t first, second; } chips[] = { { "/soc/plic@c000000", 11, 9 },
                                                                                      { "/soc/clint@2000000", 3, 7 } };
        for (unsigned i = 0; i < 2; i++) {
            CHECK_EQ_U64(cell(chips[i].chip, "interrupts-extended", 4 * h), intc);
            CHECK_EQ_U64(cell(chips[i].chip, "interrupts-extended", 4 * h + 1), chips[i].first);
            CHECK_EQ_U64(cell(chips[i].chip, "interrupts-extended", 4 * h + 2), intc);
            CHECK_EQ_U64(cell(chips[i].chip, "interrupts-extended", 4 * h + 3), chips[i].second);
        }
        snprintf(path, sizeof path, "/cpus/cpu@%u", h);
        uint32_t cpu = cell(path, "phandle", 0);
        snprintf(path, sizeof path, "/cpus/cpu-map/cluster0/core%u", h);
        CHECK_EQ_U64(cell(path, "cpu", 0), cpu);
    }
}

TEST(device_tree_follows_the_options)
{
    struct rv_fdt d = two_harts;
    d.options = (struct rv_options){ false, false, RV_SV39 };
    d.initrd_end = d.initrd_from;
    d.has_seed = false;
    make(&d);
    CHECK_STR(text("/cpus/cpu@0", "riscv,isa"), "rv64imafdc_zicsr_zifencei_zba_zbb_zbs");
    CHECK_STR(text("/cpus/cpu@0", "mmu-type"), "riscv,sv39");
    CHECK(!has("/chosen", "linux,initrd-start"));
    CHECK(!has("/chosen", "rng-seed"));
}

TEST(device_tree_of_the_largest_machine_fits_and_a_larger_one_is_an_error)
{
    static char cmdline[4096];
    struct rv_fdt d = two_harts;
    size_t size = 0;
    memset(cmdline, 'x', sizeof cmdline - 1);
    d.hart_count = RV_MAX_HARTS;
    d.cmdline = cmdline;
    CHECK(make(&d) <= RV_DTB_BYTES);
    CHECK(has("/cpus/cpu@3f", "reg"));
    CHECK(!rv_fdt_make(tree, 4096, &d, &size));
}

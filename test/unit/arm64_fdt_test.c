// SPDX-License-Identifier: Apache-2.0
/* The arm64 machine's device tree, read back by a small reader of our own. */
#include "hv/isa/arm64/board.h"
#include "test/unit/fdt_reader.h"

static uint8_t tree[ARM64_DTB_BYTES];

static const char *text(const char *path, const char *name)
{
    uint32_t length;
    const char *p = (const char *)fdt_find(tree, path, name, &length);
    return p && length && !p[length - 1] ? p : "(none)";
}
static uint32_t cell(const char *path, const char *name, unsigned index) { return fdt_cell(tree, path, name, index); }
static bool     has(const char *path, const char *name)                  { return fdt_has(tree, path, name); }
static size_t make(const struct arm64_fdt *d)
{
    size_t size = 0;
    memset(tree, 0xee, sizeof tree);
    CHECK(arm64_fdt_make(tree, sizeof tree, d, &size));
    CHECK_EQ_U64(load_be32(tree + 4), size);
    return size;
}
static const struct arm64_fdt two_cpus = { .memory_size = GIB(5), .vcpu_count = 2, .gic_version = 3, .cmdline = "console=ttyAMA0",
                                           .initrd_from = 0x5ff00000, .initrd_end = 0x5ff00123, .seed = { 1, 2, 3 }, .has_seed = true };

TEST(arm64_device_tree_says_what_the_machine_has)
{
    make(&two_cpus);
    CHECK_STR(text("", "compatible"), "linux,dummy-virt");
    CHECK_STR(text("/chosen", "bootargs"), "console=ttyAMA0");
    CHECK_STR(text("/chosen", "stdout-path"), "/pl011@9000000");
    CHECK_EQ_U64(fdt_u64(tree, "/chosen", "linux,initrd-start", 0), 0x5ff00000);
    CHECK_EQ_U64(fdt_u64(tree, "/chosen", "linux,initrd-end", 0), 0x5ff00123);
    CHECK_EQ_U64(cell("/chosen", "rng-seed", 0), 0x01020300);
    CHECK_STR(text("/psci", "compatible"), "arm,psci-1.0");
    CHECK_STR(text("/psci", "method"), "hvc");
    CHECK_STR(text("/timer", "compatible"), "arm,armv8-timer");
    static const uint32_t timers[] = { 13, 14, 11, 10 };
    for (unsigned i = 0; i < 4; i++) CHECK(cell("/timer", "interrupts", 3 * i) == 1 && cell("/timer", "interrupts", 3 * i + 1) == timers[i]);
    CHECK_STR(text("/pl011@9000000", "compatible"), "arm,pl011");
    CHECK_STR(text("/pl031@9010000", "compatible"), "arm,pl031");
    CHECK(cell("/pl011@9000000", "interrupts", 1) == 1 && cell("/pl031@9010000", "interrupts", 1) == 2);
    CHECK_EQ_U64(cell("/pl011@9000000", "clocks", 0), cell("/apb-pclk", "phandle", 0));
    CHECK_EQ_U64(cell("/apb-pclk", "clock-frequency", 0), 24000000);
    for (unsigned n = 0; n < 8; n++) {
        char path[64];
        snprintf(path, sizeof path, "/virtio_mmio@%x", 0xa000000 + n * 0x200);
        CHECK_STR(text(path, "compatible"), "virtio,mmio");
        CHECK(cell(path, "interrupts", 0) == 0 && cell(path, "interrupts", 1) == 16 + n && cell(path, "interrupts", 2) == 1);
        CHECK(fdt_u64(tree, path, "reg", 0) == 0xa000000 + n * 0x200 && fdt_u64(tree, path, "reg", 2) == 0x200);
    }
}

TEST(arm64_device_tree_says_exactly_the_memory)
{
    static const uint64_t sizes[] = { MIB(4), MIB(4) + 4096, GIB(1), GIB(3) - 4096, GIB(4), GIB(255) };
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct arm64_fdt d = two_cpus;
        d.memory_size = sizes[i];
        make(&d);
        CHECK(fdt_u64(tree, "/memory@40000000", "reg", 0) == 0x40000000 && fdt_u64(tree, "/memory@40000000", "reg", 2) == sizes[i]);
    }
}

TEST(arm64_device_tree_has_one_node_for_each_cpu_by_its_affinity)
{
    for (unsigned n = 1; n <= ARM64_MAX_VCPUS; n++) {
        struct arm64_fdt d = two_cpus;
        d.vcpu_count = n;
        make(&d);
        for (unsigned i = 0; i < ARM64_MAX_VCPUS; i++) {
            char path[32];
            unsigned affinity = i % 16 | i / 16 << 8;
            snprintf(path, sizeof path, "/cpus/cpu@%x", affinity);
            CHECK_EQ_U64(has(path, "reg"), i < n);
            if (i >= n) continue;
            CHECK_EQ_U64(cell(path, "reg", 0), affinity);
            CHECK_STR(text(path, "enable-method"), "psci");
        }
    }
}

TEST(arm64_device_tree_of_each_gic)
{
    struct arm64_fdt d = two_cpus;
    make(&d);
    CHECK_STR(text("/intc@8000000", "compatible"), "arm,gic-v3");
    CHECK_EQ_U64(cell("", "interrupt-parent", 0), cell("/intc@8000000", "phandle", 0));
    CHECK(fdt_u64(tree, "/intc@8000000", "reg", 0) == 0x8000000 && fdt_u64(tree, "/intc@8000000", "reg", 2) == 0x10000);
    CHECK(fdt_u64(tree, "/intc@8000000", "reg", 4) == 0x80a0000 && fdt_u64(tree, "/intc@8000000", "reg", 6) == 0x40000);
    CHECK(cell("/intc@8000000", "#interrupt-cells", 0) == 3 && cell("/timer", "interrupts", 2) == 4);
    d.gic_version = 2;
    make(&d);
    CHECK_STR(text("/intc@8000000", "compatible"), "arm,cortex-a15-gic");
    CHECK(fdt_u64(tree, "/intc@8000000", "reg", 2) == 0x1000 && fdt_u64(tree, "/intc@8000000", "reg", 4) == 0x8010000 && fdt_u64(tree, "/intc@8000000", "reg", 6) == 0x2000);
    CHECK_EQ_U64(cell("/timer", "interrupts", 2), 0x304);                   /* private ones say to which CPUs */
}

TEST(arm64_device_tree_without_initrd_and_seed_does_not_mention_them)
{
    struct arm64_fdt d = two_cpus;
    d.initrd_end = d.initrd_from;
    d.has_seed = false;
    make(&d);
    CHECK(!has("/chosen", "linux,initrd-start") && !has("/chosen", "linux,initrd-end") && !has("/chosen", "rng-seed"));
}

TEST(arm64_device_tree_of_the_largest_machine_fits_and_a_larger_one_is_an_error)
{
    static char cmdline[4096];
    struct arm64_fdt d = two_cpus;
    size_t size = 0;
    memset(cmdline, 'x', sizeof cmdline - 1);
    d.vcpu_count = ARM64_MAX_VCPUS;
    d.cmdline = cmdline;
    CHECK(make(&d) <= ARM64_DTB_BYTES);
    CHECK(has("/cpus/cpu@30f", "reg"));
    CHECK(!arm64_fdt_make(tree, 4096, &d, &size));
}

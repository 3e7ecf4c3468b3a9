// SPDX-License-Identifier: Apache-2.0
/* PCI configuration and the capabilities of virtio-pci, drivers/host/{pci,virtio_host}.h, before a configuration space in
 * memory: bus 0 with one disk, and whatever a test writes over it. */
#include "drivers/host/virtio_host.h"
#include "hv/base/bits.h"
#include "test/harness/test.h"

enum { SLOT = 3, BAR_BYTES = 0x4000 };

static uint8_t config[256], bar[2 * BAR_BYTES];
static uint64_t bar_mask[6];
static struct pci_host host;
static struct virtio_host v;
static const char *why;
static struct pci_device found;
static unsigned found_count;

static uint32_t get(void *ctx, uintptr_t at, unsigned bytes)
{
    uint32_t x = ~0u;
    (void)ctx;
    if (at >> 11 == SLOT && !(at >> 8 & 7)) memcpy(&x, config + (at & 0xff), bytes);
    return bytes == 4 ? x : x & ((1u << 8 * bytes) - 1);
}

static void put(void *ctx, uintptr_t at, unsigned bytes, uint32_t x)
{
    (void)ctx;
    unsigned offset = at & 0xff;
    if (at >> 11 != SLOT || at >> 8 & 7) return;
    if (offset >= 0x10 && offset < 0x28 && bytes == 4) {             /* only the address bits of a BAR can be written */
        uint32_t mask = (uint32_t)bar_mask[(offset - 0x10) / 4];
        store_le32(config + offset, (x & mask) | (load_le32(config + offset) & ~mask));
        return;
    }
    memcpy(config + offset, &x, bytes);
}

static const struct register_ops ops = { get, put };

static void on_found(void *ctx, const struct pci_device *d)
{
    (void)ctx;
    found = *d;
    found_count++;
}

static unsigned add_capability(unsigned at, unsigned type, unsigned in_bar, uint32_t offset, uint32_t length)
{
    config[at] = 9, config[at + 1] = 0, config[at + 2] = 20, config[at + 3] = (uint8_t)type, config[at + 4] = (uint8_t)in_bar;
    store_le32(config + at + 8, offset);
    store_le32(config + at + 12, length);
    return at;
}

/* A 64-bit BAR 4 at `bar`, four capabilities. */
static void start(void)
{
    memset(config, 0, sizeof config);
    memset(bar_mask, 0, sizeof bar_mask);
    uint64_t at = align_up((uintptr_t)bar, BAR_BYTES);
    store_le16(config, 0x1af4);
    store_le16(config + 2, 0x1042);
    config[6] = 0x10;
    config[0x34] = 0x40;
    config[0x3d] = 1;
    store_le32(config + 0x20, (uint32_t)at | 4);
    store_le32(config + 0x24, (uint32_t)(at >> 32));
    bar_mask[4] = ~(BAR_BYTES - 1u), bar_mask[5] = ~0u;
    for (unsigned i = 0; i < 4; i++) {
        unsigned cap = add_capability(0x40 + 20 * i, i + 1, 4, 0x1000 * i, 0x1000);
        config[cap + 1] = (uint8_t)(i < 3 ? cap + 20 : 0);
    }
    store_le32(config + 0x40 + 20 + 16, 4);
    host = (struct pci_host){ .config = &ops, .last_bus = 0 };
    found_count = 0;
    CHECK(pci_open(&host));
    pci_scan(&host, on_found, NULL);
    CHECK(found_count == 1 && found.slot == SLOT && found.vendor == 0x1af4 && found.device == 0x1042);
}
static bool opens(void) { return virtio_pci_open(&found, &v, &why); }

TEST(pci_finds_a_virtio_disk_and_its_registers)
{
    start();
    CHECK(opens() && v.id == VIRTIO_ID_BLOCK && v.config_bytes == 0x1000 && v.notify_multiplier == 4);
    CHECK_STR(v.name, "virtio-pci 00:03.0");
    uint64_t at = align_up((uintptr_t)bar, BAR_BYTES);
    CHECK(v.common.base == at && v.notifier.base == at + 0x1000 && v.isr.base == at + 0x2000 && v.config.base == at + 0x3000);
    CHECK((load_le16(config + 4) & 6) == 6);                         /* it decodes and masters the bus */
    v.ops->stop_dma(&v);
    CHECK((load_le16(config + 4) & 6) == 2);
    store_le16(config + 2, 0x1001);                                  /* transitional, with the same capabilities */
    pci_scan(&host, on_found, NULL);
    CHECK(opens());
    store_le16(config + 2, 0x1041);
    pci_scan(&host, on_found, NULL);
    CHECK(!opens() && !why);                                         /* a network card is none of our business */
}

TEST(pci_places_bars_that_nobody_has_placed)
{
    start();
    store_le32(config + 0x20, 4);
    store_le32(config + 0x24, 0);
    CHECK(!opens() && strstr(why, "no room"));                       /* no window to place them in */
    uint64_t at = align_up((uintptr_t)bar, BAR_BYTES);
    host.window = 0x10001000, host.window_cpu = at - 0x3000, host.window_bytes = BAR_BYTES + 0x3000;
    CHECK(opens());
    CHECK(load_le32(config + 0x20) == (0x10004000 | 4) && !load_le32(config + 0x24));
    CHECK(v.common.base == at);                                      /* where the CPU sees it */
    store_le32(config + 0x20, 4);
    CHECK(!opens() && strstr(why, "no room"));                       /* the window is full */
}

TEST(pci_capabilities_that_lie_are_left_out)
{
    static const struct { unsigned at; uint32_t value; unsigned bytes; } lies[] = {
        { 0x44, 6,          1 },    /* BAR 6 */
        { 0x44, 0,          1 },    /* a BAR that is not there */
        { 0x48, 0x3fd0,     4 },    /* over the BAR's end */
        { 0x48, 0xffffffff, 4 },
        { 0x4c, 0xffffffff, 4 },
        { 0x4c, 0x37,       4 },    /* shorter than the structure */
        { 0x43, 9,          1 },    /* no common structure at all */
        { 0x34, 0,          1 },    /* no list */
        { 0x34, 0x10,       1 },    /* a list in the header */
        { 0x06, 0,          1 },
        { 0x41, 0x40,       1 },    /* a list that ends in itself */
        { 0x41, 0xfc,       1 },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(lies); i++) {
        start();
        memcpy(config + lies[i].at, &lies[i].value, lies[i].bytes);
        if (opens() || !why) test_fail(__FILE__, __LINE__, "lie %u is believed", i);
        CHECK(strstr(why, "legacy device"));
    }
    for (unsigned round = 0; round < 2000; round++) {
        start();
        for (unsigned n = 1 + (unsigned)(test_random() % 8); n; n--) config[0x34 + test_random() % (256 - 0x34)] = (uint8_t)test_random();
        if (!opens()) continue;
        uint64_t from = align_up((uintptr_t)bar, BAR_BYTES);
        CHECK(v.common.base >= from && v.common.base + 0x38 <= from + BAR_BYTES && v.config.base + v.config_bytes <= from + BAR_BYTES);
        CHECK(v.isr.base < from + BAR_BYTES && v.notifier.base + v.notify_bytes <= from + BAR_BYTES);
    }
}

TEST(pci_lines_come_from_the_map_by_slot_and_pin)
{
    struct arch_line line;
    start();
    CHECK(!pci_line(&found, &line));
    host.route_slots = 3;
    host.route[0] = (struct pci_route){ 3, 2, { 40, true, false } };
    host.route[1] = (struct pci_route){ 3, 1, { 38, true, false } };
    host.route_count = 2;
    CHECK(pci_line(&found, &line) && line.number == 38 && line.is_level);
    config[0x3d] = 3;
    CHECK(!pci_line(&found, &line));
}

TEST(pci_a_bus_without_devices_and_a_host_without_pci)
{
    start();
    memset(config, 0xff, sizeof config);
    found_count = 0;
    pci_scan(&host, on_found, NULL);
    CHECK(!found_count);
    struct pci_host none = { .ecam = 0 };
    CHECK(!pci_open(&none));
}

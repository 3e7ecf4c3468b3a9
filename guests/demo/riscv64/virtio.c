// SPDX-License-Identifier: Apache-2.0
/* virtio-mmio, version 2 (virtio 1.1, 4.2), with one small queue per device and one request at a time:
 * block and entropy. Used by the boot hart only; the interrupt merely acknowledges and wakes. */
#include "demo.h"

enum { QUEUE_SIZE = 8, SECTOR_BYTES = 512, MAGIC = 0x74726976 };
enum { ID_BLOCK = 2, ID_ENTROPY = 4 };
enum reg {
    REG_MAGIC = 0x000, REG_VERSION = 0x004, REG_DEVICE_ID = 0x008, REG_DEVICE_FEATURES = 0x010,
    REG_DEVICE_FEATURES_SEL = 0x014, REG_DRIVER_FEATURES = 0x020, REG_DRIVER_FEATURES_SEL = 0x024,
    REG_QUEUE_SEL = 0x030, REG_QUEUE_NUM_MAX = 0x034, REG_QUEUE_NUM = 0x038, REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050, REG_INTERRUPT_STATUS = 0x060, REG_INTERRUPT_ACK = 0x064, REG_STATUS = 0x070,
    REG_QUEUE_DESC = 0x080, REG_QUEUE_DRIVER = 0x090, REG_QUEUE_DEVICE = 0x0a0, REG_CONFIG = 0x100,
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, FAILED = 128 };
enum { DESC_NEXT = 1, DESC_WRITE = 2 };
enum { BLK_IN = 0, BLK_OUT = 1, BLK_FLUSH = 4, BLK_GET_ID = 8 };
#define F_BLK_RO (1ul << 5)
#define F_BLK_FLUSH (1ul << 9)
#define F_VERSION_1 (1ul << 32)

struct device {
    u64 base, features, irqs;
    struct { u64 address; u32 length_bytes; u16 flags, next; } desc[QUEUE_SIZE] __attribute__((aligned(16)));
    struct { u16 flags, index, ring[QUEUE_SIZE]; } driver __attribute__((aligned(2)));
    volatile struct { u16 flags, index; struct { u32 id, length_bytes; } ring[QUEUE_SIZE]; } used
        __attribute__((aligned(4)));
};

struct disk disk;
bool rng_present;
static struct device block, entropy;
static struct { u32 type, reserved; u64 sector; } request;
static u8 request_status;

static volatile u32 *reg(const struct device *d, u32 offset)
{
    return (volatile u32 *)(d->base + offset);
}

static void set_address(const struct device *d, enum reg low, const volatile void *p)
{
    *reg(d, low) = (u32)(u64)p;
    *reg(d, low + 4u) = (u32)((u64)p >> 32);
}

static void acknowledge(struct device *d)
{
    *reg(d, REG_INTERRUPT_ACK) = *reg(d, REG_INTERRUPT_STATUS);
    d->irqs++;
}

static void block_interrupt(void)
{
    acknowledge(&block);
}

static void entropy_interrupt(void)
{
    acknowledge(&entropy);
}

static bool start(struct device *d, u64 base, u64 wanted)
{
    d->base = base;
    *reg(d, REG_STATUS) = 0;
    *reg(d, REG_STATUS) = ACKNOWLEDGE | DRIVER;
    for (u32 i = 0; i < 2; i++) {
        *reg(d, REG_DEVICE_FEATURES_SEL) = i;
        d->features |= (u64)*reg(d, REG_DEVICE_FEATURES) << 32 * i;
    }
    for (u32 i = 0; i < 2; i++) {
        *reg(d, REG_DRIVER_FEATURES_SEL) = i;
        *reg(d, REG_DRIVER_FEATURES) = (u32)((d->features & (wanted | F_VERSION_1)) >> 32 * i);
    }
    *reg(d, REG_STATUS) = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    *reg(d, REG_QUEUE_SEL) = 0;
    if (!(*reg(d, REG_STATUS) & FEATURES_OK) || *reg(d, REG_QUEUE_NUM_MAX) < QUEUE_SIZE) {
        *reg(d, REG_STATUS) = FAILED;
        return false;
    }
    *reg(d, REG_QUEUE_NUM) = QUEUE_SIZE;
    set_address(d, REG_QUEUE_DESC, d->desc);
    set_address(d, REG_QUEUE_DRIVER, &d->driver);
    set_address(d, REG_QUEUE_DEVICE, &d->used);
    *reg(d, REG_QUEUE_READY) = 1;
    *reg(d, REG_STATUS) = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
    return true;
}

static void describe(struct device *d, u16 i, void *buffer, u32 length_bytes, u16 flags)
{
    d->desc[i].address = (u64)buffer;
    d->desc[i].length_bytes = length_bytes;
    d->desc[i].flags = flags;
    d->desc[i].next = i + 1;
}

/* Offers the chain that starts at descriptor 0 and sleeps until it is used; false after two seconds. */
static bool run(struct device *d)
{
    u16 before = d->used.index;
    d->driver.ring[d->driver.index % QUEUE_SIZE] = 0;
    __atomic_store_n(&d->driver.index, (u16)(d->driver.index + 1), __ATOMIC_RELEASE);
    __asm__ volatile("fence iorw, iorw" ::: "memory");
    *reg(d, REG_QUEUE_NOTIFY) = 0;
    u64 start_time = now();
    interrupts_off();
    while (d->used.index == before && microseconds(start_time) < 2000000) {
        wait_for_interrupt();
    }
    interrupts_on();
    __asm__ volatile("fence iorw, iorw" ::: "memory");
    return d->used.index != before;
}

static bool block_request(u32 type, u64 sector, void *data, u32 length_bytes)
{
    request.type = type;
    request.sector = sector;
    request_status = 0xff;
    describe(&block, 0, &request, sizeof request, DESC_NEXT);
    describe(&block, 1, data, length_bytes, type == BLK_OUT ? DESC_NEXT : DESC_NEXT | DESC_WRITE);
    describe(&block, 2, &request_status, 1, DESC_WRITE);
    bool done = run(&block);
    disk.irqs = block.irqs;
    return done && *(volatile u8 *)&request_status == 0;
}

bool disk_transfer(u64 sector, void *data, bool is_write)
{
    static u8 buffer[SECTOR_BYTES];                /* data may lie on a stack, which is not identity mapped */
    if (!disk.present || sector >= disk.sectors) {
        return false;
    }
    if (is_write) {
        memcpy(buffer, data, SECTOR_BYTES);
    }
    bool ok = block_request(is_write ? BLK_OUT : BLK_IN, sector, buffer, SECTOR_BYTES);
    if (ok && !is_write) {
        memcpy(data, buffer, SECTOR_BYTES);
    }
    return ok;
}

bool disk_flush(void)
{
    request.type = BLK_FLUSH;
    request.sector = 0;
    request_status = 0xff;
    describe(&block, 0, &request, sizeof request, DESC_NEXT);
    describe(&block, 1, &request_status, 1, DESC_WRITE);
    bool done = disk.has_flush && run(&block);
    disk.irqs = block.irqs;
    return done && *(volatile u8 *)&request_status == 0;
}

bool rng_read(void *data, u32 length_bytes)
{
    static u8 buffer[64];
    if (!rng_present || length_bytes > sizeof buffer) {
        return false;
    }
    describe(&entropy, 0, buffer, length_bytes, DESC_WRITE);
    bool ok = run(&entropy) && entropy.used.ring[(u16)(entropy.used.index - 1) % QUEUE_SIZE].length_bytes;
    memcpy(data, buffer, length_bytes);
    return ok;
}

static void found_disk(const struct region *region)
{
    static char id[20];
    disk.present = start(&block, region->base, F_BLK_RO | F_BLK_FLUSH);
    if (disk.present) {
        disk.sectors = *reg(&block, REG_CONFIG) | (u64)*reg(&block, REG_CONFIG + 4) << 32;
        disk.read_only = block.features & F_BLK_RO;
        disk.has_flush = block.features & F_BLK_FLUSH;
        plic_enable(region->irq, block_interrupt);
        if (block_request(BLK_GET_ID, 0, id, sizeof id)) {
            memcpy(disk.id, id, sizeof id);
        }
    }
}

void virtio_init(void)
{
    for (u32 i = 0; i < machine.virtio_count; i++) {
        struct device probe = {.base = machine.virtio[i].base};
        u32 id = *reg(&probe, REG_DEVICE_ID), version = *reg(&probe, REG_VERSION);
        if (*reg(&probe, REG_MAGIC) != MAGIC || version != 2) {
            disk.legacy |= version == 1 && id == ID_BLOCK;
        } else if (id == ID_BLOCK && !disk.present) {
            found_disk(&machine.virtio[i]);
        } else if (id == ID_ENTROPY && !rng_present) {
            rng_present = start(&entropy, machine.virtio[i].base, 0);
            plic_enable(machine.virtio[i].irq, entropy_interrupt);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
/* What this machine has: one walk over the device tree fills `machine` and `harts`. Written by the boot hart
 * before anybody else runs, constant afterwards. */
#include "demo.h"

struct machine machine;
struct hart harts[HARTS_MAX];
static struct fdt_node plic_node;

static void add_hart(const struct fdt_node *node)
{
    u64 id, size;
    const char *status = fdt_property(node, "status", NULL);
    if (!fdt_reg(node, &id, &size) || (status && starts_with(status, "disabled"))) {
        return;
    }
    machine.harts_found++;
    if (machine.hart_count < HARTS_MAX) {
        const char *isa = fdt_property(node, "riscv,isa", NULL);
        harts[machine.hart_count] =
            (struct hart){.id = id, .isa = isa ? isa : "?", .index = machine.hart_count};
        machine.hart_count++;
    }
}

/* A PLIC's contexts count the pairs <interrupt controller of a hart, its line> (9 = supervisor). */
static void assign_plic_contexts(void)
{
    u32 length = 0;
    const void *pairs = machine.plic.base ? fdt_property(&plic_node, "interrupts-extended", &length) : NULL;
    for (u32 i = 0; pairs && i < length / 8; i++) {
        for (u32 h = 0; h < machine.hart_count; h++) {
            if (fdt_cell(pairs, 2 * i) == harts[h].intc_phandle && fdt_cell(pairs, 2 * i + 1) == 9) {
                harts[h].plic_context = i;
            }
        }
    }
}

static void add_device(const struct fdt_node *node)
{
    static const struct { const char *compatible; struct region *region; } singles[] = {
        {"ns16550a", &machine.uart},            {"ns16550", &machine.uart},
        {"sifive,plic-1.0.0", &machine.plic},   {"riscv,plic0", &machine.plic},
        {"sifive,test0", &machine.finisher},    {"google,goldfish-rtc", &machine.rtc},
    };
    struct region region = {.irq = fdt_u32(node, "interrupts", 0)};
    if (!fdt_reg(node, &region.base, &region.size_bytes)) {
        return;
    }
    for (u32 i = 0; i < COUNT_OF(singles); i++) {
        if (!singles[i].region->base && fdt_compatible(node, singles[i].compatible)) {
            *singles[i].region = region;
            if (singles[i].region == &machine.uart) {
                machine.uart_shift = fdt_u32(node, "reg-shift", 0);
            } else if (singles[i].region == &machine.plic) {
                plic_node = *node;
            }
        }
    }
    if (fdt_compatible(node, "virtio,mmio") && machine.virtio_count < COUNT_OF(machine.virtio)) {
        machine.virtio[machine.virtio_count++] = region;
    }
}

bool machine_discover(u64 boot_hart_id, const void *dtb)
{
    struct fdt_node node = {0};
    machine.boot_hart_id = boot_hart_id;
    machine.dtb = (u64)dtb;
    machine.timebase_hz = 10000000;
    machine.bootargs = machine.model = "";
    if (!fdt_open(dtb)) {
        return false;
    }
    while (fdt_next(&node)) {
        const char *type = fdt_property(&node, "device_type", NULL);
        const char *text;
        if (node.depth == 1 && (text = fdt_property(&node, "model", NULL))) {
            machine.model = text;
        } else if (strcmp(node.name, "cpus") == 0) {
            machine.timebase_hz = fdt_u32(&node, "timebase-frequency", machine.timebase_hz);
        } else if (strcmp(node.name, "chosen") == 0 && (text = fdt_property(&node, "bootargs", NULL))) {
            machine.bootargs = text;
        } else if (type && strcmp(type, "cpu") == 0) {
            add_hart(&node);
        } else if (fdt_compatible(&node, "riscv,cpu-intc")) {
            struct hart *owner = &harts[machine.hart_count ? machine.hart_count - 1 : 0];
            owner->intc_phandle = owner->intc_phandle ? owner->intc_phandle : fdt_u32(&node, "phandle", 0);
        } else if (type && strcmp(type, "memory") == 0 && !machine.ram.base) {
            fdt_reg(&node, &machine.ram.base, &machine.ram.size_bytes);
        } else {
            add_device(&node);
        }
    }
    for (u32 i = 1; i < machine.virtio_count; i++) {         /* in the order of their addresses */
        for (u32 j = i; j && machine.virtio[j - 1].base > machine.virtio[j].base; j--) {
            struct region swap = machine.virtio[j];
            machine.virtio[j] = machine.virtio[j - 1];
            machine.virtio[j - 1] = swap;
        }
    }
    assign_plic_contexts();
    for (u32 h = 1; h < machine.hart_count; h++) {           /* the boot hart comes first, whatever its id */
        if (harts[h].id == boot_hart_id) {
            struct hart swap = harts[0];
            harts[0] = harts[h], harts[h] = swap;
            harts[0].index = 0, harts[h].index = h;
        }
    }
    return machine.hart_count && machine.ram.size_bytes;
}

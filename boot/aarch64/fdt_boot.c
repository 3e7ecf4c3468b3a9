// SPDX-License-Identifier: Apache-2.0
/* Reads the device tree that the loader gave us; see fdt_boot.h. Bindings are those of the Linux kernel's documentation
 * (arm,gic-v3; arm,armv8-timer; arm,psci; arm,pl031; each UART's). Boot core, once; keeps pointers into the tree. */
#include "boot/aarch64/fdt_boot.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include <libfdt.h>

#define MPIDR_AFFINITY 0xff00ffffffull

bool fdt_root_is(const void *t, const char *const *compatible)
{
    for (; *compatible; compatible++) {
        if (fdt_node_check_compatible(t, 0, *compatible) == 0) return true;
    }
    return false;
}

static uint64_t cells(const char *p, int count)
{
    uint64_t v = 0;
    for (int i = 0; i < count; i++) v = v << 32 | load_be32(p + 4 * i);
    return v;
}

static uint32_t u32_of(const void *t, int node, const char *name, uint32_t otherwise)
{
    int length;
    const void *p = fdt_getprop(t, node, name, &length);
    return p && length >= 4 ? load_be32(p) : otherwise;
}

static const char *text_of(const void *t, int node, const char *name)
{
    int length;
    const char *p = fdt_getprop(t, node, name, &length);
    return p && length > 0 && !p[length - 1] ? p : NULL;
}

/* A text of one line for people; NULL: none. */
static const char *printable(const char *text)
{
    for (const char *c = text; c && *c; c++) {
        if (*c < ' ' || *c > '~') return NULL;
    }
    return text && *text ? text : NULL;
}

static bool is_enabled(const void *t, int node)
{
    const char *status = text_of(t, node, "status");
    return !status || !strcmp(status, "okay") || !strcmp(status, "ok");
}

static bool read_number(const void *t, int node, const char *name, uint64_t *out)
{
    int length;
    const char *p = fdt_getprop(t, node, name, &length);
    if (!p || (length != 4 && length != 8)) return false;
    *out = cells(p, length / 4);
    return true;
}

/* An address of `bus`'s children as the CPU sees it, through each bus's `ranges`. */
static bool to_cpu_address(const void *t, int bus, uint64_t *at)
{
    while (bus > 0) {
        int parent = fdt_parent_offset(t, bus), length;
        const char *ranges = fdt_getprop(t, bus, "ranges", &length);
        if (!ranges && bus == fdt_path_offset(t, "/reserved-memory")) length = 0;      /* must have it; rather reserve too much */
        else if (!ranges) return false;
        if (parent < 0) return false;
        int child_cells = fdt_address_cells(t, bus), parent_cells = fdt_address_cells(t, parent), size_cells = fdt_size_cells(t, bus);
        if (child_cells < 1 || parent_cells < 1 || size_cells < 1) return false;
        int row = 4 * (child_cells + parent_cells + size_cells);
        bool is_hit = length == 0;                        /* empty: one to one */
        for (int i = 0; !is_hit && i + row <= length; i += row) {
            uint64_t from = cells(ranges + i, child_cells), to = cells(ranges + i + 4 * child_cells, parent_cells);
            uint64_t size = cells(ranges + i + 4 * (child_cells + parent_cells), size_cells);
            if (*at - from >= size) continue;
            *at = *at - from + to;
            is_hit = true;
        }
        if (!is_hit) return false;
        bus = parent;
    }
    return true;
}

/* The index-th pair of `reg`. */
static bool reg_of(const void *t, int node, unsigned index, uint64_t *base, uint64_t *size)
{
    int bus = fdt_parent_offset(t, node), length;
    const char *p = fdt_getprop(t, node, "reg", &length);
    if (bus < 0 || !p) return false;
    int address_cells = fdt_address_cells(t, bus), size_cells = fdt_size_cells(t, bus), row = 4 * (address_cells + size_cells);
    if (address_cells < 1 || size_cells < 0 || (int)(index + 1) * row > length) return false;
    *base = cells(p + (int)index * row, address_cells);
    *size = cells(p + (int)index * row + 4 * address_cells, size_cells);
    return to_cpu_address(t, bus, base);
}

/* The index-th interrupt of a node on the GIC: {type, number, flags, ...}; 0 when it has none. */
static uint32_t intid_of(const void *t, int node, unsigned index, unsigned gic_cells)
{
    int length;
    const char *p = fdt_getprop(t, node, "interrupts", &length);
    unsigned row = 4 * gic_cells;
    if (!p || gic_cells < 3 || (unsigned)length < (index + 1) * row) return 0;
    uint32_t type = load_be32(p + index * row), number = load_be32(p + index * row + 4);
    return type == 1 ? number + 16 : type == 0 ? number + 32 : 0;        /* PPI, SPI */
}

static int find(const void *t, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int n = names[i] ? fdt_node_offset_by_compatible(t, -1, names[i]) : -1; n >= 0; n = fdt_node_offset_by_compatible(t, n, names[i])) {
            if (is_enabled(t, n)) return n;
        }
    }
    return -1;
}
#define FIND(t, ...) find(t, (const char *const[]){ __VA_ARGS__ }, ARRAY_COUNT(((const char *const[]){ __VA_ARGS__ })))

/* Into one of the machine's lists; what cannot be is told. */
static void add(struct machine *m, struct boot_range *list, unsigned *count, const char *what, uint64_t base, uint64_t size)
{
    if (!machine_add(list, count, base, size)) machine_note(m, what, base, size);
}

static void read_memory(const void *t, struct machine *m)
{
    static const char reserved[] = "a reservation that cannot be";
    uint64_t base, size;
    add(m, m->reserved, &m->reserved_count, reserved, (uint64_t)t, fdt_totalsize(t));    /* before the tree fills the list */
    for (int n = fdt_first_subnode(t, 0); n >= 0; n = fdt_next_subnode(t, n)) {
        const char *type = text_of(t, n, "device_type");
        if (!type || strcmp(type, "memory") || !is_enabled(t, n)) continue;
        for (unsigned i = 0; reg_of(t, n, i, &base, &size); i++) add(m, m->ram, &m->ram_count, "memory that cannot be", base, size);
    }
    for (int i = 0, count = fdt_num_mem_rsv(t); i < count; i++) {
        if (!fdt_get_mem_rsv(t, i, &base, &size)) add(m, m->reserved, &m->reserved_count, reserved, base, size);
    }
    int group = fdt_path_offset(t, "/reserved-memory");
    if (group >= 0) {
        for (int n = fdt_first_subnode(t, group); n >= 0; n = fdt_next_subnode(t, n)) {
            if (!is_enabled(t, n)) continue;
            for (unsigned i = 0; reg_of(t, n, i, &base, &size); i++) {
                add(m, m->reserved, &m->reserved_count, reserved, base, size);
                if (fdt_getprop(t, n, "no-map", NULL)) add(m, m->no_map, &m->no_map_count, reserved, base, size);
            }
        }
    }
}

static bool is_known_cpu(const struct aarch64_platform *p, uint64_t mpidr)
{
    for (unsigned i = 0; i < p->cpu_count; i++) {
        if (p->cpu_mpidr[i] == mpidr) return true;
    }
    return false;
}

static void read_cpus(const void *t, uint64_t boot_mpidr, struct aarch64_platform *p)
{
    int group = fdt_path_offset(t, "/cpus");
    p->cpu_count = 1;
    p->cpu_mpidr[0] = boot_mpidr & MPIDR_AFFINITY;
    if (group < 0) return;
    int width = fdt_address_cells(t, group);
    for (int n = fdt_first_subnode(t, group); n >= 0 && p->cpu_count < ARCH_MAX_CPUS; n = fdt_next_subnode(t, n)) {
        const char *type = text_of(t, n, "device_type"), *status = text_of(t, n, "status");
        int length;
        const char *reg = fdt_getprop(t, n, "reg", &length);
        if (!type || strcmp(type, "cpu") || !reg || width < 1 || length < 4 * width) continue;
        if (status && !strcmp(status, "fail")) continue;  /* "disabled" only means: not started yet */
        uint64_t mpidr = cells(reg, width) & MPIDR_AFFINITY, release = 0;
        const char *how = text_of(t, n, "enable-method");
        if (how && !strcmp(how, "spin-table")) read_number(t, n, "cpu-release-addr", &release);
        if (is_known_cpu(p, mpidr)) continue;
        p->cpu_release[p->cpu_count] = release;
        p->cpu_mpidr[p->cpu_count++] = mpidr;
    }
}

/* -> how many cells say an interrupt */
static unsigned read_maintenance(const void *t, int node, struct aarch64_platform *p)
{
    unsigned gic_cells = u32_of(t, node, "#interrupt-cells", 3);
    p->maintenance_intid = intid_of(t, node, 0, gic_cells);
    return gic_cells;
}

/* Where each 4 KiB of a GIC-400 are seen sixteen times over, two that are neighbours begin 60 KiB in. */
static uint64_t gicv_second_page(uint64_t size_bytes) { return size_bytes == 0x20000 ? 0xf000 : 0; }

static unsigned read_gic(const void *t, struct aarch64_platform *p)
{
    uint64_t size;
    int n = FIND(t, "arm,gic-v3");
    if (n >= 0 && reg_of(t, n, 0, &p->gicd, &p->gicd_size) && p->gicd_size) {
        unsigned regions = u32_of(t, n, "#redistributor-regions", 1);
        p->irq_kind = AARCH64_IRQ_GICV3;
        int length;
        const char *stride = fdt_getprop(t, n, "redistributor-stride", &length);
        if (stride && (length == 4 || length == 8)) p->gicr_stride = cells(stride, length / 4);
        for (unsigned i = 0; i < regions && p->gicr_count < AARCH64_MAX_REDISTRIBUTORS; i++) {
            uint64_t base;
            if (!reg_of(t, n, 1 + i, &base, &size)) break;
            p->gicr[p->gicr_count].base = base;
            p->gicr[p->gicr_count++].size_bytes = size;
        }
        return read_maintenance(t, n, p);
    }
    n = FIND(t, "arm,cortex-a15-gic", "arm,gic-400", "arm,cortex-a9-gic", "arm,cortex-a7-gic");
    if (n >= 0 && reg_of(t, n, 0, &p->gicd, &p->gicd_size) && reg_of(t, n, 1, &p->gicc, &p->gicc_size) && p->gicd_size && p->gicc_size) {
        p->irq_kind = AARCH64_IRQ_GICV2;
        uint64_t gicv_size;
        if (reg_of(t, n, 2, &p->gich, &size) && reg_of(t, n, 3, &p->gicv, &gicv_size)) p->gicv += gicv_second_page(gicv_size);
        else p->gich = p->gicv = 0;
        return read_maintenance(t, n, p);
    }
    return 0;
}

/* UARTs that we drive, the likelier first. */
static const struct uart_chip *const uarts[] = { &uart_pl011, &uart_cadence };

static const struct uart_chip *chip_of(const void *t, int node)
{
    for (size_t i = 0; i < ARRAY_COUNT(uarts); i++) {
        for (const char *const *c = uarts[i]->compatible; *c; c++) {
            if (fdt_node_check_compatible(t, node, *c) == 0) return uarts[i];
        }
    }
    return NULL;
}

/* chosen/stdout-path, a path or an alias, up to a colon; else the first that we drive. */
static int find_uart(const void *t, int chosen)
{
    const char *path = chosen >= 0 ? text_of(t, chosen, "stdout-path") : NULL;
    if (path) {
        const char *colon = strchr(path, ':');
        int n = fdt_path_offset_namelen(t, path, (int)(colon ? (size_t)(colon - path) : strlen(path)));
        if (n >= 0 && chip_of(t, n)) return n;
    }
    for (size_t i = 0; i < ARRAY_COUNT(uarts); i++) {
        int n = find(t, uarts[i]->compatible, ARRAY_COUNT(uarts[i]->compatible));
        if (n >= 0) return n;
    }
    return -1;
}

static void read_uart(const void *t, unsigned gic_cells, struct machine *m)
{
    struct board_uart *u = &m->uart;
    int n = find_uart(t, fdt_path_offset(t, "/chosen"));
    if (n < 0 || !reg_of(t, n, 0, &u->base, &u->size_bytes)) return;
    u->chip = chip_of(t, n);
    if (!u->size_bytes || u->size_bytes > MIB(1)) {
        machine_note(m, "a console whose registers have that size", u->base, u->size_bytes);
        u->size_bytes = HV_PAGE_BYTES;
    }
    u->intid = intid_of(t, n, 0, gic_cells);
}

static bool is_private(uint32_t intid) { return intid >= 16 && intid < 32; }

void fdt_read_chips(const void *t, uint64_t boot_mpidr, struct machine *m)
{
    struct aarch64_platform *p = &m->platform;
    uint64_t size;
    p->board = printable(text_of(t, 0, "compatible"));
    if (!p->board) p->board = "a board without a name";
    read_cpus(t, boot_mpidr, p);
    unsigned gic_cells = read_gic(t, p);
    read_uart(t, gic_cells, m);

    int n = FIND(t, "arm,armv8-timer", "arm,armv7-timer");
    if (n >= 0) {                                         /* secure, non-secure, virtual, hypervisor */
        p->timer_virt_intid = intid_of(t, n, 2, gic_cells);
        p->timer_hyp_intid = intid_of(t, n, 3, gic_cells);
        p->timer_hz = u32_of(t, n, "clock-frequency", 0);
    }
    if (!is_private(p->timer_virt_intid) || !is_private(p->timer_hyp_intid)) {
        machine_note(m, "a timer without its interrupts (the usual ones are taken)", p->timer_virt_intid, p->timer_hyp_intid);
        p->timer_virt_intid = 27, p->timer_hyp_intid = 26;               /* Arm BSA 1.0, 3.8.1 */
    }
    n = FIND(t, "arm,psci-1.0", "arm,psci-0.2");
    const char *method = n >= 0 ? text_of(t, n, "method") : NULL;
    if (method) p->psci = !strcmp(method, "smc") ? AARCH64_PSCI_SMC : !strcmp(method, "hvc") ? AARCH64_PSCI_HVC : AARCH64_PSCI_NONE;

    n = FIND(t, "arm,pl031");                             /* its first register counts seconds */
    if (n >= 0 && !reg_of(t, n, 0, &p->rtc, &size)) p->rtc = 0;
}

void fdt_read_loader(const void *t, struct machine *m)
{
    uint64_t end;
    int chosen = fdt_path_offset(t, "/chosen");
    m->cmdline = chosen >= 0 ? text_of(t, chosen, "bootargs") : NULL;
    if (!m->cmdline) m->cmdline = "";
    m->seed = chosen >= 0 ? fdt_getprop(t, chosen, "rng-seed", &m->seed_bytes) : NULL;
    if (chosen >= 0 && read_number(t, chosen, "linux,initrd-start", &m->initrd.base)
        && read_number(t, chosen, "linux,initrd-end", &end) && end > m->initrd.base) {
        m->initrd.size_bytes = end - m->initrd.base;
        if (!machine_add(m->reserved, &m->reserved_count, m->initrd.base, m->initrd.size_bytes)) {
            machine_note(m, "an initrd that cannot be", m->initrd.base, m->initrd.size_bytes);
            m->initrd.size_bytes = 0;
        }
    }
    read_memory(t, m);
}

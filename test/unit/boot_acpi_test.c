// SPDX-License-Identifier: Apache-2.0
/* ACPI tables of an AArch64 machine, made here: whole ones, and such that lie or lack something. */
#include "boot/acpi.c"
#include "boot/aarch64/acpi.c"
#include "boot/aarch64/acpi_routes.c"
#include "test/harness/test.h"

/* No chip is driven here. */
const struct uart_chip uart_pl011;

enum { TABLES = 8, TABLE_BYTES = 512 };
static uint8_t tables[TABLES][TABLE_BYTES], rsdp[36];
static unsigned table_count;
static struct machine m;
static struct host_buses buses;

static void seal(uint8_t *table, uint32_t length)
{
    uint8_t sum = 0;
    store_le32(table + 4, length);
    table[9] = 0;
    for (uint32_t i = 0; i < length; i++) sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)-sum;
}

static void begin(void)
{
    memset(tables, 0, sizeof tables);
    table_count = 0;
    m = (struct machine){ 0 };
    buses = (struct host_buses){ 0 };
}

static uint8_t *new_table(const char *signature)
{
    uint8_t *t = tables[table_count++];
    memcpy(t, signature, 4);
    memcpy(t + 10, "MAKER TABLE   ", 14);
    return t;
}

/* A root of all tables but the first `hidden`, and a pointer to it. */
static void root(unsigned hidden)
{
    unsigned n = table_count - hidden;
    uint8_t *xsdt = new_table("XSDT"), sum = 0;
    for (unsigned i = 0; i < n; i++) store_le64(xsdt + 36 + 8 * i, (uint64_t)tables[hidden + i]);
    seal(xsdt, 36 + 8 * n);
    memset(rsdp, 0, sizeof rsdp);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    store_le64(rsdp + 24, (uint64_t)xsdt);
    for (unsigned i = 0; i < 20; i++) sum = (uint8_t)(sum + rsdp[i]);
    rsdp[8] = (uint8_t)-sum;
}

static uint32_t add_gicc(uint8_t *madt, uint32_t at, uint64_t mpidr, bool is_enabled, uint64_t gicc, uint64_t gicr)
{
    madt[at] = 11;
    madt[at + 1] = 80;
    store_le32(madt + at + 12, is_enabled);
    store_le64(madt + at + 32, gicc);
    store_le64(madt + at + 60, gicr);
    store_le64(madt + at + 68, mpidr);
    return at + 80;
}

static uint32_t add_gicd(uint8_t *madt, uint32_t at, uint64_t base, uint8_t version)
{
    madt[at] = 12;
    madt[at + 1] = 24;
    store_le64(madt + at + 8, base);
    madt[at + 20] = version;
    return at + 24;
}

static void add_timer_and_fadt(uint8_t arm_flags)
{
    uint8_t *gtdt = new_table("GTDT"), *fadt = new_table("FACP");
    store_le32(gtdt + 64, 27);
    store_le32(gtdt + 72, 26);
    seal(gtdt, 96);
    fadt[129] = arm_flags;
    seal(fadt, 276);
}

static const char *reads(void) { return acpi_read_chips(rsdp, 0x80000001, &m, &buses); }

TEST(acpi_tells_of_cores_and_a_gicv3_by_redistributor_regions)
{
    begin();
    uint8_t *madt = new_table("APIC"), *spcr;
    uint32_t at = add_gicd(madt, 44, 0x8000000, 3);
    at = add_gicc(madt, at, 0, true, 0, 0);
    at = add_gicc(madt, at, 1, true, 0, 0);
    at = add_gicc(madt, at, 2, false, 0, 0);
    at = add_gicc(madt, at, 0x100000100, true, 0, 0);
    madt[at] = 14;
    madt[at + 1] = 16;
    store_le64(madt + at + 4, 0x80a0000);
    store_le32(madt + at + 12, 0xf60000);
    seal(madt, at + 16);
    add_timer_and_fadt(3);
    spcr = new_table("SPCR");
    spcr[36] = 3;
    store_le64(spcr + 44, 0x9000000);
    spcr[52] = 8;
    store_le32(spcr + 54, 33);
    seal(spcr, 80);
    root(0);
    CHECK(!reads());
    CHECK(m.platform.irq_kind == AARCH64_IRQ_GICV3 && m.platform.gicd == 0x8000000 && !m.platform.gicc);
    CHECK(m.platform.gicr_count == 1 && m.platform.gicr[0].base == 0x80a0000 && m.platform.gicr[0].size_bytes == 0xf60000);
    CHECK_EQ_U64(m.platform.cpu_count, 3);
    CHECK(m.platform.cpu_mpidr[0] == 1 && m.platform.cpu_mpidr[1] == 0 && m.platform.cpu_mpidr[2] == 0x100000100);
    CHECK(m.platform.psci == AARCH64_PSCI_HVC && m.platform.timer_virt_intid == 27 && m.platform.timer_hyp_intid == 26);
    CHECK(m.uart.chip == &uart_pl011 && m.uart.base == 0x9000000 && m.uart.intid == 33);
    CHECK_STR(m.platform.board, "MAKER TABLE");
}

TEST(acpi_tells_of_a_gicv2_and_of_redistributors_by_core)
{
    begin();
    uint8_t *madt = new_table("APIC");
    seal(madt, add_gicc(madt, add_gicd(madt, 44, 0x8000000, 0), 1, true, 0x8010000, 0));
    add_timer_and_fadt(1);
    root(0);
    CHECK(!reads());
    CHECK(m.platform.irq_kind == AARCH64_IRQ_GICV2 && m.platform.gicc == 0x8010000 && m.platform.psci == AARCH64_PSCI_SMC && !m.uart.chip);

    begin();
    madt = new_table("APIC");
    uint32_t at = add_gicd(madt, 44, 0x8000000, 0);
    for (unsigned cpu = 0; cpu < 2; cpu++) at = add_gicc(madt, at, cpu, true, 0, 0x80a0000 + cpu * 0x20000);
    at = add_gicc(madt, at, 2, true, 0, 0x90a0000);
    seal(madt, at);
    add_timer_and_fadt(0);
    root(0);
    CHECK(!reads());
    CHECK(m.platform.irq_kind == AARCH64_IRQ_GICV3 && m.platform.psci == AARCH64_PSCI_NONE);
    CHECK(m.platform.gicr_count == 2 && m.platform.gicr[0].size_bytes == 0x40000 && m.platform.gicr[1].base == 0x90a0000);
}

TEST(acpi_without_what_is_needed_says_what)
{
    begin();
    uint8_t *madt = new_table("APIC");
    seal(madt, add_gicc(madt, add_gicd(madt, 44, 0x8000000, 2), 1, true, 0x8010000, 0));
    add_timer_and_fadt(1);
    root(1);
    CHECK(strstr(reads(), "no good MADT"));
    madt[44 + 8]++;                                       /* the sum is wrong now */
    root(0);
    CHECK(strstr(reads(), "no good MADT"));

    begin();
    madt = new_table("APIC");
    seal(madt, add_gicc(madt, 44, 1, true, 0x8010000, 0));
    add_timer_and_fadt(1);
    root(0);
    CHECK(strstr(reads(), "no GICv2 and no GICv3"));
    rsdp[9] ^= 1;
    CHECK(strstr(reads(), "no root table"));
    rsdp[9] ^= 1;
    memset(rsdp + 24, 0, 8);
    CHECK(strstr(reads(), "no root table"));
}

TEST(acpi_entries_that_reach_outside_their_table_end_it)
{
    begin();
    uint8_t *madt = new_table("APIC");
    uint32_t at = add_gicc(madt, add_gicd(madt, 44, 0x8000000, 2), 1, true, 0x8010000, 0), next = add_gicc(madt, at, 2, true, 0x8010000, 0);
    seal(madt, next - 1);
    add_timer_and_fadt(1);
    root(0);
    CHECK(!reads());
    CHECK_EQ_U64(m.platform.cpu_count, 1);
    m = (struct machine){ 0 };
    madt[at + 1] = 0;                                     /* an entry of no length */
    seal(madt, next);
    CHECK(!reads());
    CHECK_EQ_U64(m.platform.cpu_count, 1);
    m = (struct machine){ 0 };
    madt[at + 1] = 70;                                    /* too short to have an MPIDR */
    seal(madt, at + 70);
    CHECK(!reads());
    CHECK_EQ_U64(m.platform.cpu_count, 1);
}

TEST(acpi_tells_of_pci_and_of_virtio_slots)
{
    static const uint8_t aml[] = {
        'L', 'N', 'R', 'O', '0', '0', '0', '5', 0, 0x86, 9, 0, 1, 0, 0, 0, 0x0a, 0, 2, 0, 0, 0x89, 6, 0, 1, 1, 48, 0, 0, 0,
        'L', 'N', 'R', 'O', '0', '0', '0', '5', 0, 0x86, 9, 0, 1, 0, 2, 0, 0x0a, 0, 2, 0, 0, 0x89, 6, 0, 3, 1, 49, 0, 0, 0, 0, 0, 0,
    };
    begin();
    uint8_t *dsdt = new_table("DSDT"), *madt = new_table("APIC"), *mcfg = new_table("MCFG");
    memcpy(dsdt + 36, aml, sizeof aml);
    seal(dsdt, 36 + sizeof aml);
    seal(madt, add_gicc(madt, add_gicd(madt, 44, 0x8000000, 2), 1, true, 0x8010000, 0));
    store_le64(mcfg + 44, 0x4010000000);
    mcfg[55] = 255;
    seal(mcfg, 60);
    add_timer_and_fadt(1);
    uint8_t *fadt = tables[table_count - 1];
    store_le64(fadt + 140, (uint64_t)dsdt);
    seal(fadt, 276);
    root(1);
    CHECK(!reads());
    CHECK(buses.pci.ecam == 0x4010000000 && buses.pci.last_bus == 255);
    CHECK(buses.mmio_count == 2 && buses.mmio[0].base == 0xa000000 && buses.mmio[1].base == 0xa000200);
    CHECK(buses.mmio[0].line.number == 48 && buses.mmio[0].line.is_level && buses.mmio[1].line.number == 49 && !buses.mmio[1].line.is_level);
}

/* Name(_PRT, Package(rows)) in a table, then two link devices. */
static struct acpi_table with_routes(const uint8_t *rows, unsigned bytes, uint8_t kind)
{
    static const uint8_t links[] = {
        0x5b, 0x82, 20, 'G', 'S', 'I', '0', 8, '_', 'C', 'R', 'S', 0x11, 0x89, 6, 0, 1, 1, 35, 0, 0, 0, 0,
        0x5b, 0x82, 20, 'G', 'S', 'I', '1', 8, '_', 'C', 'R', 'S', 0x11, 0x89, 6, 0, 7, 1, 36, 0, 0, 0, 0,
    };
    begin();
    uint8_t *dsdt = new_table("DSDT"), *p = dsdt + 36;
    memcpy(p, "\x08_PRT", 5);
    p[5] = kind;
    p[6] = (uint8_t)(bytes + 2 + (kind == 0x13));
    p += 7;
    if (kind == 0x13) *p++ = 0x0a;
    *p++ = 2;
    memcpy(p, rows, bytes);
    memcpy(p + bytes, links, sizeof links);
    uint32_t length = (uint32_t)(p + bytes + sizeof links - dsdt);
    seal(dsdt, length);
    return (struct acpi_table){ dsdt, length };
}

TEST(acpi_routes_go_by_link_devices_or_by_number)
{
    static const uint8_t by_link[] = { 0x12, 11, 4, 0x0b, 0xff, 0xff, 0, 'G', 'S', 'I', '0', 0, 0x12, 13, 4, 0x0c, 0xff, 0xff, 2, 0, 1, 'G', 'S', 'I', '1', 0 };
    struct acpi_table t = with_routes(by_link, sizeof by_link, 0x13);
    acpi_read_routes(t, &buses.pci);
    CHECK(buses.pci.route_count == 2 && buses.pci.route_slots == 31);
    CHECK(buses.pci.route[0].slot == 0 && buses.pci.route[0].pin == 1 && buses.pci.route[0].line.number == 35 && buses.pci.route[0].line.is_level);
    CHECK(buses.pci.route[1].slot == 2 && buses.pci.route[1].pin == 2 && buses.pci.route[1].line.number == 36 && !buses.pci.route[1].line.is_level);
    CHECK(!buses.pci.route[0].line.is_low && buses.pci.route[1].line.is_low);

    static const uint8_t by_number[] = { 0x12, 12, 4, 0x0c, 0xff, 0xff, 1, 0, 0x0a, 3, 0, 0x0a, 40, 0x12, 12, 4, 0x0c, 0xff, 0xff, 2, 0, 0x0a, 3, 0, 0x0a, 7 };
    t = with_routes(by_number, sizeof by_number, 0x12);
    acpi_read_routes(t, &buses.pci);
    CHECK(buses.pci.route_count == 1 && buses.pci.route[0].slot == 1 && buses.pci.route[0].pin == 4 && buses.pci.route[0].line.number == 40);
}

TEST(acpi_routes_of_any_bytes_stay_inside_their_table)
{
    static const uint8_t row[] = { 0x12, 11, 4, 0x0b, 0xff, 0xff, 0, 'G', 'S', 'I', '0', 0 };
    for (unsigned i = 0; i < 40000; i++) {
        struct acpi_table t = with_routes(row, sizeof row, i & 1 ? 0x12 : 0x13);
        uint8_t *copy = malloc(t.length);                 /* its end is watched */
        memcpy(copy, t.at, t.length);
        for (unsigned k = 0; k < 3; k++) copy[36 + test_random() % (t.length - 36)] = (uint8_t)test_random();
        acpi_read_routes((struct acpi_table){ copy, i % 5 ? t.length : (uint32_t)(36 + test_random() % (t.length - 36)) }, &buses.pci);
        acpi_read_slots((struct acpi_table){ copy, t.length }, &buses);
        free(copy);
        CHECK(buses.pci.route_count <= PCI_MAX_ROUTES);
    }
}

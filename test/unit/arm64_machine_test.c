// SPDX-License-Identifier: Apache-2.0
/* The arm64 machine: which configurations it refuses before anything is allocated, where it puts images, its map, its reset. */
#include "test/unit/arm64_world.h"

static uint8_t raw[0x3000], linux_image[0x1000], initrd[0x2001];

static struct machine_config config(void)
{
    memset(linux_image, 0, sizeof linux_image);
    store_le64(linux_image + 8, 0x200000);                  /* text_offset, image_size, magic: Linux's booting.rst */
    store_le64(linux_image + 16, 0x400000);
    store_le32(linux_image + 56, 0x644d5241);
    return (struct machine_config){ .memory_size = MIB(64), .vcpu_count = 1, .kernel = { linux_image, sizeof linux_image } };
}
static const char *refusal(const struct machine_config *c)
{
    struct vm_error e = ARM64_VIRT.check(c);
    return vm_failed(e) ? e.reason : "";
}

TEST(arm64_machines_that_cannot_be_are_refused_with_a_reason)
{
    static char cmdline[5000];
    uint8_t gzip[8] = { 0x1f, 0x8b };
    struct machine_config c;
    world_host(3);
#define EXPECT(change, why) do { c = config(); change; CHECK_STR(refusal(&c), why); } while (0)
    EXPECT((void)0, "");
    EXPECT(c.memory_size = MIB(3), "memory: an arm64 machine has 4M to 255G");
    EXPECT(c.memory_size = GIB(256), "memory: an arm64 machine has 4M to 255G");
    EXPECT(c.memory_size = UINT64_MAX, "memory: an arm64 machine has 4M to 255G");
    EXPECT(c.memory_size += 512, "memory: not a whole number of 4 KiB pages");
    EXPECT(c.vcpu_count = 0, "vcpus: an arm64 machine has 1 to 64");
    EXPECT(c.vcpu_count = 65, "vcpus: an arm64 machine has 1 to 64");
    EXPECT(c.vcpu_count = 64, "");
    EXPECT(c.disk_count = 9, "disk, net: an arm64 machine has 8 slots");
    EXPECT((memset(cmdline, 'x', 4999), c.cmdline = cmdline), "cmdline: longer than 4095 bytes");
    EXPECT(c.kernel.size_bytes = 0, "");                    /* bare RAM */
    EXPECT(c.kernel = ((struct blob){ gzip, sizeof gzip }), "the image is compressed with gzip: unpack it first");
    EXPECT((c.firmware = c.kernel), "firmware: this is a Linux kernel: give it as kernel");
    EXPECT(store_le64(linux_image + 16, MIB(63)), "kernel: does not fit into the guest's memory");
    EXPECT(store_le64(linux_image + 8, GIB(3)), "kernel: does not fit into the guest's memory");
    EXPECT(store_le64(linux_image + 16, MIB(62)), "kernel, device tree and initrd together need more memory");
    EXPECT((c.initrd = (struct blob){ initrd, MIB(60) }), "kernel, device tree and initrd together need more memory");
    EXPECT((c.initrd = (struct blob){ initrd, MIB(63) }), "initrd: does not fit into the guest's memory");
    EXPECT((c.initrd = (struct blob){ initrd, SIZE_MAX }), "initrd: does not fit into the guest's memory");
    EXPECT((c.firmware = (struct blob){ raw, MIB(65) }), "firmware: does not fit into the 64 MiB of ROM at 0");
    hosted_pretend(NULL);
}

TEST(arm64_gic_is_the_hosts)
{
    static const char *const two[] = { "gic=2" }, *const three[] = { "gic=3" }, *const other[] = { "gic=4" };
    struct machine_config c;
    for (unsigned version = 2; version <= 3; version++) {
        world_host(version);
        EXPECT((c.options = two, c.option_count = 1), version == 2 ? "" : "gic: on hardware a guest has the version of the host's GIC");
        EXPECT((c.options = three, c.option_count = 1), version == 3 ? "" : "gic: on hardware a guest has the version of the host's GIC");
        EXPECT((c.options = other, c.option_count = 1), "unknown machine option; there are gic=2, gic=3");
        EXPECT(c.vcpu_count = 8, "");
        EXPECT(c.vcpu_count = 9, version == 3 ? "" : "vcpus: with a GICv2 an arm64 machine has 1 to 8");
    }
    hosted_pretend(NULL);
}

TEST(arm64_kernel_starts_at_el1_with_the_device_tree_in_x0)
{
    struct machine_config c = config();
    uint8_t got[sizeof initrd];
    c.initrd = (struct blob){ initrd, sizeof initrd };
    memset(initrd, 0x77, sizeof initrd);
    c.vcpu_count = CPUS;
    struct world *w = world_start(3, &c);
    CHECK(ARM64_VIRT.is_started(w->machine, 0) && !ARM64_VIRT.is_started(w->machine, 1));
    CHECK_EQ_U64(w->v[0].regs.pc, RAM + MIB(2));
    CHECK_EQ_U64(frame_of(w)->pstate, ARM64_PSTATE_EL1H | ARM64_PSTATE_DAIF);
    uint64_t tree = x_of(w)[0];
    CHECK(tree == RAM + MIB(62) && tree % MIB(2) == 0 && x_of(w)[1] == 0 && x_of(w)[2] == 0 && x_of(w)[3] == 0);
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(tree), got, 4)) && load_be32(got) == 0xd00dfeed);
    uint64_t from = align_down(tree - sizeof initrd, 4096);
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(from), got, sizeof got)) && !memcmp(got, initrd, sizeof got));
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(RAM + MIB(2)), got, 64)) && !memcmp(got, linux_image, 64));
    world_end(w);
}

TEST(arm64_layout_by_kind_of_image_and_size_of_memory)
{
    struct machine_config c = config();
    struct arm64_layout l;
    c.memory_size = GIB(8);
    c.initrd = (struct blob){ initrd, sizeof initrd };
    CHECK(!vm_failed(arm64_layout_make(&c, &l)));
    CHECK(l.kernel.entry == RAM + MIB(2) && l.dtb_at == RAM + MIB(510));        /* kernels look for it near themselves */
    CHECK(l.initrd_from % 4096 == 0 && l.initrd_end <= l.dtb_at && l.initrd_end - l.initrd_from == sizeof initrd);
    c.kernel = (struct blob){ raw, sizeof raw };
    CHECK(!vm_failed(arm64_layout_make(&c, &l)));
    CHECK_EQ_U64(l.kernel.entry, RAM + 0x80000);
    c.firmware = (struct blob){ raw, 0x2801 };
    CHECK(!vm_failed(arm64_layout_make(&c, &l)));
    CHECK(l.firmware.entry == 0 && l.rom_bytes == 0x3000 && l.dtb_at == RAM);
    c.kernel.size_bytes = c.initrd.size_bytes = 0;
    CHECK(!vm_failed(arm64_layout_make(&c, &l)));
    CHECK(!l.has_kernel && l.has_firmware && l.initrd_from == l.initrd_end);
}

TEST(arm64_machine_without_an_image_starts_where_memory_does)
{
    struct world *w = world_start(3, NULL);
    CHECK_EQ_U64(w->v[0].regs.pc, RAM);
    world_end(w);
}

TEST(arm64_firmware_starts_in_rom_and_finds_the_device_tree_at_the_start_of_memory)
{
    uint8_t got[sizeof raw];
    for (unsigned i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)(i * 7 + 1);
    struct machine_config c = { .memory_size = MEMORY, .vcpu_count = 1, .firmware = { raw, sizeof raw } };
    struct world *w = world_start(3, &c);
    CHECK(w->v[0].regs.pc == 0 && x_of(w)[0] == 0);
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(0), got, sizeof got)) && !memcmp(got, raw, sizeof got));
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(RAM), got, 4)) && load_be32(got) == 0xd00dfeed);
    world_end(w);
}

TEST(arm64_map_is_that_of_qemu_virt)
{
    struct world *w = world_start(3, NULL);
    CHECK_EQ_U64(world_in(w, 0x0800ffe8, 4), 0x3b);
    CHECK_EQ_U64(world_in(w, 0x080affe8, 4), 0x3b);
    CHECK_EQ_U64(world_in(w, 0x080a0008 + 0x20000 * (CPUS - 1), 4) >> 4 & 1, 1);
    CHECK_EQ_U64(world_in(w, 0x09000fe0, 4), 0x11);
    CHECK_EQ_U64(world_in(w, 0x09010fe0, 4), 0x31);
    CHECK(world_in(w, 0x09010000, 4) - 1700000000 < 3600);
    for (unsigned n = 0; n < 8; n++) CHECK_EQ_U64(world_in(w, 0x0a000000 + 0x200 * n, 4), 0x74726976);
    CHECK(world_in(w, 0x0a000c08, 4) == 3 && world_in(w, 0x0a000e08, 4) == 4 && world_in(w, 0x0a000008, 4) == 0);     /* console, entropy, nothing */
    uint64_t v = 0;
    CHECK(!mmio_read(&w->bus, guest_phys_addr_make(0x080a0000 + 0x20000 * CPUS), 4, &v) && !mmio_read(&w->bus, guest_phys_addr_make(0x08010000), 4, &v));
    CHECK_EQ_U64(w->gicv_at, 0);
    world_end(w);
    w = world_start(2, NULL);
    CHECK_EQ_U64(world_in(w, 0x08000fe8, 4), 0x2b);
    CHECK(!mmio_read(&w->bus, guest_phys_addr_make(0x080a0000), 4, &v));
    CHECK_EQ_U64(w->gicv_at, 0x08010000);                   /* the CPU interface is the host's virtual one */
    world_end(w);
}

TEST(arm64_wires_reach_the_gic)
{
    struct world *w = world_start(3, NULL);
    struct gic *g = ((struct arm64_machine *)w->machine)->gic;
    world_out(w, 0x08000000, 4, 3);
    world_out(w, 0x08000104, 4, 1u << 1 | 1u << 2);          /* SPIs 1 and 2: UART and clock */
    CHECK(!gic_is_pending(g, 0));
    world_out(w, 0x09000038, 4, 0x20);
    world_out(w, 0x09000000, 1, 'h');
    CHECK(gic_is_pending(g, 0) && w->v[0].request & VCPU_REQUEST_IRQ && w->out_length == 1 && w->out[0] == 'h');
    CHECK_EQ_U64(world_in(w, 0x08000204, 4), 2);
    world_out(w, 0x09000044, 4, 0x20);
    CHECK(!gic_is_pending(g, 0));
    world_out(w, 0x09010010, 4, 1);
    world_out(w, 0x09010004, 4, 5);
    world_out(w, 0x09010008, 4, 5);                          /* set to its alarm */
    CHECK_EQ_U64(world_in(w, 0x08000204, 4), 4);
    world_end(w);
}

TEST(arm64_keys_go_to_the_uart)
{
    struct world *w = world_start(3, NULL);
    CHECK_EQ_U64(ARM64_VIRT.console_room(w->machine), 0);
    world_out(w, 0x0900002c, 4, 0x70);
    world_out(w, 0x09000030, 4, 0x301);
    CHECK_EQ_U64(ARM64_VIRT.console_room(w->machine), 32);
    ARM64_VIRT.console_input(w->machine, "ab", 2);
    CHECK(world_in(w, 0x09000000, 4) == 'a' && world_in(w, 0x09000000, 4) == 'b' && ARM64_VIRT.console_room(w->machine) == 32);
    world_end(w);
}

TEST(arm64_reset_brings_back_images_devices_and_vcpus)
{
    struct machine_config c = config();
    uint8_t got[64];
    c.vcpu_count = CPUS;
    struct world *w = world_start(3, &c);
    memset(got, 0, sizeof got);
    ram_put(w, RAM + MIB(2), got, sizeof got);
    ram_put64(w, RAM + MIB(32), 42);                         /* no image covers it: it stays */
    world_out(w, 0x08000000, 4, 3);
    world_out(w, 0x09000038, 4, 0x7ff);
    ((struct arm64_machine *)w->machine)->psci.state[1] = PSCI_ON;
    frame_of(w)->sctlr_el1 |= 5;
    frame_of(w)->mdscr_el1 = 1;
    x_of(w)[9] = 9;
    w->v[0].is_halted = true;
    CHECK(!vm_failed(ARM64_VIRT.reset(w->machine)));
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(RAM + MIB(2)), got, sizeof got)) && !memcmp(got, linux_image, sizeof got));
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(RAM + MIB(32)), got, 8)) && got[0] == 42);
    CHECK(world_in(w, 0x08000000, 4) == 0x50 && world_in(w, 0x09000038, 4) == 0);
    CHECK(!ARM64_VIRT.is_started(w->machine, 1) && w->v[0].regs.pc == RAM + MIB(2) && x_of(w)[9] == 0 && !w->v[0].is_halted);
    CHECK(!(frame_of(w)->sctlr_el1 & 5) && frame_of(w)->mdscr_el1 == 0);
    world_end(w);
}

TEST(arm64_affinity_is_sixteen_to_a_cluster)
{
    CHECK(arm64_mpidr(0) == 0 && arm64_mpidr(15) == 15 && arm64_mpidr(16) == 0x100 && arm64_mpidr(63) == 0x30f);
}

TEST(arm64_registers_written_from_outside_stay_lawful)
{
    static const struct { uint64_t in, out; } rows[] = { { 5, 5 }, { 4, 4 }, { 0, 0 }, { 0x3c5, 0x3c5 }, { 9, 5 }, { 0xd, 5 }, { 0x10, 5 }, { 0x1f, 5 }, { 1, 5 }, { 2, 5 }, { 0x60000006, 0x60000005 } };
    struct world *w = world_start(3, NULL);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        frame_of(w)->pstate = rows[i].in;
        w->v[0].regs.pc = RAM + 3;
        ARM64_ISA.reg_written(&w->v[0], 0);
        CHECK_EQ_U64(frame_of(w)->pstate, rows[i].out);
        CHECK_EQ_U64(w->v[0].regs.pc, RAM);
    }
    world_end(w);
}

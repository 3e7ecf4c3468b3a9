// SPDX-License-Identifier: Apache-2.0
/* Where the riscv64 machine puts images, and which configurations it refuses before anything is allocated. */
#include "hv/base/bits.h"
#include "hv/isa/riscv64/machine.h"
#include "hv/isa/riscv64/state.h"
#include "test/harness/test.h"

#define RAM 0x80000000ull
static uint8_t raw[0x3000], linux_image[0x1000], initrd[0x2001];

static struct machine_config config(void)
{
    store_le64(linux_image + 8, 0x200000);
    store_le64(linux_image + 16, 0x400000);
    store_le32(linux_image + 56, 0x05435352);
    return (struct machine_config){ .memory_size = MIB(64), .vcpu_count = 1, .kernel = { linux_image, sizeof linux_image } };
}
static const char *refusal(const struct machine_config *c)
{
    struct vm_error e = RISCV64_VIRT.check(c);
    return vm_failed(e) ? e.reason : "";
}

TEST(layout_kernel_low_tree_and_initrd_high)
{
    struct machine_config c = config();
    struct rv_layout l;
    c.initrd = (struct blob){ initrd, sizeof initrd };
    CHECK(!vm_failed(rv_layout_make(&c, &l)));
    CHECK_EQ_U64(l.kernel.entry, RAM + MIB(2));
    CHECK_EQ_U64(l.dtb_at, RAM + MIB(62));
    CHECK_EQ_U64(l.initrd_from % 4096, 0);
    CHECK_EQ_U64(l.initrd_end - l.initrd_from, sizeof initrd);
    CHECK(l.initrd_end <= l.boot_info_at && l.boot_info_at + 48 <= l.dtb_at);
    c.memory_size = GIB(8);
    CHECK(!vm_failed(rv_layout_make(&c, &l)));
    CHECK_EQ_U64(l.dtb_at, RAM + GIB(1) - MIB(2));          /* 32 bits reach it */
    c.kernel = (struct blob){ raw, sizeof raw };
    CHECK(!vm_failed(rv_layout_make(&c, &l)));
    CHECK_EQ_U64(l.kernel.entry, RAM + MIB(2));
    CHECK_EQ_U64(l.initrd_end > l.initrd_from, 1);
}

TEST(layout_firmware_at_the_start_of_memory)
{
    struct machine_config c = config();
    struct rv_layout l;
    c.firmware = (struct blob){ raw, sizeof raw };
    CHECK(!vm_failed(rv_layout_make(&c, &l)));
    CHECK_EQ_U64(l.firmware.entry, RAM);
    CHECK_EQ_U64(l.kernel.entry, RAM + MIB(2));
    store_le64(linux_image + 8, 0);                         /* whatever its header says: firmware jumps to a fixed place */
    CHECK(!vm_failed(rv_layout_make(&c, &l)));
    CHECK_EQ_U64(l.kernel.entry, RAM + MIB(2));
    c.kernel.size_bytes = 0;
    CHECK(!vm_failed(rv_layout_make(&c, &l)));
    CHECK(!l.has_kernel && l.has_firmware);
}

TEST(layout_what_cannot_be_is_refused_with_a_reason)
{
    struct machine_config c;
    uint8_t gzip[8] = { 0x1f, 0x8b };
    static char cmdline[5000];
#define EXPECT(change, why) do { c = config(); change; CHECK_STR(refusal(&c), why); } while (0)
    EXPECT((void)0, "");
    EXPECT(c.memory_size = MIB(3), "memory: a riscv64 machine has 4M to 1024G");
    EXPECT(c.memory_size = UINT64_MAX, "memory: a riscv64 machine has 4M to 1024G");
    EXPECT(c.memory_size += 512, "memory: not a whole number of 4 KiB pages");
    EXPECT(c.vcpu_count = 0, "vcpus: a riscv64 machine has 1 to 64");
    EXPECT(c.vcpu_count = 65, "vcpus: a riscv64 machine has 1 to 64");
    EXPECT(c.disk_count = 9, "disk, net: a riscv64 machine has 8 slots");
    EXPECT((memset(cmdline, 'x', 4999), c.cmdline = cmdline), "cmdline: longer than 4095 bytes");
    EXPECT(c.kernel.size_bytes = 0, "");                    /* bare RAM */
    EXPECT(c.kernel = ((struct blob){ gzip, sizeof gzip }), "the image is compressed with gzip: unpack it first");
    EXPECT((c.firmware = c.kernel), "firmware: this is a Linux kernel, which wants S-mode: give it as kernel");
    EXPECT(store_le64(linux_image + 16, MIB(63)), "kernel: does not fit into the guest's memory");
    EXPECT(store_le64(linux_image + 8, GIB(3)), "kernel: does not fit into the guest's memory");
    EXPECT(store_le64(linux_image + 16, MIB(61)), "kernel, firmware and initrd together need more memory");
    EXPECT((c.initrd = (struct blob){ initrd, MIB(61) }), "kernel, firmware and initrd together need more memory");
    EXPECT((c.initrd = (struct blob){ initrd, MIB(63) }), "initrd: does not fit into the guest's memory");
    EXPECT((c.initrd = (struct blob){ initrd, SIZE_MAX }), "initrd: does not fit into the guest's memory");
    EXPECT((c.firmware = (struct blob){ raw, MIB(65) }), "firmware: does not fit into the guest's memory");
    EXPECT((c.firmware = (struct blob){ raw, MIB(2) + 1 }), "kernel and firmware want the same memory");
#undef EXPECT
}

TEST(layout_options_are_words_of_a_table)
{
    static const char *const words[] = { "ad=svade", "sstc=off", "mmu=sv39", "mmu=sv32" };
    struct machine_config c = config();
    struct rv_options o;
    CHECK(!vm_failed(rv_options_parse(&c, &o)));
    CHECK(o.has_svadu && o.has_sstc && o.satp_mode == RV_SV57);
    c.options = words;
    c.option_count = 3;
    CHECK(!vm_failed(rv_options_parse(&c, &o)));
    CHECK(!o.has_svadu && !o.has_sstc && o.satp_mode == RV_SV39);
    c.option_count = 4;
    CHECK_STR(refusal(&c), "unknown machine option; there are ad=svade|svadu, sstc=on|off, mmu=sv39|sv48|sv57");
}

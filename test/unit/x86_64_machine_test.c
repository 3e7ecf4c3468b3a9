// SPDX-License-Identifier: Apache-2.0
/* The whole x86_64 machine, built as a VM builds it, with vCPUs that do not run: its ways in, its tables, and instructions that are
 * carried out for the CPU, as hardware would ask for it. */
#include "test/unit/x86_64_world.h"

/* ---- ways in ---- */
TEST(x86_layouts_are_told_by_the_file)
{
    struct x86_layout l;
    struct machine_config c = config_of();
    make_elf(true);
    CHECK(!vm_failed(x86_layout_make(&c, &l)) && l.entry == X86_ENTRY_PVH && l.start == 0x200010);
    make_elf(false);
    CHECK(vm_failed(x86_layout_make(&c, &l)));              /* neither note nor header */
    store_le32(file + 0x1000, 0x1badb002);
    store_le32(file + 0x1008, (uint32_t)-0x1badb002);
    CHECK(!vm_failed(x86_layout_make(&c, &l)) && l.entry == X86_ENTRY_MULTIBOOT && l.start == 0x200000);
    store_le64(file + 64 + 8, 0x2800);                      /* a segment outside the file */
    CHECK(vm_failed(x86_layout_make(&c, &l)));
    memset(file, 0, sizeof file);
    CHECK(vm_failed(x86_layout_make(&c, &l)));
    store_le32(file + 0x202, 0x53726448);
    store_le16(file + 0x206, 0x20c);
    store_le16(file + 0x236, 1);
    store_le64(file + 0x258, 0x1000000 - 0x10000);
    store_le32(file + 0x260, 0x8000);
    CHECK(!vm_failed(x86_layout_make(&c, &l)) && l.entry == X86_ENTRY_LINUX && l.start == 0xff0200);
    store_le32(file + 0x260, 0x20000);                      /* more than there is */
    CHECK(vm_failed(x86_layout_make(&c, &l)));
    c.kernel = (struct blob){ NULL, 0 };
    CHECK(vm_failed(x86_layout_make(&c, &l)));
    static uint8_t rom[0x10000];
    c.firmware = (struct blob){ rom, sizeof rom };
    CHECK(!vm_failed(x86_layout_make(&c, &l)) && l.entry == X86_ENTRY_FIRMWARE);
    c.firmware.size_bytes--;
    CHECK(vm_failed(x86_layout_make(&c, &l)));
}

TEST(x86_layouts_of_random_files_stay_in_bounds)
{
    struct x86_layout l;
    struct machine_config c = config_of();
    for (unsigned n = 0; n < 20000; n++) {
        make_elf(n & 1);
        for (unsigned k = 0; k < 1 + n % 4; k++) file[test_random() % 0x880] = (uint8_t)test_random();
        c.kernel.size_bytes = n & 2 ? sizeof file : test_random() % sizeof file;
        if (!vm_failed(x86_layout_make(&c, &l))) CHECK(image_fits(&l.kernel, X86_MEGABYTE, MEMORY));
    }
}

static bool adds_up(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    while (n--) sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

TEST(x86_tables_add_up_and_fit)
{
    static uint8_t b[0x10000];
    uint64_t rsdp;
    for (unsigned cpus = 1; cpus <= X86_MAX_CPUS; cpus *= 4) {
        size_t n = x86_make_acpi(b, sizeof b, 0xe0000, cpus, &rsdp);
        CHECK(n && rsdp == 0xe0000 && !memcmp(b, "RSD PTR ", 8) && adds_up(b, 20) && adds_up(b, 36));
        const uint8_t *xsdt = b + (load_le64(b + 24) - 0xe0000);
        CHECK(!memcmp(xsdt, "XSDT", 4) && adds_up(xsdt, load_le32(xsdt + 4)) && load_le32(xsdt + 4) == 36 + 16);
        for (unsigned t = 0; t < 2; t++) {
            const uint8_t *table = b + (load_le64(xsdt + 36 + 8 * t) - 0xe0000);
            CHECK(adds_up(table, load_le32(table + 4)) && table + load_le32(table + 4) <= b + n);
            if (t == 0) CHECK(!memcmp(table, "FACP", 4) && load_le32(table + 4) == 276 && load_le32(table + 112) & 1 << 20);
            if (t == 0) CHECK_EQ_U64(load_le64(table + 120), X86_POWER_BASE + 2);
            if (t == 0) CHECK_EQ_U64(load_le64(table + 248), X86_POWER_BASE);
        }
        CHECK(!x86_make_acpi(b, n - 1, 0xe0000, cpus, &rsdp));
    }
    size_t n = x86_make_mp_table(b, 1024, 0x9fc00, 16);
    CHECK(n && adds_up(b, 16) && adds_up(b + 16, n - 16) && load_le16(b + 20) == n - 16);
}

TEST(x86_boot_cpu_starts_by_pvh_and_the_others_wait)
{
    begin();
    struct x86_frame *f = x86_frame(&w->v[0]);
    CHECK(w->v[0].regs.pc == 0x200010 && x86_code_bits(f) == 32 && f->cr0 == (X86_CR0_PE | X86_CR0_ET));
    uint64_t info = w->v[0].regs.slot[X86_RBX];
    CHECK(at(info, 4) == 0x336ec578 && at(at(info + 24, 8), 5) == 0x6f6c6c6568ull && at(info + 48, 4) == 3);
    CHECK(at(0x40e, 2) == 0x9fc0 && at(0x413, 2) == 639);   /* as a BIOS leaves it */
    CHECK(X86_64_MICROVM.is_started(w->machine, 0) && !X86_64_MICROVM.is_started(w->machine, 1));
    void *lapic = ((struct x86_machine *)w->machine)->lapic;
    lapic_write(lapic, 0, 0x310, 1u << 24);
    lapic_write(lapic, 0, 0x300, 5 << 8 | 1 << 14);
    CHECK(!X86_64_MICROVM.is_started(w->machine, 1));
    lapic_write(lapic, 0, 0x300, 6 << 8 | 0x9a);
    CHECK(X86_64_MICROVM.is_started(w->machine, 1));
    (void)X86_64_ISA.take_irq(&w->v[1]);
    CHECK(w->v[1].regs.pc == 0 && x86_frame(&w->v[1])->segment[X86_CS].base == 0x9a000 && x86_code_bits(x86_frame(&w->v[1])) == 16);
    end();
}

/* ---- instructions ---- */
#define CODE 0x300000u
static struct vm_error error;
/* Runs one instruction at CODE as after a nested page fault; the flat 32-bit segments of PVH. */
static enum exec_status carry_out(const uint8_t *bytes, unsigned n)
{
    struct vcpu *v = &w->v[0];
    const struct hw_exit x = { .kind = HW_EXIT_MEMORY, .how = ACCESS_READ };
    CHECK(!vm_failed(gmem_write_bulk(&w->gmem, guest_phys_addr_make(CODE), bytes, n)));
    v->regs.pc = CODE;
    x86_frame(v)->event = 0;
    return X86_NATIVE.exit(v, &x, &error);
}
#define DO(...) carry_out((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define REG(n) w->v[0].regs.slot[n]
#define FLAGS (x86_frame(&w->v[0])->rflags & X86_ARITHMETIC_FLAGS)

TEST(x86_emulates_moves_alu_and_bits_on_a_device)
{
    begin();
    REG(X86_RDI) = 0xfee00080;                              /* the TPR */
    REG(X86_RAX) = 0x21;
    CHECK(DO(0x89, 0x07) == EXEC_CONTINUE && w->v[0].regs.pc == CODE + 2);
    CHECK(DO(0x8b, 0x0f) == EXEC_CONTINUE && REG(X86_RCX) == 0x21);
    CHECK(DO(0x80, 0x0f, 0x02) == EXEC_CONTINUE && DO(0x0f, 0xb6, 0x17) == EXEC_CONTINUE && REG(X86_RDX) == 0x23);
    CHECK(DO(0x0f, 0xba, 0x2f, 3) == EXEC_CONTINUE && DO(0x8b, 0x0f) == EXEC_CONTINUE && REG(X86_RCX) == 0x2b && !(FLAGS & X86_CF));
    CHECK(DO(0x83, 0x2f, 0x2b) == EXEC_CONTINUE && FLAGS == (X86_ZF | X86_PF_FLAG));
    CHECK(DO(0xf7, 0x07, 0xff, 0, 0, 0) == EXEC_CONTINUE && FLAGS & X86_ZF);
    CHECK(DO(0xff, 0x07) == EXEC_CONTINUE && DO(0xf7, 0x1f) == EXEC_CONTINUE && FLAGS & X86_CF);            /* inc, neg */
    CHECK(DO(0x87, 0x07) == EXEC_CONTINUE && REG(X86_RAX) == 0xff);
    REG(X86_RAX) = 0x21;
    REG(X86_RCX) = 0x44;
    CHECK(DO(0x0f, 0xb1, 0x0f) == EXEC_CONTINUE && FLAGS & X86_ZF && DO(0x8b, 0x07) == EXEC_CONTINUE && REG(X86_RAX) == 0x44);
    CHECK(DO(0xa1, 0x30, 0x00, 0xe0, 0xfe) == EXEC_CONTINUE && (REG(X86_RAX) & 0xff) == 0x14);
    REG(X86_RBX) = 0x1234;
    CHECK(DO(0x88, 0x3f) == EXEC_CONTINUE && DO(0x8b, 0x07) == EXEC_CONTINUE && REG(X86_RAX) == 0x12);      /* bh */
    end();
}

TEST(x86_emulates_carries_and_overflows_as_the_cpu_does)
{
    static const struct { uint8_t modrm; uint32_t a, b; bool carry; uint64_t flags; } row[] = {
        { 0x07, 0xff, 1, false, X86_CF | X86_ZF | X86_AF | X86_PF_FLAG }, { 0x07, 0x7f, 1, false, X86_OF | X86_SF | X86_AF },
        { 0x17, 0xff, 0, true, X86_CF | X86_ZF | X86_AF | X86_PF_FLAG },  { 0x2f, 0, 1, false, X86_CF | X86_SF | X86_AF | X86_PF_FLAG },
        { 0x1f, 0x80, 0, true, X86_OF | X86_AF },                         { 0x3f, 5, 5, false, X86_ZF | X86_PF_FLAG },
        { 0x37, 0xf0, 0x0f, true, X86_SF | X86_PF_FLAG },
    };
    begin();
    REG(X86_RDI) = 0xfee00080;
    for (unsigned n = 0; n < ARRAY_COUNT(row); n++) {
        REG(X86_RAX) = row[n].a;
        CHECK(DO(0x89, 0x07) == EXEC_CONTINUE);
        x86_frame(&w->v[0])->rflags = 2 | (row[n].carry ? X86_CF : 0);
        CHECK(DO(0x80, row[n].modrm, (uint8_t)row[n].b) == EXEC_CONTINUE);
        CHECK_EQ_U64(FLAGS, row[n].flags);
    }
    end();
}

TEST(x86_emulates_strings_and_ports)
{
    begin();
    set(0x400000, 0x6f6c6c6568ull, 8);
    REG(X86_RSI) = 0x400000;
    REG(X86_RDX) = 0x3f8;
    REG(X86_RCX) = 5;
    CHECK(DO(0xf3, 0x6e) == EXEC_CONTINUE && w->out_length == 5 && !memcmp(w->out, "hello", 5) && REG(X86_RCX) == 0 && REG(X86_RSI) == 0x400005);
    REG(X86_RSI) = 0xfee00030;
    REG(X86_RDI) = 0x500000;
    CHECK(DO(0xa5) == EXEC_CONTINUE && at(0x500000, 4) == LAPIC_VERSION && REG(X86_RDI) == 0x500004);
    REG(X86_RDI) = 0xfd000000;                              /* nobody: lost, and it comes back for the rest */
    REG(X86_RCX) = 1000;
    CHECK(DO(0xf3, 0xaa) == EXEC_CONTINUE && w->v[0].regs.pc == CODE && REG(X86_RCX) == 488);
    REG(X86_RDI) = 0xfd000000;
    CHECK(DO(0x8b, 0x07) == EXEC_CONTINUE && REG(X86_RAX) == 0xffffffff);
    CHECK(DO(0x0f, 0x58, 0x07) == EXEC_FAILED);             /* addps: not carried out */
    CHECK(DO(0x90) == EXEC_FAILED);
    end();
}

TEST(x86_power_by_memory_and_port)
{
    begin();
    REG(X86_RDI) = X86_POWER_BASE;
    REG(X86_RAX) = 5 << 2 | 1 << 5;
    CHECK(DO(0x88, 0x07) == EXEC_CONTINUE && w->powered == 1 + POWER_OFF);
    REG(X86_RDI) = X86_POWER_BASE + 2;
    REG(X86_RAX) = 0x42;
    CHECK(DO(0x88, 0x07) == EXEC_CONTINUE && w->powered == 1 + POWER_REBOOT);
    w->powered = 0;
    set(0x400000, 0x80000600, 4);                           /* OUTSD, INSD: a look for a PCI bus, which resets nothing and finds none */
    REG(X86_RSI) = 0x400000;
    REG(X86_RDI) = 0x500000;
    REG(X86_RDX) = 0xcf8;
    CHECK(DO(0x6f) == EXEC_CONTINUE && !w->powered);
    CHECK(DO(0x6d) == EXEC_CONTINUE && at(0x500000, 4) == 0xffffffff);
    set(0x400004, 6, 1);
    REG(X86_RDX) = 0xcf9;
    CHECK(DO(0x6e) == EXEC_CONTINUE && w->powered == 1 + POWER_REBOOT);
    end();
}

/* ---- page tables ---- */
static uint64_t gpa;
static uint32_t code;
static bool look(uint64_t linear, enum access_type how, bool is_user, enum x86_look how_close)
{
    return x86_translate(x86_frame(&w->v[0]), &w->gmem, linear, how, is_user, how_close, &gpa, &code);
}

TEST(x86_walk_of_four_levels)
{
    begin();
    struct x86_frame *f = x86_frame(&w->v[0]);
    f->efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    f->cr0 |= X86_CR0_PG | X86_CR0_WP;
    f->cr4 = X86_CR4_PAE;
    f->cr3 = 0x600000;
    set(0x600000, 0x601007, 8);
    set(0x601000, 0x602007, 8);
    set(0x602000, 0x603007, 8);
    set(0x602008, 0x800000 | 0x87 | 1ull << 63, 8);         /* 2 MiB, no execution */
    set(0x603008, 0x705005, 8);                             /* read-only */
    CHECK(look(0x1234, ACCESS_READ, true, X86_LOOK_ACCESS) && gpa == 0x705234 && at(0x603008, 8) == 0x705025);
    CHECK(!look(0x1234, ACCESS_WRITE, true, X86_LOOK_ACCESS) && code == 7);
    CHECK(!look(0x1234, ACCESS_WRITE, false, X86_LOOK_ACCESS) && code == 3);
    f->cr0 &= ~(uint64_t)X86_CR0_WP;
    CHECK(look(0x1234, ACCESS_WRITE, false, X86_LOOK_RIGHTS) && at(0x603008, 8) == 0x705025);
    CHECK(look(0x2abcde, ACCESS_WRITE, false, X86_LOOK_ACCESS) && gpa == 0x8abcde && at(0x602008, 1) == 0xe7);
    CHECK(!look(0x200000, ACCESS_EXECUTE, false, X86_LOOK_ACCESS) && code == 0x11);
    CHECK(!look(0x2000, ACCESS_READ, false, X86_LOOK_ACCESS) && code == 0);
    f->cr4 |= X86_CR4_SMAP | X86_CR4_SMEP;
    CHECK(!look(0x1000, ACCESS_READ, false, X86_LOOK_ACCESS) && !look(0x1000, ACCESS_EXECUTE, false, X86_LOOK_ACCESS));
    f->rflags |= X86_AC_FLAG;
    CHECK(look(0x1000, ACCESS_READ, false, X86_LOOK_ACCESS) && look(0x200000, ACCESS_EXECUTE, false, X86_LOOK_ANYWAY));
    set(0x600000, 0xf0000007, 8);                           /* a table where there is no memory */
    CHECK(!look(0x1000, ACCESS_READ, false, X86_LOOK_ANYWAY));
    end();
}

TEST(x86_walk_of_32_bits_and_pae)
{
    begin();
    struct x86_frame *f = x86_frame(&w->v[0]);
    CHECK(look(0x12345678, ACCESS_READ, false, X86_LOOK_ACCESS) && gpa == 0x12345678);      /* none */
    f->cr0 |= X86_CR0_PG;
    f->cr3 = 0x600000;
    f->cr4 = X86_CR4_PSE;
    set(0x600000, 0x601007, 4);
    set(0x600004, 0x00c00087 | 2 << 13, 4);                 /* 4 MiB above 4 GiB: PSE-36 */
    set(0x601004, 0x705007, 4);
    CHECK(look(0x1abc, ACCESS_WRITE, true, X86_LOOK_ACCESS) && gpa == 0x705abc && at(0x601004, 4) == 0x705067);
    CHECK(look(0x400123, ACCESS_READ, true, X86_LOOK_ACCESS) && gpa == 0x200c00123ull);
    f->cr4 = X86_CR4_PAE;
    f->cr3 = 0x610000;
    set(0x610008, 0x611001, 8);
    set(0x611000, 0x612007, 8);
    set(0x612008, 0x706007, 8);
    x86_load_pdptes(&w->v[0]);
    CHECK(look(0x40001def, ACCESS_READ, true, X86_LOOK_ACCESS) && gpa == 0x706def);
    CHECK(!look(0x1def, ACCESS_READ, true, X86_LOOK_ACCESS));
    end();
}

/* Tables and code change without a word; what was remembered of them does not outlive that. */
TEST(x86_memos_of_walks_and_code_end_with_what_they_are_of)
{
    begin();
    struct vcpu *v = &w->v[0];
    struct x86_frame *f = x86_frame(v);
    const struct hw_exit x = { .kind = HW_EXIT_MEMORY, .how = ACCESS_READ };
    f->efer = X86_EFER_LME | X86_EFER_LMA;
    f->cr0 |= X86_CR0_PG;
    f->cr4 = X86_CR4_PAE;
    f->cr3 = 0x600000;
    f->segment[X86_CS].rights |= X86_RIGHTS_L;
    set(0x600000, 0x601003, 8);
    set(0x601000, 0x602003, 8);
    set(0x602000, 0x603003, 8);
    set(0x603008, 0x705003, 8);                             /* 1000H: code */
    set(0x603010, 0xfee00003, 8);                           /* 2000H: the local APIC, later a virtio slot */
    set(0x705000, 0x90078b, 8);                             /* mov (%rdi), %eax */
    for (unsigned round = 0; round < 2; round++) {
        v->regs.pc = 0x1000;
        REG(X86_RDI) = 0x2030;
        CHECK(X86_NATIVE.exit(v, &x, &error) == EXEC_CONTINUE && v->regs.pc == 0x1002 && REG(X86_RAX) == LAPIC_VERSION);
        CHECK(x86_state(v)->walk[X86_WALK_FETCH].count == 4 && x86_state(v)->walk[X86_WALK_READ].count == 4);
    }
    CHECK(at(0x603010, 8) == 0xfee00023);
    set(0x603010, 0xfeb00003, 8);
    REG(X86_RDI) = 0x2000;
    v->regs.pc = 0x1000;
    CHECK(X86_NATIVE.exit(v, &x, &error) == EXEC_CONTINUE && REG(X86_RAX) == 0x74726976 && at(0x603010, 8) == 0xfeb00023);
    set(0x705000, 0x04478b, 8);                             /* mov 4(%rdi), %eax */
    v->regs.pc = 0x1000;
    CHECK(X86_NATIVE.exit(v, &x, &error) == EXEC_CONTINUE && v->regs.pc == 0x1003 && REG(X86_RAX) == 2);
    set(0x706000, 0x90178b, 8);                             /* another page of code: mov (%rdi), %edx */
    set(0x603008, 0x706003, 8);
    v->regs.pc = 0x1000;
    CHECK(X86_NATIVE.exit(v, &x, &error) == EXEC_CONTINUE && v->regs.pc == 0x1002 && REG(X86_RDX) == 0x74726976);
    set(0x603010, 0, 8);
    v->regs.pc = 0x1000;
    CHECK(X86_NATIVE.exit(v, &x, &error) == EXEC_CONTINUE && v->regs.pc == 0x1000 && f->cr2 == 0x2000);
    CHECK((f->event & 0xff) == X86_PF && f->event & X86_EVENT_VALID);
    end();
}

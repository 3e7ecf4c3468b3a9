// SPDX-License-Identifier: Apache-2.0
/* The interrupt distributor as GICv2 (IHI 0048) and GICv3 (IHI 0069) tell it, up to what list registers hold: drivers/virt/gic.h. */
#include "test/unit/gic_rig.h"

#define PENDING ARM64_LR_PENDING
#define ACTIVE  ARM64_LR_ACTIVE
#define STATE   (PENDING | ACTIVE)

static void start(unsigned version) { rig_start(version, 4, 4); }
#define BOTH for (unsigned version = 2; version <= 3; version++)

/* ---- what it is ---- */
TEST(gic_identifies_itself)
{
    start(2);
    CHECK_EQ_U64(rig_get(0, GICD_TYPER), 3 | 3 << 5);                   /* 128 INTIDs, four CPUs */
    CHECK_EQ_U64(rig_get(0, GICD_IIDR), 0x43b);
    CHECK_EQ_U64(rig_get(0, 0xfe8) >> 4 & 15, 2);
    rig_end();
    start(3);
    CHECK_EQ_U64(rig_get(0, GICD_TYPER) & 31, 3);
    CHECK_EQ_U64(rig_get(0, GICD_TYPER) >> 19 & 31, 9);                 /* 10 bits of INTID */
    CHECK_EQ_U64(rig_get(0, 0xffe8) >> 4 & 15, 3);
    CHECK_EQ_U64(rig_get(0, GICD_CTLR), 0x50);                          /* affinity routing, one security state: not to be changed */
    rig_put(0, GICD_CTLR, 0xffffffff);
    CHECK_EQ_U64(rig_get(0, GICD_CTLR), 0x53);
    rig_end();
}

TEST(gic_shapes_that_cannot_be_are_refused)
{
    static const struct { unsigned version, cpus; } bad[] = { { 1, 1 }, { 4, 1 }, { 2, 0 }, { 3, 0 }, { 2, 9 }, { 3, 65 } };
    struct gic *g;
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        const struct gic_config c = { bad[i].version, bad[i].cpus, &rig, rig_notify, rig_accessor, rig_mpidr };
        CHECK_EQ_U64(gic_create(&c, &g).kind, VM_DEVICE_CONFIG);
    }
}

TEST(gic_redistributors_say_whose_they_are)
{
    rig_start(3, 6, 4);
    for (unsigned cpu = 0; cpu < 6; cpu++) {
        uint64_t at = (uint64_t)GICR_BYTES * cpu, type = chip_read(&rig.r, at + 8, 8);
        CHECK_EQ_U64(type >> 32, rig_mpidr(cpu));
        CHECK_EQ_U64(type >> 8 & 0xffff, cpu);
        CHECK_EQ_U64(type >> 4 & 1, cpu == 5);                          /* the last one */
        CHECK_EQ_U64((uint32_t)chip_read(&rig.r, at + 8, 4), (uint32_t)type);
        CHECK_EQ_U64(chip_read(&rig.r, at + 12, 4), rig_mpidr(cpu));
        CHECK_EQ_U64(chip_read(&rig.r, at + 4, 4), 0x43b);
        CHECK_EQ_U64(chip_read(&rig.r, at + 0xffe8, 4) >> 4 & 15, 3);
        CHECK_EQ_U64(chip_read(&rig.r, at + 0x14, 4), 6);               /* GICR_WAKER: asleep */
        chip_write(&rig.r, at + 0x14, 4, 0);
        CHECK_EQ_U64(chip_read(&rig.r, at + 0x14, 4), 0);
    }
    rig_end();
}

/* ---- registers ---- */
TEST(gic_set_and_clear_registers_are_two_doors_to_one_bit)
{
    static const struct { uint64_t set, clear; } pairs[] = { { GIC_ENABLE, GIC_DISABLE }, { GIC_SETPEND, GIC_CLRPEND }, { GIC_SETACTIVE, GIC_CLRACTIVE } };
    BOTH {
        start(version);
        for (unsigned p = 0; p < ARRAY_COUNT(pairs); p++) {
            for (uint32_t i = 16; i < GIC_IRQS; i++) {
                uint32_t next = i + 1 < GIC_IRQS ? i + 1 : 16;
                rig_put_bit(1, pairs[p].set, i);
                CHECK(rig_get_bit(1, pairs[p].set, i) && rig_get_bit(1, pairs[p].clear, i) && !rig_get_bit(1, pairs[p].set, next));
                CHECK_EQ_U64(rig_get_bit(2, pairs[p].set, i), i >= GIC_PRIVATE);        /* private ones are each vCPU's own */
                rig_put_bit(1, pairs[p].clear, i);
                CHECK(!rig_get_bit(1, pairs[p].set, i) && !rig_get_bit(1, pairs[p].clear, i));
            }
        }
        rig_end();
    }
}

TEST(gic_priorities_are_bytes_with_five_bits)
{
    BOTH {
        start(version);
        for (uint32_t i = 0; i < GIC_IRQS; i++) {
            uint64_t at = GIC_PRIORITY + i;
            struct mmio_region *r = rig_place(1, i, &at);
            chip_write(r, at, 1, 0xff);
            CHECK_EQ_U64(chip_read(r, at, 1), 0xf8);
            chip_write(r, at & ~3ull, 4, 0x08101820);
            CHECK_EQ_U64(chip_read(r, at & ~7ull, 8) >> (at & 4) * 8 & 0xffffffff, 0x08101820);
            chip_write(r, at & ~1ull, 2, 0x3040);
            CHECK_EQ_U64(chip_read(r, at, 1), at & 1 ? 0x30 : 0x40);
        }
        rig_end();
    }
}

TEST(gic_v3_private_registers_are_not_in_the_distributor)
{
    static const uint64_t at[] = { GIC_GROUP, GIC_ENABLE, GIC_SETPEND, GIC_SETACTIVE, GIC_PRIORITY, GIC_PRIORITY + 28, GIC_CONFIG, GIC_CONFIG + 4 };
    start(3);
    for (unsigned i = 0; i < ARRAY_COUNT(at); i++) {
        rig_put(0, at[i], 0xffffffff);
        CHECK_EQ_U64(rig_get(0, at[i]), 0);
        if (at[i] != GIC_CONFIG) CHECK_EQ_U64(chip_read(&rig.r, GICR_SGI + at[i], 4), 0);
    }
    CHECK_EQ_U64(chip_read(&rig.r, GICR_SGI + GIC_CONFIG, 4), 0xaaaaaaaa);              /* SGIs are edges */
    chip_write(&rig.r, GICR_SGI + GIC_CONFIG, 4, 0);
    CHECK_EQ_U64(chip_read(&rig.r, GICR_SGI + GIC_CONFIG, 4), 0xaaaaaaaa);
    for (uint64_t bank = GIC_GROUP; bank < GIC_PRIORITY; bank += 0x80) {                /* SPIs are not in the redistributors */
        chip_write(&rig.r, GICR_SGI + bank + 4, 4, 0xffffffff);
        CHECK(chip_read(&rig.r, GICR_SGI + bank + 4, 4) == 0 && rig_get(0, bank + 4) == 0);
    }
    rig_end();
}

TEST(gic_v2_software_interrupts_are_always_enabled_and_pend_by_source_alone)
{
    start(2);
    CHECK_EQ_U64(rig_get(0, GIC_ENABLE) & 0xffff, 0xffff);
    rig_put(0, GIC_DISABLE, 0xffff);
    rig_put(0, GIC_SETPEND, 0xffff);
    CHECK(rig_get(0, GIC_ENABLE) == 0xffff && rig_get(0, GIC_SETPEND) == 0);
    rig_put(0, GIC_GROUP, 0xffffffff);                                  /* without the Security Extensions here */
    CHECK_EQ_U64(rig_get(0, GIC_GROUP), 0);
    rig_end();
}

TEST(gic_v2_targets_of_private_interrupts_are_oneself)
{
    start(2);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        CHECK_EQ_U64(rig_get(cpu, GIC_TARGETS), 0x01010101u << cpu);    /* how Linux learns its own number */
        rig_put(cpu, GIC_TARGETS, 0xffffffff);
        CHECK_EQ_U64(rig_get(cpu, GIC_TARGETS), 0x01010101u << cpu);
    }
    rig_put(0, GIC_TARGETS + 32, 0xffffffff);
    CHECK_EQ_U64(rig_get(0, GIC_TARGETS + 32), 0x0f0f0f0f);             /* four there are */
    rig_end();
    start(3);
    rig_put(0, GIC_TARGETS + 32, 0xffffffff);
    CHECK_EQ_U64(rig_get(0, GIC_TARGETS + 32), 0);
    rig_end();
}

TEST(gic_v3_routes_are_written_whole_or_in_halves)
{
    start(3);
    chip_write(&rig.d, GICD_ROUTER + 8 * 40, 8, 0x8000000201);
    CHECK_EQ_U64(chip_read(&rig.d, GICD_ROUTER + 8 * 40, 8), 0x8000000201);
    chip_write(&rig.d, GICD_ROUTER + 8 * 40 + 4, 4, 0);
    chip_write(&rig.d, GICD_ROUTER + 8 * 40, 4, 3);
    CHECK(chip_read(&rig.d, GICD_ROUTER + 8 * 40, 8) == 3 && chip_read(&rig.d, GICD_ROUTER + 8 * 40 + 4, 4) == 0);
    chip_write(&rig.d, GICD_ROUTER + 8 * 40, 1, 0xff);                  /* smaller ones are not to be */
    chip_write(&rig.d, GICD_ROUTER + 8 * 40 + 6, 2, 0xff);
    CHECK(chip_read(&rig.d, GICD_ROUTER + 8 * 40, 8) == 3 && chip_read(&rig.d, GICD_ROUTER + 8 * 40, 2) == 0);
    rig_end();
}

TEST(gic_what_is_beyond_its_interrupts_reads_0)
{
    BOTH {
        start(version);
        for (uint64_t bank = GIC_GROUP; bank < GIC_PRIORITY; bank += 0x80) {
            rig_put(0, bank + GIC_IRQS / 8, 0xffffffff);
            CHECK_EQ_U64(rig_get(0, bank + GIC_IRQS / 8), 0);
        }
        static const uint64_t none[] = { GIC_PRIORITY + GIC_IRQS, GIC_TARGETS + GIC_IRQS, GIC_CONFIG + GIC_IRQS / 4, 0x00c, 0x040, 0xd00, 0xe00, 0xf30, 0xffc };
        for (unsigned i = 0; i < ARRAY_COUNT(none); i++) {
            rig_put(0, none[i], 0xffffffff);
            CHECK_EQ_U64(rig_get(0, none[i]), 0);
        }
        CHECK_EQ_U64(chip_read(&rig.d, GICD_CTLR, 1), 0);               /* words are words */
        chip_write(&rig.d, GIC_ENABLE + 4, 2, 0xffff);
        CHECK_EQ_U64(rig_get(0, GIC_ENABLE + 4), 0);
        gic_set_spi(rig.g, 31, true);
        gic_set_spi(rig.g, GIC_IRQS, true);
        gic_set_spi(rig.g, UINT32_MAX, true);
        CHECK(!gic_is_pending(rig.g, 0));
        rig_end();
    }
}

/* ---- from the wire to the vCPU and back ---- */
TEST(gic_serves_a_level_from_wire_to_end)
{
    BOTH {
        start(version);
        rig_open(0, 40);
        rig_priority(0, 40, 0xa0);
        rig_line(40, true);
        CHECK(gic_is_pending(rig.g, 0) && !gic_is_pending(rig.g, 1) && rig.cpu[0].calls == 1 && rig_get_bit(0, GIC_SETPEND, 40));
        rig_enter(0);
        CHECK(rig.cpu[0].count == 1 && !rig.cpu[0].wants_room && !gic_is_pending(rig.g, 0));
        CHECK_EQ_U64(*rig_lr(0, 40), 40 | 0xa0ull << ARM64_LR_PRIORITY | PENDING | ARM64_LR_EOI);
        CHECK_EQ_U64(rig_ack(0), 40);
        rig_leave(0);
        CHECK(rig_get_bit(0, GIC_SETACTIVE, 40) && !gic_is_pending(rig.g, 0));
        rig_line(40, false);
        rig_enter(0);
        CHECK_EQ_U64(*rig_lr(0, 40) & STATE, ACTIVE);
        rig_eoi(0, 40);
        CHECK(rig.cpu[0].is_called);
        rig_leave(0);
        rig_enter(0);
        CHECK(rig.cpu[0].count == 0 && !gic_is_pending(rig.g, 0));
        rig_end();
    }
}

TEST(gic_level_that_is_still_high_at_its_end_comes_again)
{
    BOTH {
        start(version);
        rig_open(0, 40);
        rig_line(40, true);
        for (unsigned i = 0; i < 3; i++) {
            rig_enter(0);
            CHECK_EQ_U64(rig_ack(0), 40);
            rig_eoi(0, 40);
            CHECK(rig.cpu[0].is_called);
            rig_leave(0);
        }
        CHECK(gic_is_pending(rig.g, 0));
        rig_line(40, false);
        CHECK(!gic_is_pending(rig.g, 0));
        rig_end();
    }
}

TEST(gic_level_that_was_written_pending_comes_once)
{
    BOTH {
        start(version);
        rig_open(0, 40);
        rig_put_bit(0, GIC_SETPEND, 40);
        rig_enter(0);
        CHECK_EQ_U64(rig_ack(0), 40);
        rig_eoi(0, 40);                                                 /* taken and done without coming out in between */
        rig_leave(0);
        rig_enter(0);
        CHECK_EQ_U64(rig_ack(0), 1023);
        rig_leave(0);
        rig_put_bit(0, GIC_SETPEND, 40);
        rig_enter(0);
        rig_leave(0);                                                   /* not taken: it stays */
        CHECK(rig_get_bit(0, GIC_SETPEND, 40) && gic_is_pending(rig.g, 0));
        rig_put_bit(0, GIC_CLRPEND, 40);
        CHECK(!gic_is_pending(rig.g, 0));
        rig_end();
    }
}

TEST(gic_clearing_a_levels_pending_bit_leaves_its_wire)
{
    start(3);
    rig_open(0, 40);
    rig_line(40, true);
    rig_put_bit(0, GIC_CLRPEND, 40);
    CHECK(gic_is_pending(rig.g, 0) && rig_get_bit(0, GIC_SETPEND, 40));
    rig_end();
}

TEST(gic_edge_comes_once_however_long_the_wire_is_high)
{
    BOTH {
        start(version);
        rig_open(0, 48);
        rig_edge(48, true);
        rig_line(48, true);
        rig_line(48, true);
        rig_line(48, false);
        CHECK(gic_is_pending(rig.g, 0));
        rig_line(48, true);
        rig_enter(0);
        CHECK(!(*rig_lr(0, 48) & ARM64_LR_EOI));
        CHECK_EQ_U64(rig_ack(0), 48);
        rig_eoi(0, 48);
        CHECK(!rig.cpu[0].is_called);
        rig_leave(0);
        CHECK(!gic_is_pending(rig.g, 0) && !rig_get_bit(0, GIC_SETPEND, 48));
        rig_end();
    }
}

TEST(gic_edge_that_comes_while_the_last_is_handled_calls_the_vcpu_out)
{
    BOTH {
        start(version);
        rig_open(0, 48);
        rig_edge(48, true);
        rig_line(48, true);
        rig_line(48, false);
        rig_enter(0);
        CHECK_EQ_U64(rig_ack(0), 48);
        rig_line(48, true);
        CHECK(rig.cpu[0].is_called);                                    /* or it would not see it before it leaves by itself */
        rig_leave(0);
        CHECK(!gic_is_pending(rig.g, 0));                               /* nothing to wake up for: the last one is not done */
        rig_enter(0);
        CHECK_EQ_U64(*rig_lr(0, 48) & STATE, STATE);
        rig_eoi(0, 48);
        CHECK_EQ_U64(rig_ack(0), 48);
        rig_eoi(0, 48);
        rig_leave(0);
        CHECK(!gic_is_pending(rig.g, 0) && !rig_get_bit(0, GIC_SETPEND, 48));
        rig_end();
    }
}

TEST(gic_edges_that_come_while_one_waits_in_a_list_register_are_one)
{
    start(3);
    rig_open(0, 48);
    rig_edge(48, true);
    for (unsigned i = 0; i < 3; i++) rig_line(48, true), rig_line(48, false);
    rig_enter(0);
    for (unsigned i = 0; i < 3; i++) rig_line(48, true), rig_line(48, false);
    rig_leave(0);
    rig_enter(0);
    CHECK_EQ_U64(rig_ack(0), 48);
    rig_eoi(0, 48);
    rig_leave(0);
    CHECK(!gic_is_pending(rig.g, 0));
    rig_end();
}

TEST(gic_active_interrupt_keeps_a_sleeping_vcpu_asleep)
{
    start(3);
    rig_open(0, 40);
    rig_open(0, 41);
    rig_line(40, true);
    rig_enter(0);
    CHECK_EQ_U64(rig_ack(0), 40);
    rig_leave(0);
    CHECK(!gic_is_pending(rig.g, 0));
    unsigned calls = rig.cpu[0].calls;
    rig_line(41, true);
    CHECK(gic_is_pending(rig.g, 0) && rig.cpu[0].calls == calls + 1);
    rig_line(41, false);
    rig_put_bit(1, GIC_CLRACTIVE, 40);                                  /* another vCPU ends it: the wire is high still */
    CHECK(gic_is_pending(rig.g, 0) && rig.cpu[0].calls == calls + 2);
    rig_end();
}

TEST(gic_private_lines_are_each_vcpus_own)
{
    BOTH {
        start(version);
        rig_put(0, GICD_CTLR, 3);
        for (unsigned cpu = 0; cpu < 4; cpu++) rig_put_bit(cpu, GIC_ENABLE, 27);
        gic_set_ppi(rig.g, 2, 27, true);
        for (unsigned cpu = 0; cpu < 4; cpu++) CHECK_EQ_U64(gic_is_pending(rig.g, cpu), cpu == 2);
        rig_enter(2);
        CHECK_EQ_U64(rig_ack(2), 27);
        gic_set_ppi(rig.g, 2, 27, false);
        rig_eoi(2, 27);
        CHECK(rig.cpu[2].is_called);
        rig_leave(2);
        CHECK(!gic_is_pending(rig.g, 2));
        rig_end();
    }
}

/* ---- enables ---- */
TEST(gic_nothing_comes_before_it_is_enabled_at_both_doors)
{
    BOTH {
        start(version);
        rig_line(40, true);
        CHECK(!gic_is_pending(rig.g, 0) && rig_get_bit(0, GIC_SETPEND, 40));
        rig_put_bit(0, GIC_ENABLE, 40);
        CHECK(!gic_is_pending(rig.g, 0));
        rig_put(0, GICD_CTLR, 1);
        CHECK(gic_is_pending(rig.g, 0) && rig.cpu[0].calls == 1);
        rig_put_bit(0, GIC_DISABLE, 40);
        CHECK(!gic_is_pending(rig.g, 0));
        rig_put_bit(0, GIC_ENABLE, 40);
        rig_put(0, GICD_CTLR, 0);
        CHECK(!gic_is_pending(rig.g, 0));
        rig_enter(0);
        CHECK_EQ_U64(rig.cpu[0].count, 0);
        rig_end();
    }
}

TEST(gic_v3_groups_have_an_enable_each)
{
    start(3);
    rig_put_bit(0, GIC_ENABLE, 40);
    rig_put_bit(0, GIC_ENABLE, 41);
    rig_group(0, 41, true);
    rig_line(40, true);
    rig_line(41, true);
    rig_put(0, GICD_CTLR, 2);
    rig_enter(0);
    CHECK(rig.cpu[0].count == 1 && rig_lr(0, 41) && *rig_lr(0, 41) & ARM64_LR_GROUP1);
    rig_leave(0);
    rig_put(0, GICD_CTLR, 1);
    rig_enter(0);
    CHECK(rig.cpu[0].count == 1 && rig_lr(0, 40) && !(*rig_lr(0, 40) & ARM64_LR_GROUP1));
    rig_leave(0);
    rig_group(0, 41, false);
    rig_enter(0);
    CHECK_EQ_U64(rig.cpu[0].count, 2);
    rig_end();
}

TEST(gic_interrupt_that_is_disabled_where_it_is_loaded_is_fetched_back)
{
    BOTH {
        start(version);
        rig_open(0, 40);
        rig_line(40, true);
        rig_enter(0);
        rig_put_bit(1, GIC_DISABLE, 40);
        CHECK(rig.cpu[0].is_called);
        rig_leave(0);
        rig_enter(0);
        CHECK_EQ_U64(rig.cpu[0].count, 0);
        rig_leave(0);
        rig_put_bit(1, GIC_ENABLE, 40);
        CHECK(gic_is_pending(rig.g, 0));
        rig_enter(0);
        CHECK_EQ_U64(rig_ack(0), 40);
        rig_leave(0);
        rig_put_bit(1, GIC_DISABLE, 40);                                /* active: its end must be possible all the same */
        rig_enter(0);
        CHECK_EQ_U64(*rig_lr(0, 40) & STATE, ACTIVE);
        rig_end();
    }
}

TEST(gic_pending_and_active_bits_of_what_is_loaded_are_fetched_from_its_vcpu)
{
    start(3);
    rig_open(0, 48);
    rig_edge(48, true);
    rig_line(48, true);
    rig_enter(0);
    CHECK_EQ_U64(rig_ack(0), 48);
    rig_leave(0);
    rig_enter(0);
    rig_eoi(0, 48);
    CHECK(!rig.cpu[0].is_called);
    CHECK(rig_get_bit(1, GIC_SETACTIVE, 48) && rig.cpu[0].is_called);   /* not known better yet, but asked for */
    rig_leave(0);
    CHECK(!rig_get_bit(1, GIC_SETACTIVE, 48));
    rig_line(48, false);
    rig_line(48, true);
    rig_enter(0);
    rig_put_bit(1, GIC_CLRPEND, 48);
    CHECK(rig.cpu[0].is_called);
    rig_leave(0);
    CHECK(!rig_get_bit(1, GIC_SETPEND, 48) && !gic_is_pending(rig.g, 0));
    rig_line(48, false);
    rig_line(48, true);
    rig_enter(0);
    CHECK_EQ_U64(rig_ack(0), 48);
    rig_put_bit(1, GIC_CLRACTIVE, 48);
    CHECK(rig.cpu[0].is_called);
    rig_leave(0);
    CHECK(!rig_get_bit(1, GIC_SETACTIVE, 48));
    rig_enter(0);
    CHECK_EQ_U64(rig.cpu[0].count, 0);
    rig_end();
}

/* ---- where SPIs go ---- */
TEST(gic_spi_follows_its_route)
{
    BOTH {
        start(version);
        rig_open(0, 40);
        rig_line(40, true);
        CHECK(gic_is_pending(rig.g, 0));
        for (unsigned cpu = 1; cpu < 4; cpu++) {
            rig_route(40, cpu);
            for (unsigned i = 0; i < 4; i++) CHECK_EQ_U64(gic_is_pending(rig.g, i), i == cpu);
            CHECK(rig.cpu[cpu].calls == 1);
        }
        rig_end();
    }
}

TEST(gic_v2_spi_with_several_targets_goes_to_one_and_with_none_to_nobody)
{
    start(2);
    rig_open(0, 40);
    rig_line(40, true);
    chip_write(&rig.d, GIC_TARGETS + 40, 1, 0x0c);
    CHECK(!gic_is_pending(rig.g, 0) && !gic_is_pending(rig.g, 1) && gic_is_pending(rig.g, 2) != gic_is_pending(rig.g, 3));
    chip_write(&rig.d, GIC_TARGETS + 40, 1, 0);
    for (unsigned i = 0; i < 4; i++) CHECK(!gic_is_pending(rig.g, i));
    CHECK(rig_get_bit(0, GIC_SETPEND, 40));
    chip_write(&rig.d, GIC_TARGETS + 40, 1, 2);
    CHECK(gic_is_pending(rig.g, 1));
    rig_end();
}

TEST(gic_v3_route_to_any_goes_to_one_and_to_a_stranger_to_nobody)
{
    unsigned waiting = 0;
    start(3);
    rig_open(0, 40);
    rig_line(40, true);
    chip_write(&rig.d, GICD_ROUTER + 8 * 40, 8, 1ull << 31 | 0x77);
    for (unsigned i = 0; i < 4; i++) waiting += gic_is_pending(rig.g, i);
    CHECK_EQ_U64(waiting, 1);
    chip_write(&rig.d, GICD_ROUTER + 8 * 40, 8, 0x77);
    for (unsigned i = 0; i < 4; i++) CHECK(!gic_is_pending(rig.g, i));
    chip_write(&rig.d, GICD_ROUTER + 8 * 40, 8, 1ull << 32 | 1);        /* Aff3 counts too */
    for (unsigned i = 0; i < 4; i++) CHECK(!gic_is_pending(rig.g, i));
    chip_write(&rig.d, GICD_ROUTER + 8 * 40, 8, 1);
    CHECK(gic_is_pending(rig.g, 1));
    rig_end();
}

TEST(gic_spi_that_moves_while_it_waits_in_a_list_register_moves)
{
    BOTH {
        start(version);
        rig_open(0, 40);
        rig_line(40, true);
        rig_enter(0);
        rig_route(40, 1);
        CHECK(rig.cpu[0].is_called && !gic_is_pending(rig.g, 1));
        rig_leave(0);
        CHECK(gic_is_pending(rig.g, 1) && rig.cpu[1].is_called && !gic_is_pending(rig.g, 0));
        rig_end();
    }
}

TEST(gic_spi_that_is_active_stays_until_it_is_done)
{
    BOTH {
        start(version);
        rig_open(0, 40);
        rig_line(40, true);
        rig_enter(0);
        CHECK_EQ_U64(rig_ack(0), 40);
        rig_route(40, 1);
        rig_leave(0);
        CHECK(!gic_is_pending(rig.g, 1));
        rig_enter(1);
        CHECK_EQ_U64(rig.cpu[1].count, 0);
        rig_enter(0);
        CHECK_EQ_U64(*rig_lr(0, 40) & STATE, ACTIVE);
        rig_eoi(0, 40);
        rig_leave(0);
        CHECK(rig.cpu[1].is_called && gic_is_pending(rig.g, 1));
        rig_leave(1);
        rig_enter(1);
        CHECK_EQ_U64(rig_ack(1), 40);
        rig_end();
    }
}

/* ---- order and room ---- */
TEST(gic_fills_list_registers_by_priority_and_wants_room_for_the_rest)
{
    BOTH {
        start(version);
        for (uint32_t i = 0; i < 10; i++) {
            rig_open(0, 50 + i);
            rig_priority(0, 50 + i, (uint8_t)(8 * (10 - i)));
            rig_line(50 + i, true);
        }
        for (uint32_t n = 0; n < 10;) {
            rig_enter(0);
            CHECK_EQ_U64(rig.cpu[0].count, 10 - n < 4 ? 10 - n : 4);
            CHECK_EQ_U64(rig.cpu[0].wants_room, 10 - n > 4);
            while (rig_best(0)) {
                CHECK_EQ_U64(rig_ack(0), 59 - n);
                rig_line(59 - n, false);
                rig_eoi(0, 59 - n);
                n++;
            }
            CHECK(rig.cpu[0].is_called);
            rig_leave(0);
        }
        CHECK(!gic_is_pending(rig.g, 0));
        rig_end();
    }
}

/* Eight that nest: the pending one that interrupts them all comes in, and their ends, the highest first, find them there. */
TEST(gic_interrupts_nest_deeper_than_there_are_list_registers)
{
    BOTH {
        start(version);
        for (uint32_t i = 0; i < 8; i++) {
            rig_open(0, 50 + i);
            rig_priority(0, 50 + i, (uint8_t)(8 * (10 - i)));
            rig_line(50 + i, true);
            rig_enter(0);
            CHECK_EQ_U64(rig_ack(0), 50 + i);
            rig_line(50 + i, false);
            rig_leave(0);
        }
        for (uint32_t i = 8; i-- > 0;) {
            rig_enter(0);
            rig_eoi(0, 50 + i);
            CHECK(rig.cpu[0].is_called);
            rig_leave(0);
            CHECK_EQ_U64(rig_get_bit(0, GIC_CLRACTIVE, 50 + i), 0);
        }
        rig_end();
    }
}

/* Ends in an order that nobody expects: of what is in no list register we hear by INTID (GICv3), or that there was one (GICv2). */
TEST(gic_ends_of_what_is_in_no_list_register)
{
    BOTH {
        start(version);
        for (uint32_t i = 0; i < 8; i++) {
            rig_open(0, 50 + i);
            rig_line(50 + i, true);
            rig_enter(0);
            CHECK_EQ_U64(rig_ack(0), 50 + i);
            rig_line(50 + i, false);
            rig_leave(0);
        }
        rig_enter(0);
        CHECK(!rig_lr(0, 57) && rig.cpu[0].wants_room);
        rig_leave(0);
        if (version == 3) gic_deactivate(rig.g, 0, 57);
        else gic_deactivate_unlisted(rig.g, 0, 1);
        gic_deactivate(rig.g, 1, 56);                                   /* another vCPU's, and no interrupt at all */
        gic_deactivate(rig.g, 0, 0xffffff);
        for (uint32_t i = 0; i < 8; i++) CHECK_EQ_U64(rig_get_bit(0, GIC_CLRACTIVE, 50 + i), i < 7);
        gic_deactivate_unlisted(rig.g, 0, 31);                          /* more than there are */
        for (uint32_t i = 0; i < 8; i++) CHECK_EQ_U64(rig_get_bit(0, GIC_CLRACTIVE, 50 + i), 0);
        rig_end();
    }
}

TEST(gic_among_equals_the_lower_number_is_first_and_what_is_active_keeps_its_place)
{
    start(3);
    for (uint32_t i = 0; i < 8; i++) {
        rig_open(0, 50 + i);
        rig_priority(0, 50 + i, 0x80);
    }
    rig_line(57, true);
    rig_enter(0);
    CHECK_EQ_U64(rig_ack(0), 57);
    rig_leave(0);
    for (uint32_t i = 0; i < 7; i++) {
        rig_line(56 - i, true);
        rig_priority(0, 56 - i, 0x40);
    }
    rig_enter(0);
    CHECK(rig_lr(0, 57) && rig_lr(0, 50) && rig_lr(0, 51) && rig_lr(0, 52) && rig.cpu[0].wants_room);
    rig_end();
}

/* ---- software interrupts ---- */
static void send_v2(unsigned from, uint32_t filter, uint32_t list, uint32_t sgi) { rig_put(from, GICD_SGIR, filter << 24 | list << 16 | sgi); }

TEST(gic_v2_software_interrupts_come_once_from_each_source)
{
    start(2);
    rig_put(0, GICD_CTLR, 1);
    send_v2(1, 0, 1, 5);
    send_v2(1, 0, 1, 5);
    send_v2(3, 0, 1, 5);
    CHECK_EQ_U64(rig_get(0, GIC_SPENDSGI + 4), 0x0a00);
    for (unsigned n = 0; n < 2; n++) {
        rig_enter(0);
        CHECK_EQ_U64(rig.cpu[0].count, 1);
        CHECK_EQ_U64(rig_ack(0), 5);
        CHECK_EQ_U64(rig_source(*rig_lr(0, 5)), n ? 3 : 1);
        CHECK_EQ_U64(*rig_lr(0, 5) & ARM64_LR_EOI, n ? 0 : ARM64_LR_EOI);          /* there is more: tell */
        rig_eoi(0, 5);
        rig_leave(0);
    }
    CHECK(!gic_is_pending(rig.g, 0));
    rig_end();
}

TEST(gic_v2_source_that_was_not_taken_waits_on)
{
    start(2);
    rig_put(0, GICD_CTLR, 1);
    send_v2(2, 0, 1, 7);
    rig_enter(0);
    rig_leave(0);
    CHECK_EQ_U64(rig_get(0, GIC_SPENDSGI + 4), 4u << 24);
    rig_enter(0);
    send_v2(1, 0, 1, 7);
    CHECK(rig.cpu[0].is_called);
    rig_leave(0);
    CHECK_EQ_U64(rig_get(0, GIC_SPENDSGI + 4), 6u << 24);
    chip_write(&rig.d, GIC_CPENDSGI + 7, 1, 2);
    CHECK_EQ_U64(rig_get(0, GIC_CPENDSGI + 4), 4u << 24);
    chip_write(&rig.d, GIC_SPENDSGI + 7, 1, 0xff);
    CHECK_EQ_U64(chip_read(&rig.d, GIC_SPENDSGI + 7, 1), 0x0f);                    /* four vCPUs there are */
    rig_end();
}

TEST(gic_v2_filters_say_to_whom)
{
    static const struct { uint32_t filter, list; unsigned to; } rows[] = { { 0, 0x0a, 0x0a }, { 0, 0xff, 0x0f }, { 0, 0, 0 }, { 1, 0x04, 0x0b }, { 2, 0xff, 0x04 }, { 3, 0xff, 0 } };
    for (unsigned r = 0; r < ARRAY_COUNT(rows); r++) {
        start(2);
        rig_put(0, GICD_CTLR, 1);
        send_v2(2, rows[r].filter, rows[r].list, 1);
        for (unsigned cpu = 0; cpu < 4; cpu++) CHECK_EQ_U64(gic_is_pending(rig.g, cpu), rows[r].to >> cpu & 1);
        CHECK_EQ_U64(rig_get(0, GICD_SGIR), 0);
        rig_end();
    }
}

TEST(gic_v3_software_interrupts_go_to_a_list_in_a_cluster_or_to_all_others)
{
    static const struct { uint64_t value; unsigned to; } rows[] = {
        { 0x1, 0x01 }, { 0xf, 0x0f }, { 0xfff0, 0 }, { 0x10005, 0x50 }, { 0x2000f, 0 }, { 1ull << 44 | 1, 0 }, { 1ull << 40, 0xfb }, { 1ull << 32 | 1, 0 }, { 1ull << 48 | 1, 0 } };
    for (unsigned r = 0; r < ARRAY_COUNT(rows); r++) {
        rig_start(3, 8, 4);
        rig_put(0, GICD_CTLR, 2);
        for (unsigned cpu = 0; cpu < 8; cpu++) {
            rig_put_bit(cpu, GIC_ENABLE, 9);
            rig_group(cpu, 9, true);
        }
        gic_send_sgi(rig.g, 2, rows[r].value | 9ull << 24);
        for (unsigned cpu = 0; cpu < 8; cpu++) CHECK_EQ_U64(gic_is_pending(rig.g, cpu), rows[r].to >> cpu & 1);
        rig_end();
    }
}

TEST(gic_v3_software_interrupt_to_oneself_while_the_last_is_handled_is_a_second)
{
    start(3);
    rig_open(0, 3);
    gic_send_sgi(rig.g, 0, 3ull << 24 | 1);
    rig_enter(0);
    CHECK_EQ_U64(rig_ack(0), 3);
    rig_leave(0);                                                       /* the write traps */
    gic_send_sgi(rig.g, 0, 3ull << 24 | 1);
    rig_enter(0);
    CHECK_EQ_U64(*rig_lr(0, 3) & STATE, STATE);
    rig_eoi(0, 3);
    CHECK_EQ_U64(rig_ack(0), 3);
    rig_end();
}

/* ---- reset ---- */
TEST(gic_reset_forgets_everything_but_the_wires_of_devices)
{
    BOTH {
        start(version);
        rig_open(0, 40);
        rig_open(0, 27);
        rig_edge(48, true);
        rig_priority(0, 40, 0x50);
        rig_route(40, 2);
        rig_line(40, true);
        rig_line(48, true);
        gic_set_ppi(rig.g, 0, 27, true);
        rig_enter(2);
        CHECK_EQ_U64(rig_ack(2), 40);
        rig_leave(2);
        rig.d.ops->reset(rig.d.dev);
        for (unsigned cpu = 0; cpu < 4; cpu++) CHECK(!gic_is_pending(rig.g, cpu));
        CHECK_EQ_U64(rig_get(0, GICD_CTLR), version == 3 ? 0x50 : 0);
        CHECK(!rig_get_bit(0, GIC_ENABLE, 40) && !rig_get_bit(0, GIC_SETACTIVE, 40) && !rig_get_bit(0, GIC_SETPEND, 27));
        CHECK(rig_get(0, GIC_PRIORITY + 40) == 0 && rig_get(0, GIC_CONFIG + 12) == 0);
        CHECK(rig_get_bit(0, GIC_SETPEND, 40) && rig_get_bit(0, GIC_SETPEND, 48));      /* levels now, and high */
        rig_open(0, 40);
        CHECK(gic_is_pending(rig.g, 0));
        rig_end();
    }
}

TEST(gic_stands_any_access)
{
    BOTH {
        start(version);
        for (unsigned i = 0; i < 400; i++) {
            rig.self = (unsigned)(test_random() % 6);                   /* two of them are no vCPU of this machine */
            chip_torture(&rig.d, 100);
            if (version == 3) chip_torture(&rig.r, 100);
            unsigned cpu = (unsigned)(test_random() % 4);
            rig_line(32 + (uint32_t)(test_random() % 96), test_random() & 1);
            rig_leave(cpu);
            rig_enter(cpu);
            uint32_t got = rig_ack(cpu);
            if (got != 1023 && test_random() & 1) rig_eoi(cpu, got);
        }
        rig_end();
    }
}

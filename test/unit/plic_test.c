// SPDX-License-Identifier: Apache-2.0
/* The interrupt controller as the PLIC specification 1.0.0 tells it: drivers/virt/plic.h. */
#include "drivers/virt/plic.h"
#include "test/unit/chip.h"

#define SOURCES  97u                                        /* 0 to 96 */
#define CONTEXTS 4u

static struct mmio_region p;
static struct wire out[CONTEXTS];

static uint32_t in(uint64_t at)                             { return (uint32_t)chip_read(&p, at, 4); }
static void     put(uint64_t at, uint32_t v)                { chip_write(&p, at, 4, v); }
static uint64_t enable_at(unsigned context, unsigned word)  { return 0x2000 + 0x80 * context + 4 * word; }
static uint64_t threshold_at(unsigned context)              { return 0x200000 + 0x1000 * (uint64_t)context; }
static uint64_t claim_at(unsigned context)                  { return threshold_at(context) + 4; }
static uint32_t claim(unsigned context)                     { return in(claim_at(context)); }
static void     complete(unsigned context, uint32_t source) { put(claim_at(context), source); }
static bool     is_pending(unsigned source)                 { return in(0x1000 + source / 32 * 4) >> source % 32 & 1; }
static void     wire(unsigned source, bool level)           { plic_set_source(p.dev, source, level); }
static void     priority(unsigned source, uint32_t v)       { put(4 * (uint64_t)source, v); }
static void     enable(unsigned context, unsigned source)   { put(enable_at(context, source / 32), in(enable_at(context, source / 32)) | 1u << source % 32); }

static void start(void)
{
    struct irq_line line[CONTEXTS];
    chip_pages();
    memset(out, 0, sizeof out);
    for (unsigned i = 0; i < CONTEXTS; i++) line[i] = (struct irq_line){ wire_set, out, i };
    const struct plic_config c = { { 0x0c000000 }, 0x600000, SOURCES, CONTEXTS, line };
    CHECK(!vm_failed(plic_create(&c, &p)));
}
static void end(void) { p.ops->destroy(p.dev); }

TEST(plic_serves_an_interrupt_from_wire_to_completion)
{
    start();
    priority(10, 1);
    enable(0, 10);
    wire(10, true);
    CHECK(out[0].level && !out[1].level && is_pending(10));
    CHECK_EQ_U64(claim(0), 10);
    CHECK(!out[0].level && !is_pending(10) && claim(0) == 0);
    wire(10, false);
    complete(0, 10);
    CHECK(!out[0].level && !is_pending(10));
    end();
}

TEST(plic_source_still_high_at_its_completion_is_pending_again)
{
    start();
    priority(10, 1);
    enable(0, 10);
    wire(10, true);
    CHECK_EQ_U64(claim(0), 10);
    complete(0, 10);
    CHECK(out[0].level && out[0].raises == 2 && claim(0) == 10);
    end();
}

TEST(plic_source_that_falls_and_rises_while_it_is_served_comes_once)
{
    start();
    priority(10, 1);
    enable(0, 10);
    wire(10, true);
    CHECK_EQ_U64(claim(0), 10);
    for (unsigned i = 0; i < 3; i++) wire(10, false), wire(10, true);
    CHECK(!is_pending(10) && !out[0].level);
    complete(0, 10);
    CHECK_EQ_U64(claim(0), 10);
    wire(10, false);
    complete(0, 10);
    CHECK(claim(0) == 0 && !out[0].level);
    end();
}

TEST(plic_request_stays_pending_when_the_wire_falls_before_the_claim)
{
    start();
    priority(10, 1);
    enable(0, 10);
    wire(10, true);
    wire(10, false);
    CHECK(out[0].level && is_pending(10) && claim(0) == 10);
    complete(0, 10);
    CHECK(!out[0].level && !is_pending(10));
    end();
}

TEST(plic_claims_by_priority_and_among_equals_by_number)
{
    static const struct { unsigned source, priority; } in_order[] = { { 64, 7 }, { 3, 5 }, { 33, 5 }, { 95, 5 }, { 1, 2 }, { 96, 1 } };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(in_order); i++) {
        priority(in_order[i].source, in_order[i].priority);
        enable(1, in_order[i].source);
    }
    for (unsigned i = ARRAY_COUNT(in_order); i--;) wire(in_order[i].source, true);
    for (unsigned i = 0; i < ARRAY_COUNT(in_order); i++) CHECK_EQ_U64(claim(1), in_order[i].source);
    CHECK_EQ_U64(claim(1), 0);
    end();
}

TEST(plic_priority_0_never_interrupts_and_is_never_claimed)
{
    start();
    enable(0, 5);
    wire(5, true);
    CHECK(is_pending(5) && !out[0].level && claim(0) == 0);
    priority(5, 1);
    CHECK(out[0].level && claim(0) == 5);
    end();
}

TEST(plic_threshold_masks_priorities_up_to_it_but_not_a_claim)
{
    start();
    priority(5, 3);
    enable(0, 5);
    wire(5, true);
    for (uint32_t t = 0; t < 8; t++) {
        put(threshold_at(0), t);
        CHECK_EQ_U64(in(threshold_at(0)), t);
        CHECK_EQ_U64(out[0].level, t < 3);
    }
    CHECK_EQ_U64(claim(0), 5);                                          /* chapter 9: not affected by the threshold */
    end();
}

TEST(plic_has_seven_priorities)
{
    start();
    priority(5, UINT32_MAX);
    CHECK_EQ_U64(in(4 * 5), 7);
    put(threshold_at(2), 0x1234567f);
    CHECK_EQ_U64(in(threshold_at(2)), 7);
    end();
}

TEST(plic_source_goes_to_whichever_context_claims_first)
{
    start();
    priority(20, 1);
    enable(1, 20);
    enable(3, 20);
    wire(20, true);
    CHECK(out[1].level && out[3].level && !out[0].level && !out[2].level);
    CHECK_EQ_U64(claim(3), 20);
    CHECK(!out[1].level && !out[3].level && claim(1) == 0);
    complete(1, 20);                                                    /* any context that has it enabled may complete it */
    CHECK(out[1].level && out[3].level);
    end();
}

TEST(plic_ignores_completions_of_what_is_not_enabled_or_does_not_exist)
{
    start();
    priority(20, 1);
    enable(1, 20);
    wire(20, true);
    CHECK_EQ_U64(claim(1), 20);
    complete(0, 20);                                                    /* not enabled there */
    CHECK(!is_pending(20));
    static const uint32_t none[] = { 0, SOURCES, 1023, 1024, UINT32_MAX };
    for (unsigned i = 0; i < ARRAY_COUNT(none); i++) complete(1, none[i]);
    put(enable_at(1, 0), 0);
    complete(1, 20);
    CHECK(!is_pending(20));
    enable(1, 20);
    complete(1, 20);
    CHECK(is_pending(20));
    complete(1, 20);                                                    /* once more: nothing to complete */
    CHECK(is_pending(20) && claim(1) == 20);
    end();
}

TEST(plic_enabling_and_disabling_a_pending_source_moves_the_output)
{
    start();
    priority(40, 1);
    wire(40, true);
    CHECK(!out[2].level);
    enable(2, 40);
    CHECK(out[2].level);
    put(enable_at(2, 1), 0);
    CHECK(!out[2].level && is_pending(40));
    end();
}

TEST(plic_has_no_source_0_and_none_beyond_its_last)
{
    start();
    wire(0, true);
    wire(SOURCES, true);
    wire(UINT32_MAX, true);
    priority(0, 7);
    priority(SOURCES, 7);
    CHECK(in(0) == 0 && in(4 * SOURCES) == 0);
    for (unsigned w = 0; w < 32; w++) {
        put(enable_at(0, w), UINT32_MAX);
        CHECK_EQ_U64(in(enable_at(0, w)), w == 0 ? 0xfffffffe : w < 3 ? 0xffffffff : w == 3 ? 1 : 0);
        CHECK_EQ_U64(in(0x1000 + 4 * w), 0);
    }
    CHECK(!out[0].level && claim(0) == 0);
    end();
}

TEST(plic_pending_bits_are_read_only)
{
    start();
    put(0x1000, UINT32_MAX);
    CHECK_EQ_U64(in(0x1000), 0);
    wire(3, true);
    put(0x1000, 0);
    CHECK_EQ_U64(in(0x1000), 8);
    end();
}

TEST(plic_contexts_and_registers_that_do_not_exist_read_0)
{
    start();
    priority(3, 1);
    enable(0, 3);
    wire(3, true);
    for (unsigned c = CONTEXTS; c < 1000; c += 99) {
        put(enable_at(c, 0), UINT32_MAX);
        put(threshold_at(c), 1);
        CHECK(in(enable_at(c, 0)) == 0 && in(threshold_at(c)) == 0 && claim(c) == 0);
    }
    for (uint64_t at = 8; at < 0x1000; at += 4) CHECK_EQ_U64(in(threshold_at(0) + at), 0);
    CHECK(in(0x1ff000) == 0 && in(0x5ffffc) == 0 && is_pending(3));
    end();
}

TEST(plic_reset_forgets_settings_and_claims_but_the_wires_stay)
{
    start();
    priority(9, 1);
    enable(0, 9);
    put(threshold_at(0), 2);
    wire(9, true);
    CHECK_EQ_U64(claim(0), 9);
    p.ops->reset(p.dev);
    CHECK(in(4 * 9) == 0 && in(enable_at(0, 0)) == 0 && in(threshold_at(0)) == 0 && !out[0].level);
    priority(9, 1);
    enable(0, 9);
    CHECK(out[0].level && claim(0) == 9);
    end();
}

TEST(plic_refuses_shapes_that_cannot_be)
{
    static const struct { uint64_t size; unsigned sources, contexts; } bad[] = {
        { 0x600000, 1, 1 }, { 0x600000, 1025, 1 }, { 0x600000, 2, 0 }, { 0x600000, 2, 129 }, { 0x200fff, 2, 1 }, { 0x201000, 2, 2 } };
    struct irq_line line[1] = { { 0 } };
    struct mmio_region r;
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        const struct plic_config c = { { 0 }, bad[i].size, bad[i].sources, bad[i].contexts, line };
        CHECK_EQ_U64(plic_create(&c, &r).kind, VM_DEVICE_CONFIG);
    }
}

/* The specification as a second, simpler model: one bit a source, checked after every random step. */
TEST(plic_agrees_with_a_model_through_random_steps)
{
    bool level[SOURCES] = { 0 }, pending[SOURCES] = { 0 }, claimed[SOURCES] = { 0 }, enabled[CONTEXTS][SOURCES] = { { 0 } };
    uint32_t priorities[SOURCES] = { 0 }, threshold[CONTEXTS] = { 0 };
    start();
    for (unsigned round = 0; round < 60000; round++) {
        unsigned s = 1 + (unsigned)(test_random() % 12) * 8, c = (unsigned)(test_random() % CONTEXTS);     /* 1, 9, ... 89 */
        uint32_t v = (uint32_t)test_random() & 7, best = 0;
        switch (test_random() % 6) {
        case 0: wire(s, level[s] = v & 1); break;
        case 1: priority(s, priorities[s] = v); break;
        case 2: put(threshold_at(c), threshold[c] = v); break;
        case 3:
            enabled[c][s] = v & 1;
            put(enable_at(c, s / 32), (in(enable_at(c, s / 32)) & ~(1u << s % 32)) | (v & 1) << s % 32);
            break;
        case 4:
            for (unsigned i = 1; i < SOURCES; i++)
                if (pending[i] && enabled[c][i] && priorities[i] > (best ? priorities[best] : 0)) best = i;
            CHECK_EQ_U64(claim(c), best);
            if (best) pending[best] = false, claimed[best] = true;
            break;
        case 5:
            complete(c, s);
            if (enabled[c][s]) claimed[s] = false;
            break;
        }
        for (unsigned i = 1; i < SOURCES; i++) if (level[i] && !claimed[i]) pending[i] = true;
        for (unsigned k = 0; k < CONTEXTS; k++) {
            bool want = false;
            for (unsigned i = 1; i < SOURCES; i++) want |= pending[i] && enabled[k][i] && priorities[i] > threshold[k];
            if (out[k].level != want) test_fail(__FILE__, __LINE__, "round %u, context %u", round, k);
        }
        CHECK_EQ_U64(is_pending(s), pending[s]);
    }
    end();
}

TEST(plic_stands_any_access)
{
    start();
    chip_torture(&p, 200000);
    end();
}

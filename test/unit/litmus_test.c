// SPDX-License-Identifier: Apache-2.0
/* Litmus tests as smoke, on two harts in threads of their own: store buffering, message passing, load buffering, with the fences and
 * orderings that forbid their weak outcomes (unprivileged manual, 17 and appendix A). Each of many cells in memory is used once. */
#include <pthread.h>
#include "test/unit/guest.h"

enum { CELLS = 4096, ROUNDS = 12, STRIDE = 64 };
#define CELL_X  (GUEST_RAM + 0x100000)
#define CELL_Y  (GUEST_RAM + 0x180000)
#define RESULTS (GUEST_RAM + 0x200000)               /* of hart n at n << 17: a5, a6 of each cell */
#define GATE    (GUEST_RAM + 0x300000)
static struct guest g;
static pthread_barrier_t barrier;

static uint32_t fence(unsigned before, unsigned after)  { return before << 24 | after << 20 | 0xf; }      /* i o r w: 8 4 2 1 */
static uint32_t amoswap_d(unsigned aqrl, unsigned rd, unsigned rs2, unsigned rs1) { return rv_r(0x2f, 3, 4 | aqrl, rd, rs1, rs2); }
static uint32_t lr_d_aq(unsigned rd, unsigned rs1)      { return rv_r(0x2f, 3, 0x0a, rd, rs1, 0); }

static void *run(void *arg)
{
    struct vcpu *v = &g.v[(uintptr_t)arg];
    pthread_barrier_wait(&barrier);
    while (v->regs.slot[A0]) {
        v->running = true;
        vcpu_enter_guest(v);
        (void)v->engine->run(v, 1u << 20);
        vcpu_leave_guest(v);
        v->running = false;
    }
    return NULL;
}

/* Both wait for each other at the gate; a2 is x, a3 is y, a1 is 1; what a body saw is in a5 and a6. */
static void round_of(const uint32_t body[2][3])
{
    pthread_t thread[2];
    guest_start(&g, 2);
    for (unsigned n = 0; n < 2; n++) {
        uint64_t code = GUEST_CODE + 0x800 * n, *x = g.v[n].regs.slot;
        GUEST_LOAD(&g, code, rv_amoadd_d(ZERO, A1, A7), rv_ld(A6, A7, 0), rv_bne(A6, T0, -4), rv_li(A6, 0),
                   body[n][0], body[n][1], body[n][2], rv_sd(A5, A4, 0), rv_sd(A6, A4, 8), rv_addi(A2, A2, STRIDE), rv_addi(A3, A3, STRIDE),
                   rv_addi(A4, A4, 16), rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -36), rv_wfi());
        vcpu_set_pc(&g.v[n], guest_addr_make(code));
        x[A0] = CELLS, x[A1] = 1, x[A2] = CELL_X, x[A3] = CELL_Y, x[A4] = RESULTS + (uint64_t)n * 0x20000, x[A7] = GATE, x[T0] = 2;
    }
    CHECK(!pthread_barrier_init(&barrier, NULL, 2));
    for (uintptr_t n = 0; n < 2; n++) CHECK(!pthread_create(&thread[n], NULL, run, (void *)n));
    for (unsigned n = 0; n < 2; n++) CHECK(!pthread_join(thread[n], NULL));
    CHECK(!pthread_barrier_destroy(&barrier));
}

struct seen { uint64_t a5, a6; };
static bool sb_forbids(struct seen a, struct seen b) { return !a.a5 && !b.a5; }
static bool mp_forbids(struct seen a, struct seen b) { return (void)a, b.a5 && !b.a6; }
static bool lb_forbids(struct seen a, struct seen b) { return a.a5 && b.a5; }

static void never(bool (*forbids)(struct seen, struct seen), const uint32_t body[2][3])
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned forbidden = 0;
        round_of(body);
        for (uint64_t cell = 0; cell < CELLS; cell++) {
            struct seen s[2];
            for (uint64_t n = 0; n < 2; n++) {
                s[n] = (struct seen){ guest_peek(&g, RESULTS + n * 0x20000 + 16 * cell), guest_peek(&g, RESULTS + n * 0x20000 + 16 * cell + 8) };
                CHECK(s[n].a5 <= 1 && s[n].a6 <= 1);
            }
            forbidden += forbids(s[0], s[1]);
        }
        guest_end(&g);
        CHECK_EQ_U64(forbidden, 0);
    }
}

TEST(R27_store_buffering_is_not_seen_through_fences_or_acquiring_atomics)
{
    never(sb_forbids, (const uint32_t[2][3]){ { rv_sd(A1, A2, 0), fence(3, 3), rv_ld(A5, A3, 0) }, { rv_sd(A1, A3, 0), fence(3, 3), rv_ld(A5, A2, 0) } });
    never(sb_forbids, (const uint32_t[2][3]){ { rv_sd(A1, A2, 0), fence(1, 2), rv_ld(A5, A3, 0) }, { rv_sd(A1, A3, 0), fence(1, 2), rv_ld(A5, A2, 0) } });
    never(sb_forbids, (const uint32_t[2][3]){ { amoswap_d(3, ZERO, A1, A2), rv_nop(), rv_ld(A5, A3, 0) },
                                              { amoswap_d(2, ZERO, A1, A3), rv_nop(), rv_ld(A5, A2, 0) } });
}

TEST(R27_a_message_is_there_when_its_flag_is)
{
    never(mp_forbids, (const uint32_t[2][3]){ { rv_sd(A1, A2, 0), fence(1, 1), rv_sd(A1, A3, 0) }, { rv_ld(A5, A3, 0), fence(2, 2), rv_ld(A6, A2, 0) } });
    never(mp_forbids, (const uint32_t[2][3]){ { rv_sd(A1, A2, 0), amoswap_d(1, ZERO, A1, A3), rv_nop() }, { lr_d_aq(A5, A3), rv_ld(A6, A2, 0), rv_nop() } });
}

TEST(R27_loads_do_not_see_stores_behind_fences)
{
    never(lb_forbids, (const uint32_t[2][3]){ { rv_ld(A5, A2, 0), fence(2, 1), rv_sd(A1, A3, 0) }, { rv_ld(A5, A3, 0), fence(3, 3), rv_sd(A1, A2, 0) } });
}

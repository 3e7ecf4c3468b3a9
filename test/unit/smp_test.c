// SPDX-License-Identifier: Apache-2.0
/* Harts on host threads of their own, over one RAM: migration, the MMU's locks, atomics, and fences between harts. Run under
 * the thread sanitizer as well (make test-tsan). A thread only notes what went wrong; the test's own thread judges. */
#include <pthread.h>
#include <sched.h>
#include "test/unit/digest.h"

static struct guest g, other;
static uint32_t failures, stop;
static void note(bool ok) { if (!ok) __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED); }
static bool is_stopped(void) { return __atomic_load_n(&stop, __ATOMIC_ACQUIRE); }

static void in_threads(unsigned count, void *(*body)(void *))
{
    pthread_t thread[GUEST_HARTS];
    for (unsigned i = 0; i < count; i++) CHECK(!pthread_create(&thread[i], NULL, body, (void *)(uintptr_t)i));
    for (unsigned i = 0; i < count; i++) CHECK(!pthread_join(thread[i], NULL));
    CHECK_EQ_U64(failures, 0);
}
static void start(unsigned harts)
{
    guest_start(&g, harts);
    failures = stop = 0;
}

/* A hart's thread: runs until told to stop, as the scheduler does, and obeys fences. */
static void run_hart(struct vcpu *v, uint64_t budget)
{
    v->running = true;
    vcpu_enter_guest(v);
    struct exec_result r = v->engine->run(v, budget);
    vcpu_leave_guest(v);
    v->running = false;
    note(r.status == EXEC_CONTINUE || r.status == EXEC_HALTED || r.status == EXEC_OK);
}

/* ---- R108 ---- */

enum { MOVERS = 3, SLICES = 60 };
static pthread_barrier_t barrier;
static uint64_t seen[MOVERS];

static uint64_t registers_hash(const struct vcpu *v)
{
    uint64_t hash = 0, value;
    for (unsigned i = 0; i < v->isa->reg_count; i++) {
        note(!vm_failed(vcpu_get_reg(v, i, &value)));
        hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
    }
    return hash ^ vcpu_get_pc(v).v;
}

/* In turn each thread runs the vCPU for a slice; then, while it is paused, all of them read it at once. */
static void *mover(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    struct vcpu *v = &g.v[0];
    for (unsigned slice = 0; slice < SLICES; slice++) {
        if (slice % MOVERS == me) run_hart(v, 1 + slice * 7);
        pthread_barrier_wait(&barrier);
        seen[me] = registers_hash(v);
        struct exec_stats s;
        vcpu_stats(v, &s);
        note(s.executed_insns == guest_reg(v, "minstret"));
        pthread_barrier_wait(&barrier);
        for (unsigned i = 0; i < MOVERS; i++) note(seen[i] == seen[me]);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

TEST(R108_a_vcpu_migrates_between_host_threads_and_is_read_by_all_while_paused)
{
    start(1);
    guest_start(&other, 1);
    for (unsigned n = 0; n < 2; n++) {                               /* a loop over memory: sums, products, a call */
        struct guest *x = n ? &other : &g;
        GUEST_LOAD(x, GUEST_CODE, rv_addi(A0, A0, 1), rv_mul(A1, A0, A0), rv_sd(A1, A2, 0), rv_ld(A3, A2, 8), rv_add(A4, A4, A3),
                   rv_sd(A4, A2, 8), rv_jal(RA, 12), rv_bne(A0, ZERO, -28), rv_j(0), rv_addi(A5, A5, 3), rv_ret());
        x->v[0].regs.slot[A2] = GUEST_DATA;
    }
    CHECK(!pthread_barrier_init(&barrier, NULL, MOVERS));
    in_threads(MOVERS, mover);
    CHECK(!pthread_barrier_destroy(&barrier));
    for (unsigned slice = 0; slice < SLICES; slice++) CHECK(other.v[0].engine->run(&other.v[0], 1 + slice * 7).status == EXEC_CONTINUE);
    CHECK(!regs_differ(&g.v[0], &other.v[0]) && !ram_differs(&g, &other));           /* as if it had stayed at home */
    guest_end(&other);
    guest_end(&g);
}

/* ---- R127 ---- */

enum { ROUNDS = 300, SHARED_DEVICE = 0x9000000 };
struct counter { uint64_t reads, writes; };
static struct counter counters[MMIO_MAX_REGIONS];
static struct vm_error counter_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)offset, (void)size_bytes;
    *out = ((struct counter *)dev)->reads++;                         /* the bus's lock makes this whole */
    return VM_SUCCESS;
}
static struct vm_error counter_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    (void)offset, (void)size_bytes, (void)value;
    ((struct counter *)dev)->writes++;
    return VM_SUCCESS;
}
static const struct mmio_ops COUNTER = { "counter", counter_read, counter_write, NULL, NULL, NULL };
static struct vm_error map_counter(unsigned n)
{
    return mmu_map_mmio(&g.bus, &(struct mmio_region){ .base = { SHARED_DEVICE + n * 0x1000 }, .size_bytes = 4096, .min_access_bytes = 1,
                                                       .max_access_bytes = 8, .ops = &COUNTER, .dev = &counters[n] });
}
static uint32_t mapped;

static void *mmu_user(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    struct vcpu *v = &g.v[me];
    struct mmu *m = &v->mmu;
    uint64_t mine = GUEST_DATA + me * 0x10000, value, state = me + 1;
    uint8_t block[256], back[256];
    vcpu_enter_guest(v);
    for (unsigned i = 0; i < ROUNDS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        guest_addr at = guest_addr_make(mine + (state >> 40 & 0xfff8));
        guest_phys_addr gpa;
        note(!vm_failed(mmu_write(m, at, 8, state)) && !vm_failed(mmu_read(m, at, 8, &value)) && value == state);
        note(!vm_failed(mmu_translate(m, at, ACCESS_WRITE, &gpa)) && gpa.v == at.v);
        memset(block, (int)i, sizeof block);
        at = guest_addr_make(mine + 0xf00 + (state >> 50 & 0xff));   /* across a page */
        note(!vm_failed(mmu_write_bulk(m, at, block, sizeof block)) && !vm_failed(mmu_read_bulk(m, at, back, sizeof back)));
        note(!memcmp(block, back, sizeof block));
        note(!vm_failed(gmem_read_bulk(&g.gmem, guest_phys_addr_make(at.v), back, sizeof back)) && !memcmp(block, back, sizeof block));
        struct fault why;
        uint64_t *shared = mmu_atomic(m, guest_addr_make(GUEST_DATA + 0xff000), 8, ACCESS_ATOMIC, &gpa, &why);
        note(shared != NULL);
        if (shared) __atomic_fetch_add(shared, 1, __ATOMIC_SEQ_CST);
        note(!vm_failed(mmu_read(m, guest_addr_make(SHARED_DEVICE), 4, &value)) && !vm_failed(mmu_write(m, guest_addr_make(SHARED_DEVICE), 4, i)));
        if (me == 0 && i < MMIO_MAX_REGIONS - 2) {                   /* the map grows while the others use it */
            note(!vm_failed(map_counter(1 + i)));
            __atomic_fetch_add(&mapped, 1, __ATOMIC_RELEASE);
        }
        uint32_t last = __atomic_load_n(&mapped, __ATOMIC_ACQUIRE);
        if (last) note(!vm_failed(mmu_write(m, guest_addr_make(SHARED_DEVICE + last * 0x1000), 2, i)));
        switch (i % 8) {
        case 1: mmu_flush_tlb_page(m, at); break;
        case 3: mmu_flush_tlb_asid(m, m->asid); break;
        case 5: mmu_flush_tlb(m); break;
        case 7:                                                      /* and flushes that others ask for */
            vcpu_fence_ask(&g.v[(me + 1) % g.harts], VCPU_FENCE_TLB);
            vcpu_fence_wait(&g.v[(me + 1) % g.harts], v);
            break;
        }
        if (__atomic_load_n(&v->fence_pending, __ATOMIC_ACQUIRE)) vcpu_fence_obey(v);
        struct mmu_stats s;
        mmu_stats_read(&g.v[(me + 1) % g.harts].mmu, 0, &s);         /* anybody may look */
        note(s.tlb_hits + s.tlb_misses == s.lookups || s.walks > s.lookups);
    }
    vcpu_leave_guest(v);
    return NULL;
}

TEST(R127_mmus_share_ram_and_devices_between_threads)
{
    start(GUEST_HARTS);
    memset(counters, 0, sizeof counters);
    mapped = 0;
    CHECK(!vm_failed(map_counter(0)));
    in_threads(GUEST_HARTS, mmu_user);
    CHECK_EQ_U64(guest_peek(&g, GUEST_DATA + 0xff000), GUEST_HARTS * ROUNDS);
    CHECK(counters[0].reads == GUEST_HARTS * ROUNDS && counters[0].writes == GUEST_HARTS * ROUNDS);
    CHECK_EQ_U64(g.bus.count, MMIO_MAX_REGIONS);
    CHECK(map_counter(63).kind == VM_CORE_RESOURCE_EXHAUSTED);
    guest_end(&g);
}

/* ---- atomics ---- */

enum { ADDS = 2000 };
static void *run_to_wfi(void *arg)
{
    struct vcpu *v = &g.v[(uintptr_t)arg];
    while (v->regs.slot[A0]) run_hart(v, 777);
    return NULL;
}

TEST(R31_R72_harts_that_count_with_amo_and_lr_sc_lose_nothing)
{
    start(GUEST_HARTS);
    GUEST_LOAD(&g, GUEST_CODE, rv_amoadd_d(ZERO, A1, A2),            /* one counter by amoadd.d */
               rv_lr_d(A3, A4), rv_addi(A3, A3, 1), rv_sc_d(A5, A3, A4), rv_bne(A5, ZERO, -12),          /* one by lr.d and sc.d */
               rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -24), rv_wfi());
    for (unsigned i = 0; i < GUEST_HARTS; i++) {
        uint64_t *x = g.v[i].regs.slot;
        x[A0] = ADDS, x[A1] = 3, x[A2] = GUEST_DATA, x[A4] = GUEST_DATA + 8;
    }
    in_threads(GUEST_HARTS, run_to_wfi);
    CHECK_EQ_U64(guest_peek(&g, GUEST_DATA), 3 * ADDS * GUEST_HARTS);
    CHECK_EQ_U64(guest_peek(&g, GUEST_DATA + 8), ADDS * GUEST_HARTS);
    guest_end(&g);
}

TEST(R27_a_store_and_its_flag_arrive_in_order)
{
    start(2);
    /* hart 0: data = n, fence, flag = n.  hart 1: waits for flag == n, fence, data must be n; answers. 200 rounds. */
    GUEST_LOAD(&g, GUEST_CODE, rv_addi(A1, A1, 1), rv_sd(A1, A2, 0), rv_fence(), rv_sd(A1, A2, 64),
               rv_ld(A3, A2, 128), rv_bne(A3, A1, -4), rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -28), rv_wfi());
    GUEST_LOAD(&g, GUEST_CODE + 0x800, rv_addi(A1, A1, 1), rv_ld(A3, A2, 64), rv_bne(A3, A1, -4), rv_fence(), rv_ld(A4, A2, 0),
               rv_sub(A5, A4, A1), rv_add(A6, A6, A5), rv_sd(A1, A2, 128), rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -36), rv_wfi());
    vcpu_set_pc(&g.v[1], guest_addr_make(GUEST_CODE + 0x800));
    for (unsigned i = 0; i < 2; i++) g.v[i].regs.slot[A0] = 200, g.v[i].regs.slot[A2] = GUEST_DATA;
    in_threads(2, run_to_wfi);
    CHECK(g.v[1].regs.slot[A1] == 200 && g.v[1].regs.slot[A6] == 0);
    guest_end(&g);
}

/* ---- fences between harts ---- */

static void *run_until_stopped(void *arg)
{
    struct vcpu *v = &g.v[(uintptr_t)arg];
    while (!is_stopped()) run_hart(v, 5000);
    return NULL;
}
static void fence(struct vcpu *v, uint32_t what)
{
    vcpu_fence_ask(v, what);
    vcpu_fence_wait(v, NULL);
}
static uint64_t count_of(unsigned hart) { return guest_peek(&g, GUEST_DATA + 0x80 * hart); }
static void wait_for_progress(void)
{
    for (unsigned i = 0; i < g.harts; i++) {
        for (uint64_t from = count_of(i); count_of(i) < from + 2;) sched_yield();
    }
}
static void end_threads(pthread_t *thread)
{
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < g.harts; i++) {
        vcpu_ask(&g.v[i], VCPU_REQUEST_STOP);
        CHECK(!pthread_join(thread[i], NULL));
    }
    CHECK_EQ_U64(failures, 0);
}

TEST(R116_after_a_shootdown_no_hart_sees_the_old_page)
{
    enum { SWAPS = 100, POISON = -1 };
    const uint64_t window = GUEST_RAM + 0x50000, page[2] = { GUEST_RAM + 0x60000, GUEST_RAM + 0x70000 };
    const unsigned bits = PTE_V | PTE_R | PTE_W | PTE_A | PTE_D;
    pthread_t thread[2];
    start(2);
    /* ld a1,0(a2); bne a1,poison,+8; sd a1,8(a3); count; again */
    GUEST_LOAD(&g, GUEST_CODE, rv_ld(A1, A2, 0), rv_bne(A1, A4, 8), rv_sd(A1, A3, 8), rv_addi(A5, A5, 1), rv_sd(A5, A3, 0), rv_j(-20));
    guest_poke(&g, page[0], 1);
    for (unsigned i = 0; i < 2; i++) {
        struct vcpu *v = &g.v[i];
        guest_paging(&g, v);
        v->regs.slot[A2] = window, v->regs.slot[A3] = GUEST_DATA + 0x80 * i, v->regs.slot[A4] = (uint64_t)POISON;
        v->request = 0;
    }
    guest_map(&g, window, page[0], bits);
    for (unsigned i = 0; i < 2; i++) CHECK(!pthread_create(&thread[i], NULL, run_until_stopped, (void *)(uintptr_t)i));
    wait_for_progress();
    for (unsigned swap = 1; swap <= SWAPS; swap++) {
        guest_poke(&g, page[swap & 1], 1 + swap);
        guest_map(&g, window, page[swap & 1], bits);
        for (unsigned i = 0; i < 2; i++) vcpu_fence_ask(&g.v[i], VCPU_FENCE_TLB);
        for (unsigned i = 0; i < 2; i++) vcpu_fence_wait(&g.v[i], NULL);
        guest_poke(&g, page[~swap & 1], (uint64_t)POISON);           /* nobody has it any more */
        if (swap % 7 == 0) wait_for_progress();                      /* with either page */
    }
    end_threads(thread);
    for (unsigned i = 0; i < 2; i++) CHECK_EQ_U64(guest_peek(&g, GUEST_DATA + 0x80 * i + 8), 0);
    guest_end(&g);
}

TEST(R121_code_patched_by_another_hart_is_seen_after_its_fence)
{
    enum { PATCHES = 60 };
    pthread_t thread[2];
    start(2);
    /* jal f; sd a0,8(a3); count; again.  f: li a0,N; ret */
    GUEST_LOAD(&g, GUEST_CODE, rv_jal(RA, 0x100), rv_sd(A0, A3, 8), rv_addi(A5, A5, 1), rv_sd(A5, A3, 0), rv_j(-16));
    GUEST_LOAD(&g, GUEST_CODE + 0x100, rv_li(A0, 0), rv_ret());
    for (unsigned i = 0; i < 2; i++) g.v[i].regs.slot[A3] = GUEST_DATA + 0x80 * i;
    for (unsigned i = 0; i < 2; i++) CHECK(!pthread_create(&thread[i], NULL, run_until_stopped, (void *)(uintptr_t)i));
    wait_for_progress();
    for (unsigned n = 1; n <= PATCHES; n++) {
        uint32_t word = rv_li(A0, (int32_t)n);
        CHECK(!vm_failed(gmem_write_bulk(&g.gmem, guest_phys_addr_make(GUEST_CODE + 0x100), &word, 4)));
        for (unsigned i = 0; i < 2; i++) fence(&g.v[i], VCPU_FENCE_CODE);
        wait_for_progress();                                         /* two whole turns of the loop, so one begun behind the fence */
        for (unsigned i = 0; i < 2; i++) {
            uint64_t got = guest_peek(&g, GUEST_DATA + 0x80 * i + 8);
            if (got != n) end_threads(thread);
            CHECK_EQ_U64(got, n);
        }
    }
    end_threads(thread);
    guest_end(&g);
}

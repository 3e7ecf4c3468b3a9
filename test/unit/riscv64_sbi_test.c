// SPDX-License-Identifier: Apache-2.0
/* The machine's SBI, call by call, on harts that do not run: an ecall is its registers. */
#include "hv/isa/riscv64/sbi.h"
#include "test/unit/riscv64_hart.h"

enum { BASE = 0x10, TIMER = 0x54494d45, IPI = 0x735049, RFENCE = 0x52464e43, HSM = 0x48534d, SRST = 0x53525354, DBCN = 0x4442434e };
enum { FAILED = -1, NOT_SUPPORTED = -2, INVALID_PARAM = -3, INVALID_ADDRESS = -5, ALREADY_AVAILABLE = -6 };
#define HARTS 3
#define EVERY UINT64_MAX

struct board {
    struct gmem gmem;
    struct mmio_bus bus;
    struct guest_clock clock;
    struct vcpu v[HARTS];
    struct machine_host host;
    struct sbi sbi;
    char out[8192], in[64];
    size_t out_length, in_length;
    unsigned powers, last_power, last_code, forgotten[HARTS];
};

static void power(void *vm, enum power_request what, uint32_t code)
{
    struct board *b = vm;
    b->powers++;
    b->last_power = what;
    b->last_code = code;
}
static void console_write(void *vm, const char *text, size_t length)
{
    struct board *b = vm;
    CHECK(b->out_length + length <= sizeof b->out);
    memcpy(b->out + b->out_length, text, length);
    b->out_length += length;
}
static size_t console_read(void *ctx, char *out, size_t cap_bytes)
{
    struct board *b = ctx;
    size_t n = b->in_length < cap_bytes ? b->in_length : cap_bytes;
    memcpy(out, b->in, n);
    memmove(b->in, b->in + n, b->in_length - n);
    b->in_length -= n;
    return n;
}
static void forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    (void)at, (void)size_bytes;
    ((struct board *)v->vm)->forgotten[v->id]++;
}
static const struct engine_ops idle_engine = { .name = "idle", .forget_code = forget };

static struct board *board_start(void)
{
    struct board *b = calloc(1, sizeof *b);
    hart_pages();
    gmem_init(&b->gmem);
    mmio_init(&b->bus);
    CHECK(!vm_failed(gmem_add(&b->gmem, guest_phys_addr_make(RAM), RAM_SIZE, GMEM_RAM)));
    b->clock = (struct guest_clock){ .frequency_hz = 10000000, .offset_ns = 1000, .stopped_at_ns = 1000 + 1000 * TICK_NS };
    b->host = (struct machine_host){ .vm = b, .power = power, .console_write = console_write };
    b->sbi = (struct sbi){ .host = &b->host, .gmem = &b->gmem, .vcpus = b->v, .hart_count = HARTS, .console = { b, console_read } };
    for (unsigned i = 0; i < HARTS; i++) {
        struct vcpu *v = &b->v[i];
        v->isa = &RISCV64_ISA;
        v->engine = &idle_engine;
        v->clock = &b->clock;
        v->id = i;
        v->vm = b;
        CHECK(!vm_failed(mmu_init(&v->mmu, &b->gmem, &b->bus, RISCV64_ISA.walk, v)));
        rv_set_boot(v, true, RAM, i, 0);
    }
    sbi_reset(&b->sbi, false);
    return b;
}
static void board_end(struct board *b)
{
    for (unsigned i = 0; i < HARTS; i++) mmu_destroy(&b->v[i].mmu);
    gmem_free(&b->gmem);
    free(b);
}
static int64_t call(struct board *b, unsigned hart, uint64_t extension, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
    uint64_t *x = b->v[hart].regs.slot;
    x[17] = extension;
    x[16] = number;
    x[10] = a0, x[11] = a1, x[12] = a2, x[13] = x[14] = x[15] = 0;
    sbi_call(&b->sbi, &b->v[hart]);
    return (int64_t)x[10];
}
static uint64_t result(const struct board *b, unsigned hart) { return b->v[hart].regs.slot[11]; }
static bool has_ssi(const struct board *b, unsigned hart) { return b->v[hart].pins >> RV_IRQ_SSI & 1; }

TEST(sbi_base_tells_version_2_and_what_there_is)
{
    struct board *b = board_start();
    CHECK_EQ_U64(call(b, 0, BASE, 0, 9, 9, 9), 0);
    CHECK_EQ_U64(result(b, 0), 0x02000000);
    CHECK_EQ_U64(call(b, 0, BASE, 1, 0, 0, 0), 0);
    CHECK(result(b, 0) > 11);                               /* 0 to 11 are given to others */
    static const uint64_t known[] = { BASE, TIMER, IPI, RFENCE, HSM, SRST, DBCN, 0, 1, 2, 8 };
    for (unsigned i = 0; i < ARRAY_COUNT(known); i++) {
        CHECK_EQ_U64(call(b, 0, BASE, 3, known[i], 0, 0), 0);
        CHECK_EQ_U64(result(b, 0), 1);
    }
    CHECK_EQ_U64(call(b, 0, BASE, 3, 0x504d55, 0, 0), 0);
    CHECK_EQ_U64(result(b, 0), 0);
    CHECK_EQ_U64(call(b, 0, BASE, 7, 0, 0, 0), NOT_SUPPORTED);
    CHECK_EQ_U64(call(b, 0, 0x504d55, 0, 0, 0, 0), NOT_SUPPORTED);
    CHECK_EQ_U64(call(b, 0, RFENCE, 3, 1, 0, 0), NOT_SUPPORTED);
    CHECK_EQ_U64(call(b, 0, HSM, UINT64_MAX, 0, 0, 0), NOT_SUPPORTED);
    board_end(b);
}

TEST(sbi_calls_change_no_register_but_a0_and_a1)
{
    struct board *b = board_start();
    struct vcpu_regs before;
    for (unsigned i = 1; i < 32; i++) b->v[0].regs.slot[i] = 0x1111 * i;
    b->v[0].regs.slot[17] = BASE;
    b->v[0].regs.slot[16] = 0;
    before = b->v[0].regs;
    sbi_call(&b->sbi, &b->v[0]);
    before.slot[10] = 0;
    before.slot[11] = 0x02000000;
    CHECK(!memcmp(&before, &b->v[0].regs, sizeof before));
    b->v[0].regs.slot[17] = 1;                              /* legacy: a0 alone */
    sbi_call(&b->sbi, &b->v[0]);
    CHECK_EQ_U64(b->v[0].regs.slot[11], 0x02000000);
    board_end(b);
}

TEST(sbi_timer_is_pending_when_its_tick_has_come)
{
    struct board *b = board_start();
    CHECK_EQ_U64(call(b, 0, TIMER, 0, 1001, 0, 0), 0);
    CHECK(!(rv_mip(&b->v[0]) >> RV_IRQ_STI & 1));
    CHECK_EQ_U64(call(b, 0, TIMER, 0, 1000, 0, 0), 0);
    CHECK(rv_mip(&b->v[0]) >> RV_IRQ_STI & 1);
    CHECK_EQ_U64(call(b, 0, 0, 0, UINT64_MAX, 0, 0), 0);    /* legacy set_timer */
    CHECK(!(rv_mip(&b->v[0]) >> RV_IRQ_STI & 1));
    board_end(b);
}

TEST(sbi_ipi_reaches_the_harts_of_the_mask_that_are_started)
{
    struct board *b = board_start();
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, RAM, 0), 0);
    CHECK_EQ_U64(call(b, 0, IPI, 0, 6, 0, 0), 0);
    CHECK(!has_ssi(b, 0) && has_ssi(b, 1) && !has_ssi(b, 2));   /* 2 is stopped */
    CHECK_EQ_U64(call(b, 1, IPI, 0, 0, EVERY, 0), 0);
    CHECK(has_ssi(b, 0) && !has_ssi(b, 2));
    CHECK_EQ_U64(call(b, 0, 3, 0, 0, 0, 0), 0);             /* legacy clear */
    CHECK(!has_ssi(b, 0));
    CHECK_EQ_U64(call(b, 1, IPI, 0, 1, 0, 0), 0);
    CHECK(has_ssi(b, 0));
    board_end(b);
}

TEST(sbi_hart_masks_beyond_the_machine_are_invalid)
{
    struct board *b = board_start();
    static const uint64_t bad[][2] = { { 8, 0 }, { 1, 3 }, { 1ull << 63, 0 }, { 4, 1 }, { 1, UINT64_MAX - 1 }, { EVERY, 0 } };
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK_EQ_U64(call(b, 0, IPI, 0, bad[i][0], bad[i][1], 0), INVALID_PARAM);
        CHECK_EQ_U64(call(b, 0, RFENCE, 0, bad[i][0], bad[i][1], 0), INVALID_PARAM);
    }
    for (unsigned h = 0; h < HARTS; h++) CHECK(!has_ssi(b, h) && !b->v[h].fence_pending);
    board_end(b);
}

TEST(sbi_fences_ask_others_and_are_done_here_at_once)
{
    struct board *b = board_start();
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, RAM, 0), 0);
    vcpu_fence_obey(&b->v[1]);
    unsigned before = b->forgotten[0];
    CHECK_EQ_U64(call(b, 0, RFENCE, 0, 3, 0, 0), 0);
    CHECK_EQ_U64(b->forgotten[0], before + 1);
    CHECK_EQ_U64(b->v[0].fence_pending, 0);
    CHECK_EQ_U64(b->v[1].fence_pending, VCPU_FENCE_CODE);   /* not in the guest: obeyed before it enters */
    CHECK_EQ_U64(call(b, 0, RFENCE, 1, 0, EVERY, 0), 0);
    CHECK_EQ_U64(b->v[1].fence_pending, VCPU_FENCE_CODE | VCPU_FENCE_TLB);
    CHECK_EQ_U64(b->v[2].fence_pending, 0);
    CHECK(b->v[1].request & VCPU_REQUEST_FENCE);
    board_end(b);
}

TEST(sbi_hart_starts_in_supervisor_mode_with_its_argument)
{
    struct board *b = board_start();
    CHECK(sbi_is_started(&b->sbi, 0) && !sbi_is_started(&b->sbi, 2));
    CHECK_EQ_U64(call(b, 0, HSM, 2, 2, 0, 0), 0);
    CHECK_EQ_U64(result(b, 0), SBI_HART_STOPPED);
    b->v[2].regs.slot[5] = 77;
    CHECK_EQ_U64(call(b, 0, HSM, 0, 2, RAM + 0x1000, 0xabcdef), 0);
    CHECK(sbi_is_started(&b->sbi, 2));
    CHECK_EQ_U64(b->v[2].regs.pc, RAM + 0x1000);
    CHECK_EQ_U64(b->v[2].regs.slot[10], 2);
    CHECK_EQ_U64(b->v[2].regs.slot[11], 0xabcdef);
    CHECK_EQ_U64(rv_csrs(&b->v[2])->privilege, RV_S);
    CHECK_EQ_U64(rv_csrs(&b->v[2])->satp, 0);
    CHECK_EQ_U64(b->v[2].fence_pending, VCPU_FENCE_TLB | VCPU_FENCE_CODE);
    CHECK_EQ_U64(call(b, 0, HSM, 2, 2, 0, 0), 0);
    CHECK_EQ_U64(result(b, 0), SBI_HART_STARTED);
    CHECK_EQ_U64(call(b, 0, HSM, 0, 2, RAM, 0), ALREADY_AVAILABLE);
    CHECK_EQ_U64(call(b, 0, HSM, 0, 3, RAM, 0), INVALID_PARAM);
    CHECK_EQ_U64(call(b, 0, HSM, 2, 3, 0, 0), INVALID_PARAM);
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, 0x1000, 0), INVALID_ADDRESS);
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, RAM + RAM_SIZE, 0), INVALID_ADDRESS);
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, RAM + 1, 0), INVALID_ADDRESS);
    CHECK(!sbi_is_started(&b->sbi, 1));
    board_end(b);
}

TEST(sbi_hart_that_stops_can_be_started_again)
{
    struct board *b = board_start();
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, RAM, 1), 0);
    call(b, 1, TIMER, 0, 1000, 0, 0);
    call(b, 1, HSM, 1, 0, 0, 0);
    CHECK(!sbi_is_started(&b->sbi, 1));
    CHECK_EQ_U64(b->v[1].deadline_ns, UINT64_MAX);
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, RAM + 4, 2), 0);
    CHECK_EQ_U64(b->v[1].regs.pc, RAM + 4);
    CHECK_EQ_U64(b->v[1].regs.slot[11], 2);
    CHECK(!(rv_mip(&b->v[1]) >> RV_IRQ_STI & 1));
    board_end(b);
}

TEST(sbi_retentive_suspend_halts_and_others_are_refused)
{
    struct board *b = board_start();
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, RAM, 1), 0);
    CHECK_EQ_U64(call(b, 1, HSM, 3, 0, 0, 0), 0);
    CHECK(b->v[1].is_halted && sbi_is_started(&b->sbi, 1));
    CHECK_EQ_U64(call(b, 0, HSM, 2, 1, 0, 0), 0);
    CHECK_EQ_U64(result(b, 0), SBI_HART_SUSPENDED);
    CHECK_EQ_U64(call(b, 0, IPI, 0, 2, 0, 0), 0);           /* a suspended hart is woken by one */
    CHECK(has_ssi(b, 1));
    b->v[1].is_halted = false;
    CHECK_EQ_U64(call(b, 0, HSM, 2, 1, 0, 0), 0);
    CHECK_EQ_U64(result(b, 0), SBI_HART_STARTED);
    CHECK_EQ_U64(call(b, 1, HSM, 3, 0x80000000, RAM, 0), NOT_SUPPORTED);
    CHECK_EQ_U64(call(b, 1, HSM, 3, 1, 0, 0), INVALID_PARAM);
    CHECK(!b->v[1].is_halted);
    board_end(b);
}

TEST(sbi_reset_tells_kind_and_reason)
{
    struct board *b = board_start();
    call(b, 0, SRST, 0, 0, 0, 0);
    CHECK_EQ_U64(b->powers, 1);
    CHECK_EQ_U64(b->last_power, POWER_OFF);
    CHECK_EQ_U64(b->last_code, 0);
    call(b, 0, SRST, 0, 0, 1, 0);
    CHECK_EQ_U64(b->last_code, 1);
    call(b, 0, SRST, 0, 2, 0, 0);
    CHECK_EQ_U64(b->last_power, POWER_REBOOT);
    call(b, 0, 8, 0, 0, 0, 0);
    CHECK_EQ_U64(b->powers, 4);
    CHECK_EQ_U64(b->last_power, POWER_OFF);
    CHECK_EQ_U64(call(b, 0, SRST, 0, 3, 0, 0), INVALID_PARAM);
    CHECK_EQ_U64(call(b, 0, SRST, 0, 0, 2, 0), INVALID_PARAM);
    CHECK_EQ_U64(call(b, 0, SRST, 0, 0xf0000000, 0, 0), NOT_SUPPORTED);
    CHECK_EQ_U64(b->powers, 4);
    board_end(b);
}

TEST(sbi_console_writes_and_reads_guest_memory)
{
    struct board *b = board_start();
    char text[600], got[8];
    for (unsigned i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 26);
    uint64_t at = RAM + MIB(2) - 300;                       /* across two chunks */
    CHECK(!vm_failed(gmem_write_bulk(&b->gmem, guest_phys_addr_make(at), text, sizeof text)));
    CHECK_EQ_U64(call(b, 0, DBCN, 0, sizeof text, at, 0), 0);
    CHECK_EQ_U64(result(b, 0), sizeof text);
    CHECK_EQ_U64(b->out_length, sizeof text);
    CHECK(!memcmp(b->out, text, sizeof text));
    CHECK_EQ_U64(call(b, 0, DBCN, 2, 'x', 0, 0), 0);
    call(b, 0, 1, 0, 'y', 0, 0);
    CHECK_EQ_U64(b->out[sizeof text], 'x');
    CHECK_EQ_U64(b->out[sizeof text + 1], 'y');
    memcpy(b->in, "typed", 5);
    b->in_length = 5;
    CHECK_EQ_U64(call(b, 0, DBCN, 1, 4, RAM, 0), 0);
    CHECK_EQ_U64(result(b, 0), 4);
    CHECK(!vm_failed(gmem_read_bulk(&b->gmem, guest_phys_addr_make(RAM), got, 4)));
    CHECK(!memcmp(got, "type", 4));
    CHECK_EQ_U64(call(b, 0, 2, 0, 0, 0, 0), 'd');
    CHECK_EQ_U64(call(b, 0, 2, 0, 0, 0, 0), FAILED);        /* legacy getchar: nothing there */
    CHECK_EQ_U64(call(b, 0, DBCN, 1, 4, RAM, 0), 0);
    CHECK_EQ_U64(result(b, 0), 0);
    board_end(b);
}

TEST(sbi_console_refuses_what_is_not_memory)
{
    struct board *b = board_start();
    static const uint64_t bad[][3] = { { 1, 0, 0 }, { 2, RAM + RAM_SIZE - 1, 0 }, { 1, RAM, 1 }, { EVERY, RAM, 0 },
                                       { 0x10, EVERY - 7, 0 }, { RAM_SIZE + 1, RAM, 0 }, { 1, 0x10000000, 0 } };
    memcpy(b->in, "typed", 5);
    b->in_length = 5;
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++)
        for (unsigned number = 0; number < 2; number++)
            CHECK_EQ_U64(call(b, 0, DBCN, number, bad[i][0], bad[i][1], bad[i][2]), INVALID_PARAM);
    CHECK_EQ_U64(b->out_length, 0);
    CHECK_EQ_U64(b->in_length, 5);
    board_end(b);
}

TEST(sbi_legacy_hart_mask_lies_in_guest_memory)
{
    struct board *b = board_start();
    uint64_t mask = 1;
    CHECK_EQ_U64(call(b, 0, HSM, 0, 1, RAM, 0), 0);
    CHECK(!vm_failed(gmem_write_bulk(&b->gmem, guest_phys_addr_make(RAM + 8), &mask, 8)));
    CHECK_EQ_U64(call(b, 1, 4, 0, RAM + 8, 0, 0), 0);
    CHECK(has_ssi(b, 0) && !has_ssi(b, 1));
    CHECK_EQ_U64(call(b, 0, 4, 0, 0, 0, 0), 0);             /* null: everybody */
    CHECK(has_ssi(b, 1));
    CHECK_EQ_U64(call(b, 0, 4, 0, 0x666, 0, 0), INVALID_ADDRESS);
    CHECK_EQ_U64(call(b, 0, 5, 0, 0, 0, 0), 0);
    CHECK(b->v[1].fence_pending & VCPU_FENCE_CODE);
    board_end(b);
}

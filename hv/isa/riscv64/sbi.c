// SPDX-License-Identifier: Apache-2.0
/* SBI 2.0: see sbi.h. A table of extensions and their functions; numbers in comments are chapters and sections of
 * the specification. Masks are checked against the harts there are, addresses against RAM, lengths are capped. */
#include "hv/isa/riscv64/sbi.h"
#include "hv/base/bits.h"
#include "hv/isa/riscv64/state.h"

#define SBI_SPEC_VERSION     0x02000000u
#define SBI_IMPL_ID          0x486f7370u        /* "Hosp": not in the specification's list */
#define SBI_IMPL_VERSION     1u
#define SBI_CONSOLE_CAP      65536u             /* bytes of one console write or read; the rest: another call */
#define SBI_ALL_HARTS        UINT64_MAX         /* hart_mask_base */
#define SBI_SUSPEND_RETENTIVE 0u

enum { A0 = 10, A1 = 11, A6 = 16, A7 = 17 };

/* Standard errors (table 3.1) */
enum sbi_error { SBI_SUCCESS = 0, SBI_FAILED = -1, SBI_NOT_SUPPORTED = -2, SBI_INVALID_PARAM = -3,
                 SBI_INVALID_ADDRESS = -5, SBI_ALREADY_AVAILABLE = -6 };

/* is_gone: the registers are not the caller's any more, nothing may be written to them. */
struct result { enum sbi_error error; uint64_t value; bool is_gone; };
typedef struct result function(struct sbi *s, struct vcpu *v, const uint64_t *a);

static struct result value(uint64_t v)         { return (struct result){ .value = v }; }
static struct result failure(enum sbi_error e) { return (struct result){ .error = e }; }

static uint32_t hart_state(const struct sbi *s, unsigned h)
{
    return __atomic_load_n(&s->hart[h].state, __ATOMIC_ACQUIRE);
}
/* Release: whoever sees the new state also sees the registers written before. */
static void set_hart_state(struct sbi *s, unsigned h, enum sbi_hart_state state)
{
    __atomic_store_n(&s->hart[h].state, state, __ATOMIC_RELEASE);
}

/* ---- hart masks (3.1) ---- */
struct harts { uint64_t mask, base; };

static bool harts_are_valid(const struct sbi *s, struct harts m)
{
    if (m.base == SBI_ALL_HARTS || !m.mask) return true;
    return m.base < s->hart_count && log2_floor(m.mask) < s->hart_count - m.base;
}
static bool harts_have(struct harts m, unsigned h)
{
    return m.base == SBI_ALL_HARTS || (h >= m.base && h - m.base < 64 && (m.mask >> (h - m.base) & 1));
}
/* Those that run or sleep: a stopped hart gets neither interrupts nor fences, it starts clean. */
static bool is_target(const struct sbi *s, struct harts m, unsigned h)
{
    return harts_have(m, h) && hart_state(s, h) != SBI_HART_STOPPED;
}

static struct result send_ipi(struct sbi *s, struct harts m)
{
    if (!harts_are_valid(s, m)) return failure(SBI_INVALID_PARAM);
    for (unsigned h = 0; h < s->hart_count; h++)
        if (is_target(s, m, h)) vcpu_set_pin(&s->vcpus[h], RV_IRQ_SSI, true);
    return value(0);
}

/* All are asked before anyone is waited for. Two harts may fence each other: the waiter serves its own. */
static struct result fence(struct sbi *s, struct vcpu *self, struct harts m, uint32_t fences)
{
    uint64_t asked = 0;
    if (!harts_are_valid(s, m)) return failure(SBI_INVALID_PARAM);
    for (unsigned h = 0; h < s->hart_count; h++) {
        if (!is_target(s, m, h)) continue;
        vcpu_fence_ask(&s->vcpus[h], fences);
        asked |= bit64(h);
    }
    for (unsigned h = 0; h < s->hart_count; h++) {
        if (!(asked >> h & 1)) continue;
        if (&s->vcpus[h] == self) vcpu_fence_obey(self);
        else vcpu_fence_wait(&s->vcpus[h], self);
    }
    return value(0);
}
_Static_assert(RV_MAX_HARTS <= 64, "a word holds a bit for each hart");

/* ---- BASE (chapter 4) ---- */
static function probe_extension;
static struct result get_spec_version(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)s, (void)v, (void)a;
    return value(SBI_SPEC_VERSION);
}
static struct result get_impl_id(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)s, (void)v, (void)a;
    return value(SBI_IMPL_ID);
}
static struct result get_impl_version(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)s, (void)v, (void)a;
    return value(SBI_IMPL_VERSION);
}
/* mvendorid, marchid, mimpid: as the CSRs read */
static struct result get_machine_id(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)s, (void)v, (void)a;
    return value(0);
}

/* ---- TIME (chapter 6), IPI (7), RFENCE (8) ---- */
static struct result set_timer(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)s;
    rv_set_stimecmp(v, a[0]);
    return value(0);
}
static struct result ipi_send(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v;
    return send_ipi(s, (struct harts){ a[0], a[1] });
}
static struct result remote_fence_i(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    return fence(s, v, (struct harts){ a[0], a[1] }, VCPU_FENCE_CODE);
}
/* Address ranges and ASIDs may be over-fenced: the whole TLB is. */
static struct result remote_sfence(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    return fence(s, v, (struct harts){ a[0], a[1] }, VCPU_FENCE_TLB);
}

/* ---- HSM (chapter 9) ---- */
static struct result hart_start(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v;
    uint32_t stopped = SBI_HART_STOPPED;
    if (a[0] >= s->hart_count) return failure(SBI_INVALID_PARAM);
    if ((a[1] & 1) || !gmem_is_ram(s->gmem, guest_phys_addr_make(a[1]), 2))
        return failure(SBI_INVALID_ADDRESS);
    unsigned h = (unsigned)a[0];
    struct vcpu *target = &s->vcpus[h];
    if (!__atomic_compare_exchange_n(&s->hart[h].state, &stopped, SBI_HART_START_PENDING, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return failure(SBI_ALREADY_AVAILABLE);
    rv_set_boot(target, true, a[1], h, a[2]);
    vcpu_fence_ask(target, VCPU_FENCE_TLB | VCPU_FENCE_CODE);   /* it slept through the others'; obeyed before it runs */
    set_hart_state(s, h, SBI_HART_STARTED);
    vcpu_ask(target, VCPU_REQUEST_IRQ);
    return value(0);
}
/* After this the registers may be another's: nothing touches them until is_started says so again. */
static struct result hart_stop(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)a;
    v->reservation.size_bytes = 0;
    vcpu_set_pin(v, RV_IRQ_SSI, false);
    vcpu_set_deadline(v, UINT64_MAX);
    set_hart_state(s, v->id, SBI_HART_STOPPED);
    return (struct result){ .is_gone = true };
}
static struct result hart_get_status(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v;
    if (a[0] >= s->hart_count) return failure(SBI_INVALID_PARAM);
    unsigned h = (unsigned)a[0];
    uint32_t state = hart_state(s, h);
    /* a suspended hart that was woken has had no occasion to say so */
    bool is_halted = __atomic_load_n(&s->vcpus[h].is_halted, __ATOMIC_RELAXED);
    if (state == SBI_HART_SUSPENDED && !is_halted) state = SBI_HART_STARTED;
    return value(state);
}
/* Retentive suspend is WFI under another name; losing state saves nothing here. */
static struct result hart_suspend(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    if ((uint32_t)a[0] != SBI_SUSPEND_RETENTIVE) {
        bool is_reserved = (a[0] & 0x7fffffff) && (a[0] & 0x7fffffff) < 0x10000000;
        return failure(is_reserved ? SBI_INVALID_PARAM : SBI_NOT_SUPPORTED);
    }
    __atomic_store_n(&v->is_halted, true, __ATOMIC_RELAXED);
    set_hart_state(s, v->id, SBI_HART_SUSPENDED);
    return value(0);
}

/* ---- SRST (chapter 10) ---- */
static struct result system_reset(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v;
    enum { SHUTDOWN, COLD_REBOOT, WARM_REBOOT };
    enum { NO_REASON, SYSTEM_FAILURE };
    uint32_t type = (uint32_t)a[0], reason = (uint32_t)a[1];
    if (type > WARM_REBOOT) return failure(type < 0xf0000000u ? SBI_INVALID_PARAM : SBI_NOT_SUPPORTED);
    if (reason > SYSTEM_FAILURE && reason < 0xe0000000u) return failure(SBI_INVALID_PARAM);
    s->host->power(s->host->vm, type == SHUTDOWN ? POWER_OFF : POWER_REBOOT, reason);
    return value(0);                    /* nobody reads it: the VM goes down before this hart goes on */
}

/* ---- DBCN (chapter 12) ---- */
/* [lo, hi:lo + size) as guest memory; hi must be 0: addresses here have 64 bits. */
static bool is_memory(const struct sbi *s, const uint64_t *a)
{
    return !a[2] && a[1] + a[0] >= a[1] && gmem_is_ram(s->gmem, guest_phys_addr_make(a[1]), a[0]);
}
static struct result console_write(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v;
    if (!a[0]) return value(0);
    if (!is_memory(s, a)) return failure(SBI_INVALID_PARAM);
    uint64_t want = a[0] < SBI_CONSOLE_CAP ? a[0] : SBI_CONSOLE_CAP, done = 0;
    while (done < want) {
        char text[256];                 /* a copy: the sink must not see memory that changes */
        uint64_t length = want - done < sizeof text ? want - done : sizeof text;
        if (vm_failed(gmem_read_bulk(s->gmem, guest_phys_addr_make(a[1] + done), text, length))) break;
        s->host->console_write(s->host->vm, text, length);
        done += length;
    }
    return done ? value(done) : failure(SBI_FAILED);
}
static struct result console_read(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v;
    if (!a[0]) return value(0);
    if (!is_memory(s, a)) return failure(SBI_INVALID_PARAM);
    uint64_t want = a[0] < SBI_CONSOLE_CAP ? a[0] : SBI_CONSOLE_CAP, done = 0;
    while (done < want) {
        char text[64];
        size_t room = want - done < sizeof text ? want - done : sizeof text;
        size_t length = s->console.read(s->console.ctx, text, room);
        if (!length) break;
        if (vm_failed(gmem_write_bulk(s->gmem, guest_phys_addr_make(a[1] + done), text, length))) break;
        done += length;
    }
    return value(done);
}
static struct result console_write_byte(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v;
    char c = (char)a[0];
    s->host->console_write(s->host->vm, &c, 1);
    return value(0);
}

/* ---- legacy, SBI 0.1 (chapter 5): the result alone, in a0 ---- */
/* Their hart masks lie in guest-virtual memory; a null pointer means all. */
static bool legacy_harts(struct vcpu *v, uint64_t at, struct harts *out)
{
    *out = (struct harts){ 0, at ? 0 : SBI_ALL_HARTS };
    return !at || !vm_failed(mmu_read(&v->mmu, guest_addr_make(at), 8, &out->mask));
}
static struct result legacy_send_ipi(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    struct harts m;
    return legacy_harts(v, a[0], &m) ? send_ipi(s, m) : failure(SBI_INVALID_ADDRESS);
}
static struct result legacy_fence(struct sbi *s, struct vcpu *v, const uint64_t *a, uint32_t fences)
{
    struct harts m;
    return legacy_harts(v, a[0], &m) ? fence(s, v, m, fences) : failure(SBI_INVALID_ADDRESS);
}
static struct result legacy_fence_i(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    return legacy_fence(s, v, a, VCPU_FENCE_CODE);
}
static struct result legacy_sfence(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    return legacy_fence(s, v, a, VCPU_FENCE_TLB);
}
static struct result legacy_getchar(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v, (void)a;
    unsigned char c;
    return s->console.read(s->console.ctx, (char *)&c, 1) ? value(c) : failure(SBI_FAILED);
}
static struct result legacy_clear_ipi(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)s, (void)a;
    vcpu_set_pin(v, RV_IRQ_SSI, false);
    return value(0);
}
static struct result legacy_shutdown(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)v, (void)a;
    s->host->power(s->host->vm, POWER_OFF, 0);
    return value(0);
}

/* ---- tables ---- */
static const struct extension {
    const char *name;
    uint32_t id;
    bool     is_legacy;
    unsigned count;
    function *call[7];
} extensions[] = {
    /* BASE */
    { "base",   0x10,       false, 7, { get_spec_version, get_impl_id, get_impl_version, probe_extension, get_machine_id,
                                         get_machine_id, get_machine_id } },
    { "time",   0x54494d45, false, 1, { set_timer } },                                                /* TIME */
    { "ipi",    0x735049,   false, 1, { ipi_send } },                                                 /* sPI */
    { "rfence", 0x52464e43, false, 3, { remote_fence_i, remote_sfence, remote_sfence } },             /* RFNC */
    { "hsm",    0x48534d,   false, 4, { hart_start, hart_stop, hart_get_status, hart_suspend } },     /* HSM */
    { "srst",   0x53525354, false, 1, { system_reset } },                                             /* SRST */
    { "dbcn",   0x4442434e, false, 3, { console_write, console_read, console_write_byte } },          /* DBCN */
    { "legacy-set-timer", 0, true,  1, { set_timer } },
    { "legacy-putchar", 1, true,  1, { console_write_byte } },
    { "legacy-getchar", 2, true,  1, { legacy_getchar } },
    { "legacy-clear-ipi", 3, true,  1, { legacy_clear_ipi } },
    { "legacy-send-ipi", 4, true,  1, { legacy_send_ipi } },
    { "legacy-fence-i", 5, true,  1, { legacy_fence_i } },
    { "legacy-sfence", 6, true,  1, { legacy_sfence } },
    { "legacy-sfence-asid", 7, true,  1, { legacy_sfence } },
    { "legacy-shutdown", 8, true,  1, { legacy_shutdown } },
};

static const struct extension *find_extension(uint64_t id)
{
    for (unsigned i = 0; i < ARRAY_COUNT(extensions); i++)
        if (extensions[i].id == (uint32_t)id) return &extensions[i];
    return NULL;
}
static struct result probe_extension(struct sbi *s, struct vcpu *v, const uint64_t *a)
{
    (void)s, (void)v;
    return value(find_extension(a[0]) ? 1 : 0);
}

unsigned sbi_kind(const struct vcpu *v)
{
    const struct extension *e = find_extension(v->regs.slot[A7]);
    return e ? (unsigned)(e - extensions) + 1 : 0;
}
const char *sbi_kind_name(unsigned kind)
{
    return !kind ? "unknown" : kind <= ARRAY_COUNT(extensions) ? extensions[kind - 1].name : NULL;
}
_Static_assert(ARRAY_COUNT(extensions) < EXITS_HYPERCALLS, "each is counted");

void sbi_call(struct sbi *s, struct vcpu *v)
{
    uint64_t *x = v->regs.slot;
    const uint64_t a[6] = { x[A0], x[A0 + 1], x[A0 + 2], x[A0 + 3], x[A0 + 4], x[A0 + 5] };
    const struct extension *e = find_extension(x[A7]);
    uint64_t number = (uint32_t)x[A6];
    if (hart_state(s, v->id) == SBI_HART_SUSPENDED) set_hart_state(s, v->id, SBI_HART_STARTED);
    struct result r = failure(SBI_NOT_SUPPORTED);
    if (e && e->is_legacy) {
        r = e->call[0](s, v, a);
        x[A0] = r.error ? (uint64_t)(int64_t)r.error : r.value;
        return;
    }
    if (e && number < e->count) r = e->call[number](s, v, a);
    if (r.is_gone) return;
    x[A0] = (uint64_t)(int64_t)r.error;
    x[A1] = r.value;
}

void sbi_reset(struct sbi *s, bool start_all)
{
    for (unsigned h = 0; h < s->hart_count; h++)
        set_hart_state(s, h, start_all || h == 0 ? SBI_HART_STARTED : SBI_HART_STOPPED);
}

bool sbi_is_started(const struct sbi *s, unsigned hart)
{
    uint32_t state = hart_state(s, hart);
    return state == SBI_HART_STARTED || state == SBI_HART_SUSPENDED;
}

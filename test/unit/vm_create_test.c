// SPDX-License-Identifier: Apache-2.0
/* vm_create by its configuration: what a guest then finds (memory, CPUs, initrd), and what is refused, with nothing lost.
 * The vCPUs are run from here, one after the other, without a scheduler. */
#include "hv/core/page.h"
#include "hv/isa/riscv64/machine.h"
#include "hv/isa/riscv64/state.h"
#include "hv/jit/info.h"
#include "hv/vm/vm.h"
#include "test/unit/engine.h"
#include "test/unit/fdt_reader.h"
#include "test/unit/pages.h"
#include "test/unit/riscv64_asm.h"

#define RAM    0x80000000ull
#define KERNEL (RAM + MIB(2))
#define MEMORY MIB(8)

static uint8_t initrd[5000];
static uint32_t kernel[64];

/* The files there are: kernel, firmware, initrd, and one that is empty. */
static const char *open_file(void *ctx, const char *path, struct blob *out)
{
    (void)ctx;
    *out = (struct blob){ kernel, sizeof kernel };
    if (!strcmp(path, "kernel") || !strcmp(path, "firmware")) return NULL;
    *out = (struct blob){ initrd, strcmp(path, "empty") ? sizeof initrd : 0 };
    return !strcmp(path, "initrd") || !strcmp(path, "empty") ? NULL : "no such file";
}
static const struct file_source files = { .open = open_file };

static struct vm_config small(void)
{
    test_pages();
    struct vm_config c = vm_config_default();
    c.memory_size = MEMORY;
    c.kernel_path = "kernel";
    c.exec_mode = TEST_ENGINE.mode;
    return c;
}
static struct vm *created(const struct vm_config *c)
{
    struct vm *vm = NULL;
    struct vm_error e = vm_create(c, &files, &vm);
    if (vm_failed(e)) printf("refused: %s\n", vm_error_text(e.kind));
    CHECK(!vm_failed(e) && vm && vm_state(vm) == VM_CREATED);
    return vm;
}
static void destroyed(struct vm *vm) { CHECK(!vm_failed(vm_destroy(vm))); }
#define KERNEL_IS(...) do { static const uint32_t w_[] = { __VA_ARGS__ }; memset(kernel, 0, sizeof kernel); memcpy(kernel, w_, sizeof w_); } while (0)

/* Gives each started vCPU turns until all stand still or fault; hypercalls are served between. */
static struct exec_result run_all(struct vm *vm, unsigned rounds)
{
    struct exec_result last = { .status = EXEC_CONTINUE };
    while (rounds--) {
        for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
            struct vcpu *v = &vm->vcpus[i];
            if (!vm->ops->is_started(vm->machine, i)) continue;
            v->request = 0;                                 /* the scheduler's word */
            (void)v->isa->take_irq(v);
            last = v->engine->run(v, 50);
            if (last.status == EXEC_IO_REQUEST) vm->ops->hypercall(vm->machine, v);
            else if (last.status == EXEC_FAULT) return last;
        }
    }
    return last;
}
static uint64_t ram(struct vm *vm, uint64_t at)
{
    uint64_t value;
    CHECK(!vm_failed(gmem_read_bulk(&vm->gmem, guest_phys_addr_make(at), &value, 8)));
    return value;
}
/* What the first hart was given in a1. */
static const uint8_t *tree_of(struct vm *vm)
{
    static uint8_t tree[RV_DTB_BYTES];
    CHECK(!vm_failed(gmem_read_bulk(&vm->gmem, guest_phys_addr_make(vm->vcpus[0].regs.slot[a1]), tree, sizeof tree)));
    return tree;
}

static char log_text[4096];
static void log_sink(void *ctx, enum log_level level, const char *line, size_t length)
{
    (void)ctx, (void)level;
    size_t have = strlen(log_text);
    if (have + length < sizeof log_text) memcpy(log_text + have, line, length), log_text[have + length] = 0;
}

TEST(R39_the_log_names_the_architecture)
{
    struct vm_config c = small();
    c.name = "box";
    KERNEL_IS(J(0));
    struct vm *vm = created(&c);
    log_text[0] = 0;
    log_set_level(LOG_INFO);
    log_set_sink(log_sink, NULL);
    struct vm_error e = vm_start(vm);
    log_set_sink(NULL, NULL);
    CHECK(!vm_failed(e));
    CHECK(strstr(log_text, "vm box: Architecture: riscv64, 1 vCPU, 8 MiB"));
    CHECK(!vm_failed(vm_stop(vm)));
    destroyed(vm);
}

TEST(R41_the_guest_reaches_its_last_byte_and_none_behind_it)
{
    static const uint64_t sizes[] = { MIB(6), MEMORY, MEMORY + 4096 };
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct vm_config c = small();
        c.memory_size = sizes[i];
        KERNEL_IS(LBU(a2, -1, s0), SB(s1, -1, s0), LBU(a3, -1, s0), LBU(a4, 0, s0));
        struct vm *vm = created(&c);
        CHECK_EQ_U64(fdt_u64(tree_of(vm), "/memory@80000000", "reg", 2), sizes[i]);
        CHECK_EQ_U64(gmem_size_bytes(&vm->gmem), sizes[i]);
        vm->vcpus[0].regs.slot[s0] = RAM + sizes[i];
        vm->vcpus[0].regs.slot[s1] = 0x5a;
        struct exec_result r = run_all(vm, 2);
        CHECK_EQ_U64(vm->vcpus[0].regs.slot[a3], 0x5a);
        CHECK(r.status == EXEC_FAULT && r.error.fault.kind == FAULT_BUS);
        CHECK_EQ_U64(r.error.fault.bus.addr.v, RAM + sizes[i]);
        CHECK_EQ_U64(r.next_pc.v, KERNEL + 12);
        destroyed(vm);
    }
}

/* Hart 0 starts one hart after the other until the machine says there is none; all of them meet at a barrier. */
TEST(R42_the_guest_counts_its_cpus_and_all_reach_a_barrier)
{
    enum { ARRIVED = 0, COUNTED = 8, REFUSAL = 16, OPEN = 24, PASSED = 32 };
    static const uint16_t counts[] = { 1, 2, 5, 16 };
    for (unsigned i = 0; i < ARRAY_COUNT(counts); i++) {
        struct vm_config c = small();
        c.vcpu_count = counts[i];
        KERNEL_IS(LI(t0, 1), SLLI(t0, t0, 31), LUI(t1, 0x300), ADD(s1, t0, t1), LI(t2, 1), AMOADD_D(zero, t2, s1), BNE(a0, zero, 72),
                  /* 28: hart 0 */ LUI(t1, 0x200), ADD(s3, t0, t1), LI(s2, 0),
                  /* 40: */ ADDI(s2, s2, 1), LUI(a7, 0x485), ADDI(a7, a7, 0x34d), LI(a6, 0), ADDI(a0, s2, 0), ADDI(a1, s3, 0), ECALL, BEQ(a0, zero, -28),
                  SD(s2, COUNTED, s1), SD(a0, REFUSAL, s1), LD(t2, ARRIVED, s1), BNE(t2, s2, -4), SD(s2, OPEN, s1), NOP,
                  /* 96: all */ LD(t2, OPEN, s1), BEQ(t2, zero, -4), ADDI(t3, s1, PASSED), LI(t2, 1), AMOADD_D(zero, t2, t3), J(0));
        struct vm *vm = created(&c);
        for (unsigned n = 0; n < 1000 && ram(vm, RAM + MIB(3) + PASSED) != counts[i]; n++) (void)run_all(vm, 1);
        CHECK_EQ_U64(ram(vm, RAM + MIB(3) + COUNTED), counts[i]);
        CHECK_EQ_U64(ram(vm, RAM + MIB(3) + REFUSAL), (uint64_t)-3);            /* SBI_ERR_INVALID_PARAM: no such hart */
        CHECK_EQ_U64(ram(vm, RAM + MIB(3) + ARRIVED), counts[i]);
        CHECK_EQ_U64(ram(vm, RAM + MIB(3) + PASSED), counts[i]);
        destroyed(vm);
    }
}

TEST(R43_the_mode_chooses_the_engine)
{
    struct vm_config c = small();
    KERNEL_IS(LI(a0, 100), ADDI(a0, a0, -1), BNE(a0, zero, -4), J(0));
    for (enum exec_mode mode = EXEC_INTERPRETER; mode <= EXEC_JIT; mode++) {
        struct exec_stats s;
        c.exec_mode = mode;
        struct vm *vm = created(&c);
        CHECK(vm->vcpus[0].engine->mode == mode);
        (void)run_all(vm, 10);
        vm_stats(vm, &s);
        CHECK(s.executed_insns > 200 && !!s.jit_compiles == (mode == EXEC_JIT) && !!s.jit_compile_time_ns == (mode == EXEC_JIT));
        destroyed(vm);
    }
    c.exec_mode = EXEC_INTERPRETER;
    c.is_mode_auto = true;                                  /* the fastest that a host without hardware for it has */
    struct vm *vm = created(&c);
    CHECK(vm->vcpus[0].engine == &JIT_ENGINE && vm->config.exec_mode == EXEC_JIT);
    destroyed(vm);
    c.is_audited = true;
    c.vcpu_count = 1;
    c.code_cache_bytes = KIB(64);
    vm = created(&c);
    CHECK(vm->vcpus[0].engine == &AUDIT_ENGINE && vm->config.exec_mode == EXEC_JIT);
    (void)run_all(vm, 10);
    struct jit_info j;
    CHECK(jit_info_of(&vm->vcpus[0], &j) && j.limit_bytes == KIB(64) && j.compiles);
    destroyed(vm);
}

TEST(R44_without_a_kernel_a_machine_is_made_all_the_same)
{
    static const struct { const char *kernel, *firmware; uint64_t pc; enum rv_privilege privilege; } rows[] = {
        { "kernel", NULL, KERNEL, RV_S }, { NULL, "firmware", RAM, RV_M }, { "kernel", "firmware", RAM, RV_M }, { NULL, NULL, RAM, RV_M } };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct vm_config c = small();
        c.kernel_path = rows[i].kernel, c.firmware_path = rows[i].firmware;
        KERNEL_IS(LI(s0, 42), J(0));
        struct vm *vm = created(&c);
        struct vcpu *v = &vm->vcpus[0];
        CHECK_EQ_U64(v->regs.pc, rows[i].pc);
        CHECK_EQ_U64(v->isa->privilege(v), rows[i].privilege);
        CHECK(vm->ops->is_started(vm->machine, 0));
        if (!rows[i].kernel && !rows[i].firmware) {         /* a test image comes later, by hand */
            CHECK(!vm_failed(gmem_load(&vm->gmem, guest_phys_addr_make(RAM), kernel, sizeof kernel)));
        }
        (void)run_all(vm, 1);
        CHECK_EQ_U64(v->regs.slot[s0], 42);
        destroyed(vm);
    }
}

TEST(R45_the_guest_finds_the_initrd_byte_by_byte)
{
    uint64_t want = 0;
    for (unsigned i = 0; i < sizeof initrd; i++) {
        initrd[i] = (uint8_t)(i * 31 + 7);
        want = want * 5 + initrd[i];
    }
    struct vm_config c = small();
    c.initrd_path = "initrd";
    KERNEL_IS(LI(a0, 0), LI(t0, 5), MUL(a0, a0, t0), LBU(t1, 0, s0), ADD(a0, a0, t1), ADDI(s0, s0, 1), BNE(s0, s1, -16), J(0));
    struct vm *vm = created(&c);
    const uint8_t *tree = tree_of(vm);
    uint64_t from = fdt_u64(tree, "/chosen", "linux,initrd-start", 0), end = fdt_u64(tree, "/chosen", "linux,initrd-end", 0);
    CHECK_EQ_U64(end - from, sizeof initrd);
    vm->vcpus[0].regs.slot[s0] = from, vm->vcpus[0].regs.slot[s1] = end;
    (void)run_all(vm, 1000);
    CHECK_EQ_U64(vm->vcpus[0].regs.pc, KERNEL + 28);
    CHECK_EQ_U64(vm->vcpus[0].regs.slot[a0], want);
    destroyed(vm);
    c.initrd_path = NULL;
    vm = created(&c);
    CHECK(!fdt_has(tree_of(vm), "/chosen", "linux,initrd-start"));
    destroyed(vm);
}

TEST(R52_what_cannot_be_made_is_an_error_and_costs_nothing)
{
    static const struct { const char *what; struct vm_config c; enum vm_error_kind kind; const char *says; } bad[] = {
#define BAD(what, memory, vcpus, kernel, kind, says, ...) \
        { what, { .guest_arch = GUEST_RISCV64, .memory_size = memory, .vcpu_count = vcpus, .kernel_path = kernel, __VA_ARGS__ }, kind, says }
        BAD("no kernel file",   MEMORY,  1, "nowhere", VM_CORE_CONFIG, "kernel: no such file",     .initrd_path = "initrd"),
        BAD("empty kernel",     MEMORY,  1, "empty",   VM_CORE_CONFIG, "kernel: the file is empty", .initrd_path = "initrd"),
        BAD("no initrd file",   MEMORY,  1, "kernel",  VM_CORE_CONFIG, "initrd: no such file",     .initrd_path = "nowhere"),
        BAD("no firmware file", MEMORY,  1, "kernel",  VM_CORE_CONFIG, "firmware: no such file",   .firmware_path = "nowhere"),
        BAD("no disk image",    MEMORY,  1, "kernel",  VM_CORE_CONFIG, "disk: no such file",       .disk = { { .kind = DISK_IMAGE, .path = "nowhere" } }, .disk_count = 1),
        BAD("option",           MEMORY,  1, "kernel",  VM_CORE_INVALID_CONFIG, "option",           .option = { "mmu=sv32" }, .option_count = 1),
        BAD("too small",        MIB(2),  1, "kernel",  VM_CORE_INVALID_CONFIG, "4M",               .initrd_path = "initrd"),
        BAD("0 bytes",          0,       1, "kernel",  VM_CORE_INVALID_CONFIG, "0 bytes",          .initrd_path = "initrd"),
        BAD("0 vCPUs",          MEMORY,  0, "kernel",  VM_CORE_INVALID_CONFIG, "vCPU",             .initrd_path = "initrd"),
        BAD("too large",        GIB(64), 1, "kernel",  VM_CORE_RESOURCE_EXHAUSTED, "memory",       .initrd_path = "initrd"),
#undef BAD
    };
    (void)small();
    KERNEL_IS(J(0));
    uint64_t pages = page_available();
    unsigned vms = vm_count();
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        struct vm *vm = NULL;
        struct vm_error e = vm_create(&bad[i].c, &files, &vm);
        if (e.kind != bad[i].kind || !strstr(e.reason, bad[i].says)) printf("%s: %s\n", bad[i].what, e.kind ? e.reason : "made");
        CHECK(e.kind == bad[i].kind && e.domain == VM_ERROR_CORE && strstr(e.reason, bad[i].says) && !vm);
        CHECK_EQ_U64(page_available(), pages);
        CHECK_EQ_U64(vm_count(), vms);
    }
    struct vm_config c = small();
    destroyed(created(&c));                                 /* and the next one is made */
}

TEST(R63_missing_hardware_is_a_platform_error_and_the_machine_stays_usable)
{
    struct vm_config c = small();
    struct vm *vm = NULL;
    KERNEL_IS(LI(s0, 42), J(0));
    c.exec_mode = EXEC_HARDWARE;
    struct vm_error e = vm_create(&c, &files, &vm);
    CHECK(e.domain == VM_ERROR_PLATFORM && e.kind == VM_PLATFORM_ACCELERATION_UNAVAILABLE && !vm);
    char text[200];
    vm_error_format(text, sizeof text, &e);
    CHECK(strstr(text, "hardware"));
    c.is_mode_auto = true;                                  /* the fallback that a configuration may ask for */
    vm = created(&c);
    (void)run_all(vm, 1);
    CHECK_EQ_U64(vm->vcpus[0].regs.slot[s0], 42);
    destroyed(vm);
}

TEST(R63_guests_that_only_hardware_runs_are_refused_by_a_host_of_another_kind)
{
    static const struct { bool is_auto; enum exec_mode mode; enum vm_error_kind kind; const char *says; enum guest_arch arch; } rows[] = {
        { true, EXEC_INTERPRETER, VM_PLATFORM_UNSUPPORTED_ARCH, "arm64 guests run by hardware virtualization alone: this host is of another kind", GUEST_ARM64 },
        { false, EXEC_INTERPRETER, VM_PLATFORM_UNSUPPORTED_ARCH, "arm64 guests run by hardware virtualization alone: this host is of another kind", GUEST_ARM64 },
        { false, EXEC_HARDWARE, VM_PLATFORM_ACCELERATION_UNAVAILABLE, "mode = hardware needs a guest of the host's own kind", GUEST_ARM64 },
        { true, EXEC_INTERPRETER, VM_PLATFORM_UNSUPPORTED_ARCH, "x86_64 guests run by hardware virtualization alone: this host is of another kind",
          GUEST_X86_64 },
        { false, EXEC_HARDWARE, VM_PLATFORM_ACCELERATION_UNAVAILABLE, "mode = hardware needs a guest of the host's own kind", GUEST_X86_64 },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct vm_config c = small();
        struct vm *vm = NULL;
        c.guest_arch = rows[i].arch;
        c.is_mode_auto = rows[i].is_auto;
        c.exec_mode = rows[i].mode;
        struct vm_error e = vm_create(&c, &files, &vm);
        CHECK(e.domain == VM_ERROR_PLATFORM && e.kind == rows[i].kind && !vm);
        CHECK_STR(e.reason, rows[i].says);
    }
}

TEST(guests_of_other_architectures_are_refused_by_name)
{
    static const struct { enum guest_arch arch; const char *says; } rows[] = { { GUEST_PPC64, "powerpc64 guests are not supported yet" } };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned mode = 0; mode < EXEC_MODE_COUNT; mode++) {
            struct vm_config c = small();
            struct vm *vm = NULL;
            c.guest_arch = rows[i].arch;
            c.exec_mode = (enum exec_mode)mode;
            struct vm_error e = vm_create(&c, &files, &vm);
            CHECK(e.domain == VM_ERROR_PLATFORM && e.kind == VM_PLATFORM_UNSUPPORTED_ARCH && !vm);
            CHECK_STR(e.reason, rows[i].says);
        }
    }
}

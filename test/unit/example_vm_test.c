// SPDX-License-Identifier: Apache-2.0
/* A whole program against the core's API: the example of docs/vm-interface.md, and what else a program sees of a VM. Between
 * the two marks below stands what the document shows; test/lint/interface.sh compares them. */
#include "hv/vm/vm.h"
#include "test/unit/guest.h"

/* The guest: sum = 1 + 2 + ... + 100 to 0x80300000, then power off. Loaded as a raw kernel at 0x80200000. */
static uint32_t kernel[16];
static void make_kernel(void)
{
    const uint32_t code[] = { rv_li(A0, 100), rv_li(S1, 0), rv_add(S1, S1, A0), rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -8), rv_lui(A2, 0x80300),
                              rv_slli(A2, A2, 32), rv_i(0x13, 5, A2, A2, 32), rv_sd(S1, A2, 0), rv_lui(A3, 0x100), rv_lui(A4, 5), rv_addi(A4, A4, 0x555),
                              rv_sw(A4, A3, 0), rv_j(0) };
    memset(kernel, 0, sizeof kernel);
    memcpy(kernel, code, sizeof code);
}

/* example begins */
/* Where paths come from: here there is one file, in memory. */
static const char *open_file(void *ctx, const char *path, struct blob *out)
{
    (void)ctx, (void)path;
    *out = (struct blob){ kernel, sizeof kernel };
    return NULL;
}

/* Creates a machine, runs it to its end without a scheduler, and reads the result from its memory. */
static struct vm_error run_example(uint64_t *result, struct exec_stats *stats)
{
    const struct file_source files = { .open = open_file };
    const struct vm_config config = { .guest_arch = GUEST_RISCV64, .memory_size = MIB(8), .vcpu_count = 1,
                                      .exec_mode = EXEC_INTERPRETER, .kernel_path = "kernel" };
    struct vm *vm;
    struct vm_error e = vm_create(&config, &files, &vm);
    if (vm_failed(e)) return e;

    struct vcpu *v = &vm->vcpus[0];
    struct exec_result r;
    do {
        v->request &= VCPU_REQUEST_EXIT;                     /* what a host would look at between two runs */
        (void)v->isa->take_irq(v);                           /* after EXEC_INTERRUPT_PENDING: into the guest's handler */
        r = v->engine->run(v, 10000);
        if (r.status == EXEC_IO_REQUEST) vm->ops->hypercall(vm->machine, v);
        mmu_poll_devices(&vm->bus, arch_time_ns());
    } while (r.status != EXEC_OK && r.status != EXEC_FAULT && r.status != EXEC_FAILED);

    if (r.status == EXEC_OK) e = mmu_read(&v->mmu, guest_addr_make(0x80300000), 8, result);
    else e = r.error;
    vm_stats(vm, stats);
    struct vm_error last = vm_destroy(vm);
    return vm_failed(e) ? e : last;
}
/* example ends */

TEST(R97_R99_R124_R156_R171_a_program_creates_runs_and_inspects_a_machine)
{
    uint64_t sum = 0;
    struct exec_stats stats;
    test_pages();
    make_kernel();
    CHECK(!vm_failed(run_example(&sum, &stats)));                    /* the heap keeps some pages of the first */
    uint64_t pages = page_available();
    sum = 0;
    CHECK(!vm_failed(run_example(&sum, &stats)));
    CHECK_EQ_U64(sum, 5050);
    CHECK_EQ_U64(stats.executed_insns, 2 + 3 * 100 + 8 + 1);         /* and the jump that the power-off finds it in */
    CHECK_EQ_U64(page_available(), pages);
}

static struct vm *example_vm(unsigned vcpus)
{
    const struct file_source files = { .open = open_file };
    struct vm_config config = VM_CONFIG_DEFAULT;
    struct vm *vm = NULL;
    config.memory_size = MIB(8), config.vcpu_count = (uint16_t)vcpus, config.kernel_path = "kernel";
    test_pages();
    make_kernel();
    CHECK(!vm_failed(vm_create(&config, &files, &vm)));
    return vm;
}

TEST(R121_code_written_through_one_vcpus_mmu_makes_the_others_look_again)
{
    struct vm *vm = example_vm(3);
    uint32_t word = rv_li(A0, 1);
    for (unsigned i = 0; i < 3; i++) vm->vcpus[i].fence_pending = 0;
    CHECK(!vm_failed(mmu_write_bulk(&vm->vcpus[1].mmu, guest_addr_make(0x80200000), &word, 4)));
    CHECK(vm->vcpus[0].fence_pending == VCPU_FENCE_CODE && !vm->vcpus[1].fence_pending && vm->vcpus[2].fence_pending == VCPU_FENCE_CODE);
    vcpu_enter_guest(&vm->vcpus[2]);
    CHECK(!vm->vcpus[2].fence_pending);                              /* obeyed before guest code runs */
    vcpu_leave_guest(&vm->vcpus[2]);
    CHECK(!vm_failed(vm_destroy(vm)));
}

TEST(R123_the_device_map_is_frozen_once_the_machine_is_made)
{
    struct vm *vm = example_vm(1);
    struct mmio_region r = { .base = { 0x40000000 }, .size_bytes = 4096, .min_access_bytes = 1, .max_access_bytes = 8, .ops = &GUEST_POWER_OPS };
    CHECK(mmu_map_mmio(&vm->bus, &r).kind == VM_CORE_INVALID_STATE);
    CHECK(!vm_failed(vm_destroy(vm)));
}

TEST(R143_R152_R153_R154_a_vcpus_state_is_exported_with_its_machines_memory)
{
    static struct vcpu_state s;
    static uint8_t image[MIB(8)];
    struct vm *vm = example_vm(2);
    for (unsigned i = 0; i < 2; i++) {
        struct vcpu *v = &vm->vcpus[i];
        v->request = 0;
        if (!i) CHECK(v->engine->run(v, 100).status == EXEC_CONTINUE);
        vcpu_get_state(v, &s);
        CHECK(s.vcpu_id == i && !s.running && s.state.pc.v == vcpu_get_pc(v).v && s.guest_arch == GUEST_RISCV64);
        CHECK(s.state.memory == &vm->gmem && gmem_size_bytes(s.state.memory) == MIB(8));
        CHECK(!memcmp(&s.state.regs.slot, &v->regs.slot, sizeof s.state.regs.slot));
    }
    CHECK(!vm_failed(gmem_read_bulk(s.state.memory, guest_phys_addr_make(0x80000000), image, sizeof image)));
    CHECK(!memcmp(image + MIB(2), kernel, sizeof kernel));           /* the image is the guest's memory */
    for (uint64_t at = 0; at < sizeof image; at += 4093) {
        uint64_t byte;
        vm->vcpus[0].regs.pc = 0x80200000;
        CHECK(!vm_failed(mmu_read(&vm->vcpus[0].mmu, guest_addr_make(0x80000000 + at), 1, &byte)) && byte == image[at]);
    }
    CHECK(!vm_failed(vm_destroy(vm)));
}

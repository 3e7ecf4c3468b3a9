// SPDX-License-Identifier: Apache-2.0
/* The lives of machines: what is possible in which state, reset, whose the configuration's texts are, and that nothing stays
 * behind. The test is the only core. */
#include "hv/core/heap.h"
#include "test/unit/one_core.h"

/* Counts in 0x80300000, for ever. */
ONE_FILE(counter, rv_lui(A2, 0x80300), rv_slli(A2, A2, 32), rv_i(0x13, 5, A2, A2, 32), rv_addi(A0, A0, 1), rv_sd(A0, A2, 0), rv_j(-8))
ONE_FILE(quitter, ONE_POWER_OFF)
#define COUNT_AT 0x80300000ull

/* Why it is refused; "" when it is done. */
static const char *why(struct vm_error e)
{
    CHECK(!vm_failed(e) || e.kind == VM_CORE_INVALID_STATE);
    return vm_failed(e) ? e.reason : "";
}

TEST(lives_what_a_state_does_not_allow_says_what_to_do)
{
    struct vm *vm = one_vm_of(&counter, vm_config_default(), "lives");
    CHECK_STR(why(vm_pause(vm)), "it is not started yet: start it first");
    CHECK_STR(why(vm_resume(vm)), "it is not started yet: start it");
    CHECK(strstr(why(vm_stop(vm)), "not started yet"));
    CHECK_STR(why(vm_start(vm)), "");
    CHECK_STR(why(vm_start(vm)), "it runs already");
    CHECK_STR(why(vm_resume(vm)), "it runs already");
    CHECK_STR(why(vm_destroy(vm)), "it is running: stop it first");
    CHECK_STR(why(vm_pause(vm)), "");
    CHECK_STR(why(vm_pause(vm)), "it is paused already");
    CHECK_STR(why(vm_start(vm)), "it is paused: resume it");
    CHECK_STR(why(vm_destroy(vm)), "it is paused: stop it first");
    CHECK_STR(why(vm_stop(vm)), "");
    CHECK_STR(why(vm_stop(vm)), "it is stopped already");
    CHECK_STR(why(vm_start(vm)), "it is stopped: reset it first");
    CHECK_STR(why(vm_pause(vm)), "it is stopped: reset it and start it first");
    CHECK_STR(why(vm_resume(vm)), "it is stopped: reset it, then start it");
    CHECK(vm_state(vm) == VM_STOPPED && vm->end == VM_END_STOPPED_BY_HOST);
    CHECK(!vm_failed(vm_destroy(vm)));
}

TEST(lives_reset_makes_the_machine_anew_in_every_state)
{
    struct vm *vm = one_vm_of(&counter, vm_config_default(), "anew");
    CHECK(!vm_failed(vm_reset(vm)) && vm_state(vm) == VM_CREATED);
    CHECK(!vm_failed(vm_start(vm)));
    one_turns(3);
    uint64_t counted = one_ram(vm, COUNT_AT);
    CHECK(counted > 1000);
    CHECK(!vm_failed(vm_reset(vm)) && vm_state(vm) == VM_RUNNING);
    CHECK_EQ_U64(vcpu_get_pc(&vm->vcpus[0]).v, ONE_KERNEL);
    CHECK_EQ_U64(vm->vcpus[0].regs.slot[A0], 0);
    one_turns(1);
    CHECK(vm->vcpus[0].regs.slot[A0] > 1000);                        /* it goes on by itself */
    CHECK(!vm_failed(vm_pause(vm)));
    CHECK(!vm_failed(vm_reset(vm)) && vm_state(vm) == VM_PAUSED);
    one_turns(3);
    CHECK_EQ_U64(vcpu_get_pc(&vm->vcpus[0]).v, ONE_KERNEL);          /* and a paused one does not */
    CHECK(!vm_failed(vm_resume(vm)));
    one_turns(3);
    CHECK(vm->vcpus[0].regs.slot[A0] > 1000);
    CHECK(!vm_failed(vm_stop(vm)) && !vm_failed(vm_reset(vm)));
    CHECK(vm_state(vm) == VM_CREATED && vm->end == VM_END_NONE);
    one_turns(3);
    CHECK_EQ_U64(vm->vcpus[0].regs.slot[A0], 0);
    CHECK(!vm_failed(vm_start(vm)));
    one_turns(3);
    CHECK(vm->vcpus[0].regs.slot[A0] > 1000);
    one_end(vm);
}

TEST(lives_a_guest_that_ended_starts_again_after_a_reset)
{
    struct vm *vm = one_vm_of(&quitter, vm_config_default(), "again");
    for (unsigned round = 0; round < 3; round++) {
        CHECK(!vm_failed(vm_start(vm)));
        one_until(vm, VM_STOPPED);
        CHECK(vm->end == VM_END_POWER_OFF);
        CHECK(!vm_failed(vm_reset(vm)));
    }
    CHECK_EQ_U64(quitter.opened, 1);                                 /* its file stays open for that */
    one_end(vm);
    CHECK_EQ_U64(quitter.opened, 0);
}

TEST(lives_reset_leaves_the_guests_time_at_its_beginning)
{
    struct vm *vm = one_vm_of(&counter, vm_config_default(), "clock");
    CHECK(!vm_failed(vm_start(vm)));
    one_turns(10);
    uint64_t ran = guest_clock_ticks(&vm->clock);
    CHECK(!vm_failed(vm_pause(vm)) && !vm_failed(vm_reset(vm)));
    CHECK(ran > 0 && guest_clock_ticks(&vm->clock) == 0);
    one_end(vm);
}

TEST(lives_the_descriptions_texts_are_the_vms_own)
{
    char name[8] = "mine", cmdline[16] = "console=x", option[12] = "mmu=sv39", disk[8] = "file";
    struct vm_config c = vm_config_default();
    c.cmdline = cmdline, c.option[0] = option, c.option_count = 1;
    c.disk[0] = (struct disk_config){ .kind = DISK_IMAGE, .path = disk, .is_read_only = true }, c.disk_count = 1;
    static uint32_t sector[128];
    static struct one_file image = { sector, sizeof sector, 0 };
    struct vm *vm = one_vm_of(&image, c, name);
    memset(name, '#', sizeof name), memset(cmdline, '#', sizeof cmdline), memset(option, '#', sizeof option), memset(disk, '#', sizeof disk);
    CHECK_STR(vm->name, "mine");
    CHECK_STR(vm->config.name, "mine");
    CHECK_STR(vm->config.cmdline, "console=x");
    CHECK_STR(vm->config.option[0], "mmu=sv39");
    CHECK_STR(vm->config.disk[0].path, "file");
    CHECK_STR(vm->config.kernel_path, "kernel");
    CHECK(!vm->config.initrd_path);
    CHECK(!vm_failed(vm_reset(vm)));                                 /* reads them again */
    one_end(vm);
}

/* ---- nothing stays behind ---- */
static void one_life(unsigned n)
{
    struct vm *vm = one_vm_of(n & 1 ? &counter : &quitter, vm_config_default(), "short");
    CHECK(!vm_failed(vm_start(vm)));
    one_turns(n % 3);
    if (n % 5 == 0) CHECK(!vm_failed(vm_reset(vm)) || vm_state(vm) == VM_CREATED);
    one_end(vm);
}

TEST(lives_a_thousand_lives_leave_no_page_and_no_byte)
{
    one_core();
    uint64_t pages = page_available(), bytes = heap_used_bytes();
    for (unsigned n = 0; n < 1000; n++) one_life(n);
    CHECK_EQ_U64(page_available(), pages);
    CHECK_EQ_U64(heap_used_bytes(), bytes);
    CHECK(vm_count() == 0 && !counter.opened && !quitter.opened);
}

TEST(R52_a_creation_that_fails_at_any_page_leaves_nothing)
{
    const struct file_source files = { .ctx = &counter, .open = one_open, .close = one_close };
    struct vm_config c = vm_config_default();
    c.memory_size = MIB(8), c.vcpu_count = 2, c.kernel_path = "kernel", c.name = "unborn";
    c.disk[0] = (struct disk_config){ .kind = DISK_RAM, .size_bytes = MIB(1) }, c.disk_count = 1;
    one_core();
    one_life(1);
    uint64_t bytes = heap_used_bytes(), failures = 0;
    for (uint64_t n = 1;; n++) {
        struct vm *vm = NULL;
        page_fail_at(n);
        struct vm_error e = vm_create(&c, &files, &vm);
        page_fail_at(0);
        if (!vm_failed(e)) {
            CHECK(!vm_failed(vm_destroy(vm)));
            break;
        }
        failures++;
        CHECK(e.kind == VM_CORE_RESOURCE_EXHAUSTED && e.reason);
        CHECK_EQ_U64(heap_used_bytes(), bytes);
        CHECK(!vm_count() && !counter.opened);
    }
    CHECK(failures > 10);
    uint64_t pages = page_available();
    one_life(1);
    CHECK_EQ_U64(page_available(), pages);
}

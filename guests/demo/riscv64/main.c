// SPDX-License-Identifier: Apache-2.0
/* From firmware to the prompt. boot_main runs with paging off on the boot stack; kernel is the boot hart's
 * life. */
#include "demo.h"

static void kernel(struct hart *hart)
{
    (void)hart;
    plic_init();
    console_init();
    csr_set(sie, SIE_SOFT | SIE_TIMER);
    sbi_set_timer(now() + machine.timebase_hz / TICKS_PER_SECOND);
    interrupts_on();
    harts_start();
    virtio_init();
    u32 failed = selftest();
    if (contains(machine.bootargs, "stamp")) {
        const char *why = stamp(~0ul >> 1);
        print("STAMP-FAIL %s\n", why ? why : "");
        machine_stop(false, true);
    }
    if (contains(machine.bootargs, "autotest")) {
        if (failed) {
            print("DEMO-FAIL %u\n", failed);
        } else {
            print("DEMO-OK\n");
        }
        machine_stop(false, failed);
    }
    shell();
}

void boot_main(u64 hart_id, const void *dtb);
void boot_main(u64 hart_id, const void *dtb)
{
    bool found = machine_discover(hart_id, dtb);
    sbi_init();
    if (!found) {
        print("demo: the firmware passed no usable device tree (a1 = 0x%lx)\n", (u64)dtb);
        machine_stop(false, true);
    }
    print("\nHospes demo kernel for riscv64: %u hart%s, %lu MiB, %s\n", machine.harts_found,
          machine.harts_found == 1 ? "" : "s", machine.ram.size_bytes >> 20, machine.model);
    paging_init();
    harts[0].entry = kernel;
    hart_entry(hart_id, &harts[0]);
}

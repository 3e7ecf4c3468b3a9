// SPDX-License-Identifier: Apache-2.0
/* Harts: starting them (SBI HSM), giving them work (an IPI and a function pointer), waiting, time. */
#include "demo.h"

u64 now(void)
{
    return csr_read(time);
}

u64 microseconds(u64 since)
{
    return (now() - since) * 1000000 / machine.timebase_hz;
}

void interrupts_on(void)
{
    csr_set(sstatus, SSTATUS_SIE);
}

void interrupts_off(void)
{
    csr_clear(sstatus, SSTATUS_SIE);
}

void wait_for_interrupt(void)                          /* wakes even with SIE off, so nothing slips through */
{
    __asm__ volatile("wfi" ::: "memory");
    interrupts_on();
    interrupts_off();
}

static void hart_main(struct hart *hart)
{
    csr_write(sie, SIE_SOFT | SIE_TIMER);
    sbi_set_timer(now() + machine.timebase_hz / TICKS_PER_SECOND);
    __atomic_store_n(&hart->online, true, __ATOMIC_RELEASE);
    for (;;) {
        interrupts_off();
        void (*work)(u64) = __atomic_load_n(&hart->work, __ATOMIC_ACQUIRE);
        if (!work) {
            wait_for_interrupt();
            continue;
        }
        interrupts_on();
        work(hart->argument);
        __atomic_store_n(&hart->work, NULL, __ATOMIC_RELEASE);
    }
}

static bool is_online(const struct hart *hart)
{
    return __atomic_load_n(&hart->online, __ATOMIC_ACQUIRE);
}

void harts_start(void)
{
    harts[0].online = true;
    for (u32 h = 1; sbi_has(SBI_HSM) && h < machine.hart_count; h++) {
        harts[h].entry = hart_main;
        long error = sbi_hart_start(harts[h].id, (u64)hart_entry, (u64)&harts[h]);
        for (u64 start = now(); !error && !is_online(&harts[h]) && microseconds(start) < 10000000;) {
        }
        if (error || !is_online(&harts[h])) {
            print("hart %lu does not start (SBI error %ld)\n", harts[h].id, error);
        }
    }
}

bool hart_wait(struct hart *hart)
{
    for (u64 start = now(); microseconds(start) < 10000000;) {
        if (!__atomic_load_n(&hart->work, __ATOMIC_ACQUIRE)) {
            return true;
        }
    }
    return false;
}

bool hart_call(struct hart *hart, void (*function)(u64), u64 argument)
{
    if (!hart->online || !hart_wait(hart)) {
        return false;
    }
    hart->argument = argument;
    __atomic_store_n(&hart->work, function, __ATOMIC_RELEASE);
    return sbi_send_ipi(hart->id) == 0;
}

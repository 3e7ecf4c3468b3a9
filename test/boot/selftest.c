// SPDX-License-Identifier: Apache-2.0
/* A firmware of its own in place of boot/main.c: the host CPU's contract (hv/arch/arch.h) tried on a booted machine, by
 * the words on the command line. `fault=WORD` provokes an exception in the hypervisor instead; selftest.sh judges. */
#include "boot/boot_info.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/page.h"
#include "hv/core/panic.h"
#include "hv/core/percpu.h"
#include "hv/core/timer.h"
#include "hv/core/work.h"

extern const char __image_start[];

static const struct boot_info *boot;
static unsigned arrived, failures, fired;
static struct timer timer;

static void say(const char *format, ...) PRINTF(1, 2);
static void say(const char *format, ...)
{
    char line[240];
    va_list args;
    va_start(args, format);
    int n = hv_vsnprintf(line, sizeof line, format, args);
    va_end(args);
    boot->console->write(boot->console->ctx, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static void check(bool fact, const char *name)
{
    say("%s %s\n", fact ? "ok" : "FAIL", name);
    failures += !fact;
}

static void serve(void) { percpu_idle(); percpu_service(); }

static void core_entry(unsigned cpu)
{
    percpu_init(cpu);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    for (;;) serve();
}

static void tell_id(void *arg)   { *(unsigned *)arg = arch_cpu_id(); }
static void tell_time(void *arg) { *(uint64_t *)arg = arch_time_ns(); }
static void on_timer(void *arg)  { (void)arg; fired++; }

static void cores(void)
{
    arch_start_cpus(core_entry);
    say("cores %u\n", arch_cpu_count());
    uint64_t until = arch_time_ns() + 5000000000;
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < arch_cpu_count() - 1 && arch_time_ns() < until) arch_cpu_relax();
    check(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) == arch_cpu_count() - 1, "every core arrives");
    bool right = true, in_order = true;
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned cpu = 1; cpu < arch_cpu_count(); cpu++) {
            unsigned id = ~0u;
            uint64_t before = arch_time_ns(), there = 0;
            smp_call(cpu, tell_id, &id);
            smp_call(cpu, tell_time, &there);
            right &= id == cpu;
            in_order &= before <= there + 1000 && there <= arch_time_ns() + 1000;
        }
    }
    check(right, "calls run on the core they are meant for, and none is lost");
    check(in_order, "the clock is the same on every core");
}

static bool fires(uint64_t deadline_ns, uint64_t latest_ns)
{
    fired = 0;
    timer_arm(&timer, deadline_ns);
    while (!fired) serve();
    uint64_t now = arch_time_ns();
    return now >= deadline_ns && now < latest_ns;
}

static void timers(void)
{
    uint64_t now = arch_time_ns();
    timer_init(&timer, on_timer, NULL);
    check(fires(now + 30000000, now + 1000000000), "a timer fires, not early");
    check(fires(1, arch_time_ns() + 1000000000), "a deadline in the past fires at once");
    timer_arm(&timer, UINT64_MAX);
    arch_kick(arch_cpu_id());
    serve();
    check(true, "a kick of itself ends its sleep");
}

/* Every free 2 MiB block gets a tag of its own; none may be lost, and the image must survive. */
static void memory(void)
{
    static uint64_t *block[4096];
    unsigned count = 0;
    bool right = true;
    while (count < ARRAY_COUNT(block) && (block[count] = page_alloc(512, 512))) {
        for (unsigned i = 0; i < 512; i++) block[count][i * 512] = (uint64_t)&block[count][i * 512] ^ count;
        count++;
    }
    for (unsigned n = 0; n < count; n++) {
        for (unsigned i = 0; i < 512; i++) right &= block[n][i * 512] == ((uint64_t)&block[n][i * 512] ^ n);
        page_free(block[n], 512);
    }
    say("blocks %u\n", count);
    check(right && count > 16, "all free RAM is RAM, and no two pages are one");
}

static void fp(void)
{
    volatile double a = 1.5, b = 2.25;
    volatile float c = 3.0f;
    check(a * b + (double)c == 6.375, "floating point works");
}

static void input(void)
{
    char key = 0;
    say("type k\n");
    uint64_t until = arch_time_ns() + 10000000000;
    timer_arm(&timer, until);
    while (key != 'k' && arch_time_ns() < until) {
        if (!boot->console->read(boot->console->ctx, &key, 1) && boot->console->has_irq) serve();
    }
    check(key == 'k', "the console's input arrives");
}

static int deep(volatile int *p)
{
    volatile char burnt[512];
    volatile int next = *p + 1;
    if (next < 0) return 0;
    burnt[next & 511] = 1;
    return deep(&next) + burnt[0];
}

static void fault(const char *what)
{
    volatile int zero = 0;
    void (*nowhere)(void) = NULL;
    volatile uintptr_t low = 0x10;
    say("fault %s\n", what);
    if (!strcmp(what, "read")) say("%d\n", *(volatile int *)low);
    if (!strcmp(what, "write-code")) *(volatile char *)(uintptr_t)__image_start = 1;
    static const char constant[] = "constant";
    volatile uint32_t on_stack[4] = { 0 };
    if (!strcmp(what, "write-const")) *(volatile char *)(uintptr_t)constant = 1;
    if (!strcmp(what, "run-stack")) ((void (*)(void))(uintptr_t)on_stack)();
    if (!strcmp(what, "run-const")) ((void (*)(void))(uintptr_t)constant)();
    if (!strcmp(what, "run-data")) ((void (*)(void))page_alloc(1, 1))();
    if (!strcmp(what, "stack")) say("%d\n", deep(&zero));
    if (!strcmp(what, "undefined")) __builtin_trap();
    __asm__ volatile("" : "+r"(nowhere));
    if (!strcmp(what, "null-call")) nowhere();
    if (!strcmp(what, "panic")) panic("on purpose, %d", 42);
}

NORETURN void hospes_main(const struct boot_info *info)
{
    char text[160];
    uint64_t r;
    boot = info;
    percpu_init(0);
    say("selftest on %s, by %s\n", arch_description(text, sizeof text), info->loader);
    const char *at = strstr(info->cmdline, "fault=");
    if (at) {
        size_t n = strnlen(at + 6, sizeof text - 1);
        memcpy(text, at + 6, n);
        text[n] = 0;
        fault(text);
    }
    for (unsigned i = 0; i < info->module_count; i++) {
        say("module %u: %lu bytes, %.8s\n", i, (unsigned long)info->modules[i].size_bytes, (const char *)info->modules[i].base);
    }
    cores();
    timers();
    memory();
    fp();
    if (strstr(info->cmdline, "no-clock")) check(arch_wall_time_s() == 0, "the machine has no clock, and we have no idea of the time");
    else check(arch_wall_time_s() > 1700000000, "the wall clock is set");
    if (arch_random_u64(&r)) say("has a random source\n");
    if (strstr(info->cmdline, "input")) input();
    say("selftest: %u failed\n", failures);
    if (strstr(info->cmdline, "reboot")) arch_reboot();
    arch_power_off((int)failures);
}

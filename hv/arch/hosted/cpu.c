// SPDX-License-Identifier: Apache-2.0
/* Cores as threads; see arch.h and hosted.h. One clock thread stands for all cores' timers. */
#include "hv/arch/arch.h"
#include "hv/arch/hosted/hosted.h"
#include <execinfo.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* `armed`, `deadline` and the conditions belong to `lock`. */
static struct core {
    pthread_cond_t wake;
    uint64_t deadline_ns;
    pthread_t thread;
} cores[ARCH_MAX_CPUS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t clock_changed;
static unsigned cpu_count = 1;
static arch_irq_fn *handler;
static struct timespec boot_time;
static __thread unsigned this_cpu;
static __thread void *this_percpu;

unsigned arch_cpu_count(void)             { return cpu_count; }
unsigned arch_cpu_id(void)                { return this_cpu; }
void     arch_set_percpu(void *p)         { this_percpu = p; }
void    *arch_percpu(void)                { return this_percpu; }
void     arch_cpu_relax(void)             { sched_yield(); }
void     arch_irq_handler(arch_irq_fn *h) { __atomic_store_n(&handler, h, __ATOMIC_RELEASE); }
const char *arch_name(void)               { return "hosted"; }

uint64_t arch_ticks(void)               { return arch_time_ns(); }
uint64_t arch_ticks_ns(uint64_t ticks)  { return ticks; }

uint64_t arch_time_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)(t.tv_sec - boot_time.tv_sec) * 1000000000u + (uint64_t)t.tv_nsec - (uint64_t)boot_time.tv_nsec;
}

uint64_t arch_wall_time_s(void) { return (uint64_t)time(NULL); }

static void interrupt(unsigned cpu, enum arch_irq what)
{
    arch_irq_fn *h = __atomic_load_n(&handler, __ATOMIC_ACQUIRE);
    if (h) h(cpu, what, 0);
}

static void *clock_thread(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    for (;;) {
        uint64_t next = UINT64_MAX, now = arch_time_ns();
        for (unsigned i = 0; i < cpu_count; i++) {
            struct core *c = &cores[i];
            if (c->deadline_ns <= now) {
                c->deadline_ns = UINT64_MAX;
                interrupt(i, ARCH_IRQ_TIMER);
                pthread_cond_broadcast(&c->wake);
            }
            if (c->deadline_ns < next) next = c->deadline_ns;
        }
        if (next == UINT64_MAX) {
            pthread_cond_wait(&clock_changed, &lock);
        } else {
            uint64_t at = next + (uint64_t)boot_time.tv_nsec;
            struct timespec t = { boot_time.tv_sec + (time_t)(at / 1000000000u), (long)(at % 1000000000u) };
            pthread_cond_timedwait(&clock_changed, &lock, &t);
        }
    }
    return NULL;
}

void hosted_init(unsigned count)
{
    pthread_condattr_t monotonic;
    pthread_t t;
    clock_gettime(CLOCK_MONOTONIC, &boot_time);
    cpu_count = count < 1 ? 1 : count > ARCH_MAX_CPUS ? ARCH_MAX_CPUS : count;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&clock_changed, &monotonic);
    for (unsigned i = 0; i < cpu_count; i++) {
        pthread_cond_init(&cores[i].wake, &monotonic);
        cores[i].deadline_ns = UINT64_MAX;
    }
    if (pthread_create(&t, NULL, clock_thread, NULL)) abort();
    pthread_detach(t);
}

struct start { void (*entry)(unsigned cpu); unsigned cpu; };

static void *core_thread(void *arg)
{
    struct start s = *(struct start *)arg;
    free(arg);
    this_cpu = s.cpu;
    s.entry(s.cpu);
    return NULL;
}

void arch_start_cpus(void (*entry)(unsigned cpu))
{
    for (unsigned i = 1; i < cpu_count; i++) {
        struct start *s = malloc(sizeof *s);
        if (!s) abort();
        *s = (struct start){ entry, i };
        if (pthread_create(&cores[i].thread, NULL, core_thread, s)) abort();
        pthread_detach(cores[i].thread);
    }
}

void arch_timer_set(uint64_t deadline_ns)
{
    pthread_mutex_lock(&lock);
    cores[this_cpu].deadline_ns = deadline_ns;
    pthread_cond_signal(&clock_changed);
    pthread_mutex_unlock(&lock);
}

void arch_kick(unsigned cpu)
{
    interrupt(cpu, ARCH_IRQ_KICK);
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&cores[cpu].wake);
    pthread_mutex_unlock(&lock);
}

void arch_idle(const uint32_t *attention)
{
    pthread_mutex_lock(&lock);
    while (!__atomic_load_n(attention, __ATOMIC_SEQ_CST)) pthread_cond_wait(&cores[this_cpu].wake, &lock);
    pthread_mutex_unlock(&lock);
}

const char *arch_random_name(void) { return "getrandom"; }

bool arch_random_u64(uint64_t *out) { return getrandom(out, sizeof *out, 0) == (ssize_t)sizeof *out; }

/* A process has no devices but models in its own memory. */
void *arch_map_device(uint64_t base, uint64_t size_bytes) { return size_bytes ? (void *)(uintptr_t)base : NULL; }

bool arch_irq_connect(const struct arch_line *line, void (*quiet)(void *arg), void *arg)
{
    (void)line, (void)quiet, (void)arg;
    return false;
}

bool arch_msi_connect(void (*quiet)(void *arg), void *arg, uint64_t *address, uint32_t *data)
{
    (void)quiet, (void)arg, (void)address, (void)data;
    return false;
}

void arch_dma_barrier(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

unsigned arch_backtrace(uintptr_t *out, unsigned cap)
{
    int n = backtrace((void **)out, (int)cap);
    return n < 0 ? 0 : (unsigned)n;
}

void arch_stop_others(void) {}
NORETURN void arch_halt(void) { for (;;) pause(); }
NORETURN void arch_reboot(void) { arch_power_off(0); }

NORETURN void arch_power_off(int status)
{
    fflush(NULL);
    _exit(status);
}

const char *arch_description(char *out, size_t cap_bytes)
{
    struct utsname u;
    if (uname(&u)) u.machine[0] = 0;
    snprintf(out, cap_bytes, "hosted on %s, hardware virtualization off: an ordinary process", u.machine);
    return out;
}

void *hosted_map(uint64_t size_bytes)
{
    void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

const void *arch_code_map(void *pages, uint64_t size_bytes)
{
    int fd = memfd_create("code", 0);
    if (fd < 0) return NULL;
    void *run = ftruncate(fd, (off_t)size_bytes) ? MAP_FAILED : mmap(NULL, size_bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    if (run != MAP_FAILED && mmap(pages, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        munmap(run, size_bytes);
        run = MAP_FAILED;
    }
    close(fd);
    return run == MAP_FAILED ? NULL : run;
}

void arch_code_written(const void *run, size_t size_bytes)
{
    __builtin___clear_cache((char *)run, (char *)run + size_bytes);
#if defined(__aarch64__)
    /* Emulators of user mode (QEMU before 8.1) see no cache maintenance, but they do see a page change its rights. */
    uintptr_t first = (uintptr_t)run & ~(uintptr_t)(HV_PAGE_BYTES - 1), end = (uintptr_t)run + size_bytes;
    (void)mprotect((void *)first, end - first, PROT_READ | PROT_WRITE);
    (void)mprotect((void *)first, end - first, PROT_READ | PROT_EXEC);
#endif
}

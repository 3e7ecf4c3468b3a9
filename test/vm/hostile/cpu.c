// SPDX-License-Identifier: Apache-2.0
/* Against the CPU: traps without end, code without sense, registers without mercy. */
#include "hostile.h"

static uint32_t code[4096] __attribute__((aligned(4096)));

void illegal_storm(uint64_t hart)
{
    (void)hart;
    csr_write("mtvec", 0);                  /* nothing there: the handler traps as well */
    __asm__ volatile(".word 0");
}
void trap_loop(uint64_t hart)
{
    (void)hart;
    csr_write("mtvec", 0x0000123456789000);
    __asm__ volatile("ecall");
}
void hopeless_handler(uint64_t hart)
{
    (void)hart;
    csr_write("mtvec", hopeless);
    __asm__ volatile(".word 0");
}
void spin(uint64_t hart)
{
    (void)hart;
    csr_write("mie", 0);
    for (;;) __asm__ volatile("");
}
void sleep_for_ever(uint64_t hart)
{
    (void)hart;
    csr_write("mie", 0);
    for (;;) __asm__ volatile("wfi");
}
void ipi_storm(uint64_t hart)
{
    csr_write("mtvec", ping);
    csr_write("mie", 8);
    csr_set("mstatus", 8);
    for (;;) *(volatile uint32_t *)(CLINT + 4 * (1 - (hart & 1))) = 1;
}
void timer_past(uint64_t hart)
{
    csr_write("mtvec", again);
    *(volatile uint64_t *)(CLINT + 0x4000 + 8 * hart) = 0;
    csr_write("mie", 0x80);
    csr_set("mstatus", 8);
    for (;;) __asm__ volatile("wfi");
}

/* ---- control registers ---- */
static unsigned put(unsigned n, uint32_t insn) { code[n] = insn; return n + 1; }
static uint32_t csr_insn(uint32_t csr, uint32_t funct3, uint32_t rd, uint32_t rs) { return csr << 20 | rs << 15 | funct3 << 12 | rd << 7 | 0x73; }

/* One access with t0 (x5) as source, then everything that would stop us is put right; t1 (x6) is mtvec. */
static void one_csr(uint32_t csr, uint32_t funct3, uint64_t value)
{
    enum { T0 = 5, T1 = 6, T2 = 7, WRITE = 1, MSTATUS = 0x300, MIE = 0x304, MTVEC = 0x305, SATP = 0x180 };
    unsigned n = put(0, csr_insn(csr, funct3, T2, T0));
    n = put(n, csr_insn(MTVEC, WRITE, 0, T1));
    n = put(n, csr_insn(MIE, WRITE, 0, 0));
    n = put(n, csr_insn(SATP, WRITE, 0, 0));
    n = put(n, 0x000023b7);                                 /* lui t2, 0x2 */
    n = put(n, 0x8003839b);                                 /* addiw t2, t2, -0x800: MPP = M, nothing else */
    n = put(n, csr_insn(MSTATUS, WRITE, 0, T2));
    put(n, 0x00008067);                                     /* ret */
    __asm__ volatile("fence.i" ::: "memory");
    register uint64_t t0 __asm__("t0") = value;
    register uint64_t t1 __asm__("t1") = (uint64_t)skip_m;
    __asm__ volatile("jalr ra, 0(%2)" : "+r"(t0), "+r"(t1) : "r"(code) : "ra", "t2", "t5", "t6", "memory");
}
static bool is_pmp(uint32_t csr) { return csr >= 0x3a0 && csr < 0x3f0; }

void all_csrs(uint64_t hart)
{
    if (hart) for (;;) __asm__ volatile("wfi");
    for (uint32_t csr = 0; csr < 4096; csr++) {
        for (uint32_t funct3 = 0; funct3 < 8; funct3++) {
            if (funct3 == 4 || (funct3 == 0 && (csr == 0x105 || csr == 0x102 || csr == 0x302))) continue;     /* wfi and returns; hypervisor loads */
            if (is_pmp(csr) && funct3 != 2) continue;       /* a lock would end the game: see locked_pmp */
            one_csr(csr, funct3, is_pmp(csr) ? 0 : ~0ull);
            if (!is_pmp(csr)) one_csr(csr, funct3, random_u64());
        }
    }
}
void locked_pmp(uint64_t hart)
{
    (void)hart;
    for (uint32_t i = 0; i < 500; i++) one_csr(0x3a0 + (uint32_t)random_u64() % 0x50, 1 + (uint32_t)random_u64() % 3, random_u64());
}

/* ---- firmware calls; entered as a kernel, in S-mode ---- */
void sbi_garbage(uint64_t hart)
{
    enum { HSM = 0x48534d, SRST = 0x53525354, LEGACY_SHUTDOWN = 8 };
    static const uint64_t extensions[] = { 0, 1, 2, 3, 4, 5, 6, 7, 9, 0x10, 0x54494d45, 0x735049, 0x52464e43, HSM, 0x4442434e, 0x504d55, 0x53555350 };
    if (hart) for (;;) __asm__ volatile("wfi");
    for (unsigned i = 0; i < 30000; i++) {
        uint64_t r = random_u64(), a[6];
        for (unsigned n = 0; n < 6; n++) {
            uint64_t v = random_u64();
            switch (r >> (8 * n + 8) & 7) {
            case 0: a[n] = 0; break;
            case 1: a[n] = ~0ull; break;
            case 2: a[n] = v & 7; break;
            case 3: a[n] = RAM + v % RAM_BYTES; break;
            case 4: a[n] = RAM + RAM_BYTES - (v & 15); break;
            case 5: a[n] = 1ull << (v & 63); break;
            default: a[n] = v; break;
            }
        }
        uint64_t extension = r & 0xf0 ? extensions[(r & 0xf) % 17] : random_u64();
        uint64_t function = r >> 60 ? (r >> 56 & 15) : random_u64();
        if (extension == SRST || extension == LEGACY_SHUTDOWN || (extension == HSM && function != 0 && function != 2)) continue;
        if (extension == 0x4442434e && function == 1) a[1] = RAM + RAM_BYTES - 4096 - (a[1] & 0xff);           /* what is read lands beside us */
        register uint64_t a0 __asm__("a0") = a[0], a1 __asm__("a1") = a[1], a2 __asm__("a2") = a[2], a3 __asm__("a3") = a[3];
        register uint64_t a4 __asm__("a4") = a[4], a5 __asm__("a5") = a[5], a6 __asm__("a6") = function, a7 __asm__("a7") = extension;
        __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7) : "t5", "t6", "memory");
    }
}

/* ---- code ---- */
void rewritten_code(uint64_t hart)
{
    if (hart) for (;;) __asm__ volatile("wfi");
    for (unsigned i = 0; i < 100000; i++) {
        unsigned at = (unsigned)random_u64() % 4000;
        code[at] = 0x00150513 + ((uint32_t)(i & 0x3ff) << 20);                       /* addi a0, a0, n */
        code[at + 1] = 0x00008067;
        if (i & 1) __asm__ volatile("fence.i" ::: "memory");
        call((uint64_t)&code[at]);
    }
}
/* Two harts write and run the same pages, and nobody fences. The last word stays a return: who slid past it would trap his
 * way through all of RAM, word by word. */
void rewritten_unfenced(uint64_t hart)
{
    for (unsigned i = 0; i < 4096; i++) code[i] = 0x00008067;
    for (unsigned i = 0; i < 100000; i++) {
        unsigned at = (unsigned)random_u64() % 4095;
        code[at] = i & 1 ? 0x00008067 : 0x00000013;
        call((uint64_t)&code[(unsigned)random_u64() % 4095]);
    }
    if (hart) for (;;) __asm__ volatile("wfi");
}

/* Random words, every second one with an opcode that exists: a jump into the middle, and on from every trap. */
void random_code(uint64_t hart)
{
    static const uint8_t opcode[] = { 0x03, 0x07, 0x0f, 0x13, 0x17, 0x1b, 0x23, 0x27, 0x2f, 0x33, 0x37, 0x3b, 0x43, 0x47, 0x4b, 0x4f, 0x53, 0x63, 0x67, 0x6f, 0x73 };
    uint32_t *at = (uint32_t *)(RAM + 0x200000);
    for (unsigned i = 0; i < 262144; i++) {
        uint64_t r = random_u64();
        at[i] = r >> 63 ? (uint32_t)r : ((uint32_t)r & ~0x7fu) | opcode[(r >> 32) % sizeof opcode];
    }
    csr_write("mtvec", elsewhere);
    csr_set("mstatus", 0x2000);             /* FS: the FPU is on */
    __asm__ volatile("fence.i" ::: "memory");
    call((uint64_t)(at + 1000 * hart));
}

// SPDX-License-Identifier: Apache-2.0
/* The CPU that a guest sees: the host's, less what we do not carry on (virtualization, performance counters, power states, machine
 * check banks), with an x2APIC and a TSC deadline always, and the marks by which Linux takes its clock from us (KVM's CPUID leaves and
 * kvmclock). docs/x86_64-machine.md lists it. SDM volume 2, CPUID; APM volume 3, appendix E; Linux Documentation/virt/kvm/x86/cpuid. */
#include "hv/base/string.h"
#include "hv/isa/x86_64/machine.h"

enum { EAX, EBX, ECX, EDX };
enum { MAX_BASIC = 0x16, MAX_EXTENDED = 0x8, MAX_HYPERVISOR = 0x1 };

#define BIT(n) (1u << (n))
/* leaf 1: SSE3 PCLMULQDQ SSSE3 FMA CMPXCHG16B SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
#define ONE_ECX (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
#define X2APIC       BIT(21)
#define TSC_DEADLINE BIT(24)
#define OSXSAVE      BIT(27)
#define HYPERVISOR   BIT(31)
/* leaf 1: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
#define ONE_EDX (0x3ffu | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26))
#define HTT          BIT(28)
/* leaf 7: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA; UMIP */
#define SEVEN_EBX (BIT(0) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(23) | BIT(24) | BIT(29))
#define SEVEN_ECX BIT(2)
#define SEVEN_EDX BIT(4)
/* 80000001H: LAHF ABM SSE4A MISALIGNSSE PREFETCH; SYSCALL NX 1GB RDTSCP LM */
#define EXT_ECX (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define EXT_EDX (BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29))
#define AMD_COPY 0x0183f3ffu                /* of leaf 1's EDX */
#define KVM_CLOCK (BIT(3) | BIT(24))        /* clock at the new MSRs, and stable between CPUs */

static void set(uint32_t r[4], uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    r[EAX] = a;
    r[EBX] = b;
    r[ECX] = c;
    r[EDX] = d;
}

static void set_text(uint32_t r[4], uint32_t a, const char *text)
{
    set(r, a, load_le32(text), load_le32(text + 4), load_le32(text + 8));
}

static unsigned count_bits(unsigned count) { return count > 1 ? log2_floor(count - 1) + 1u : 0; }

static void leaf_1(const struct vcpu *v, unsigned count, uint32_t r[4])
{
    const struct x86_frame *f = &x86_state_const(v)->frame;
    r[EBX] = (r[EBX] & 0xff00u) | count << 16 | v->id << 24;
    r[ECX] = (r[ECX] & ONE_ECX) | X2APIC | TSC_DEADLINE | HYPERVISOR;
    if (f->cr4 & X86_CR4_OSXSAVE) r[ECX] |= OSXSAVE;
    r[EDX] = (r[EDX] & ONE_EDX) | (count > 1 ? HTT : 0);
}

/* 0BH: one thread a core, `count` cores. */
static void leaf_topology(const struct vcpu *v, uint32_t level, unsigned count, uint32_t r[4])
{
    enum { THREADS = 1, CORES = 2 };
    if (level == 0) set(r, 0, 1, level | THREADS << 8, v->id);
    else if (level == 1) set(r, count_bits(count), count, level | CORES << 8, v->id);
    else set(r, 0, 0, level, v->id);
}

/* 0DH: x87, SSE, AVX in the standard form; XSAVEOPT. The size for XCR0 as it is comes from the host, which has the guest's then. */
static void leaf_xsave(uint32_t subleaf, uint32_t r[4])
{
    enum { AVX = 4, LEGACY_BYTES = 576, XSAVEOPT = 1 };
    if (subleaf == 0) {
        uint32_t states = r[EAX] & 7;
        set(r, states, r[EBX], states & AVX ? X86_FPU_BYTES : LEGACY_BYTES, 0);
    } else if (subleaf == 1) {
        set(r, r[EAX] & XSAVEOPT, 0, 0, 0);
    } else if (subleaf != 2) {
        set(r, 0, 0, 0, 0);
    }
}

static void basic(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    unsigned count = x86_machine(v)->config.vcpu_count;
    uint64_t hz = x86_machine(v)->tsc_hz;
    uint32_t multiple;
    switch (leaf) {
    case 0x0: r[EAX] = MAX_BASIC;                                            break;
    case 0x1: leaf_1(v, count, r);                                           break;
    case 0x2:                                                                break;
    case 0x4: r[EAX] = (r[EAX] & 0x3fffu) | (r[EAX] & 0x1f ? (bit64(count_bits(count)) - 1) << 26 : 0);    break;
    case 0x6: set(r, BIT(2), 0, 0, 0);                                       break;    /* the APIC timer never stops */
    case 0x7:
        if (subleaf) set(r, 0, 0, 0, 0);
        else set(r, 0, r[EBX] & SEVEN_EBX, r[ECX] & SEVEN_ECX, r[EDX] & SEVEN_EDX);
        break;
    case 0xb: leaf_topology(v, subleaf, count, r);                           break;
    case 0xd: leaf_xsave(subleaf, r);                                     break;
    case 0x15: set(r, 1, 0, (uint32_t)x86_crystal_hz(hz, &multiple), 0); r[EBX] = multiple;    break;
    case 0x16: set(r, (uint32_t)(hz / 1000000), (uint32_t)(hz / 1000000), 100, 0);             break;
    default:  set(r, 0, 0, 0, 0);
    }
}

static void extended(struct vcpu *v, uint32_t leaf, uint32_t r[4])
{
    switch (leaf & 0xff) {
    case 0x0: r[EAX] = 0x80000000u + MAX_EXTENDED;                           break;
    case 0x1: r[ECX] &= EXT_ECX; r[EDX] &= EXT_EDX | (ONE_EDX & AMD_COPY);   break;
    case 0x2: case 0x3: case 0x4: case 0x5: case 0x6:                        break;
    case 0x7: set(r, 0, 0, 0, BIT(8));                                       break;    /* the TSC never changes its pace */
    case 0x8:
        if ((r[EAX] & 0xff) > 48) r[EAX] = (r[EAX] & ~0xffu) | 48;
        set(r, r[EAX] & 0xffffu, 0, x86_machine(v)->config.vcpu_count - 1u, 0);
        break;
    default:  set(r, 0, 0, 0, 0);
    }
}

void x86_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    if (leaf <= MAX_BASIC) basic(v, leaf, subleaf, r);
    else if (leaf == 0x40000000u) set_text(r, 0x40000000u + MAX_HYPERVISOR, "KVMKVMKVM\0\0");
    else if (leaf == 0x40000001u) set(r, KVM_CLOCK, 0, 0, 0);
    else if (leaf >= 0x80000000u && leaf <= 0x80000000u + MAX_EXTENDED) extended(v, leaf, r);
    else set(r, 0, 0, 0, 0);
}

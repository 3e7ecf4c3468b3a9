// SPDX-License-Identifier: Apache-2.0
/* Names of instructions for the monitor: what the common opcodes are called; their operands are not taken apart. */
#include "hv/base/fmt.h"
#include "hv/isa/x86_64/insn.h"
#include "hv/isa/x86_64/state.h"

static const char *const alu[] = { "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp" };
static const char *const condition[] = { "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g" };
static const struct { uint16_t op; const char *name; } names[] = {
    { 0x63, "movsxd" }, { 0x68, "push" }, { 0x6a, "push" }, { 0x69, "imul" }, { 0x6b, "imul" }, { 0x6c, "ins" }, { 0x6d, "ins" }, { 0x6e, "outs" },
    { 0x6f, "outs" }, { 0x84, "test" }, { 0x85, "test" }, { 0x86, "xchg" }, { 0x87, "xchg" }, { 0x88, "mov" }, { 0x89, "mov" }, { 0x8a, "mov" },
    { 0x8b, "mov" }, { 0x8c, "mov" }, { 0x8d, "lea" }, { 0x8e, "mov" }, { 0x90, "nop" }, { 0x9c, "pushf" }, { 0x9d, "popf" }, { 0xa4, "movs" },
    { 0xa5, "movs" }, { 0xa8, "test" }, { 0xa9, "test" }, { 0xaa, "stos" }, { 0xab, "stos" }, { 0xac, "lods" }, { 0xad, "lods" }, { 0xc2, "ret" },
    { 0xc3, "ret" }, { 0xc6, "mov" }, { 0xc7, "mov" }, { 0xc9, "leave" }, { 0xcb, "retf" }, { 0xcc, "int3" }, { 0xcd, "int" }, { 0xcf, "iret" },
    { 0xe4, "in" }, { 0xe5, "in" }, { 0xe6, "out" }, { 0xe7, "out" }, { 0xe8, "call" }, { 0xe9, "jmp" }, { 0xea, "jmpf" }, { 0xeb, "jmp" },
    { 0xec, "in" }, { 0xed, "in" }, { 0xee, "out" }, { 0xef, "out" }, { 0xf4, "hlt" }, { 0xfa, "cli" }, { 0xfb, "sti" }, { 0xfc, "cld" },
    { 0xfd, "std" }, { 0x105, "syscall" }, { 0x107, "sysret" }, { 0x109, "wbinvd" }, { 0x10b, "ud2" }, { 0x11f, "nop" }, { 0x120, "mov" },
    { 0x122, "mov" }, { 0x130, "wrmsr" }, { 0x131, "rdtsc" }, { 0x132, "rdmsr" }, { 0x1a2, "cpuid" }, { 0x1a3, "bt" }, { 0x1ab, "bts" },
    { 0x1b0, "cmpxchg" }, { 0x1b1, "cmpxchg" }, { 0x1b3, "btr" }, { 0x1b6, "movzx" }, { 0x1b7, "movzx" }, { 0x1bb, "btc" }, { 0x1be, "movsx" },
    { 0x1bf, "movsx" }, { 0x1c0, "xadd" }, { 0x1c1, "xadd" }, { 0x1af, "imul" },
};

static const char *one_of(unsigned op, unsigned modrm)
{
    static const char *const shift[] = { "rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar" };
    static const char *const three[] = { "test", "test", "not", "neg", "mul", "imul", "div", "idiv" };
    static const char *const five[] = { "inc", "dec", "call", "callf", "jmp", "jmpf", "push", "?" };
    unsigned group = modrm >> 3 & 7;
    if (op < 0x40 && (op & 7) < 6) return alu[op >> 3];
    if (op >= 0x50 && op < 0x60) return op < 0x58 ? "push" : "pop";
    if (op >= 0x80 && op <= 0x83) return alu[group];
    if (op >= 0xb0 && op < 0xc0) return "mov";
    if (op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op <= 0xd3)) return shift[group];
    if (op == 0xf6 || op == 0xf7) return three[group];
    if (op == 0xfe || op == 0xff) return five[group];
    return NULL;
}

int x86_disasm(const struct insn *i, char *out, size_t cap_bytes)
{
    if (i->op >= 0x70 && i->op < 0x80) return hv_snprintf(out, cap_bytes, "j%s", condition[i->op & 15]);
    if (i->op >= 0x180 && i->op < 0x190) return hv_snprintf(out, cap_bytes, "j%s", condition[i->op & 15]);
    if (i->op >= 0x190 && i->op < 0x1a0) return hv_snprintf(out, cap_bytes, "set%s", condition[i->op & 15]);
    if (i->op >= 0x140 && i->op < 0x150) return hv_snprintf(out, cap_bytes, "cmov%s", condition[i->op & 15]);
    const char *name = i->op < 0x100 ? one_of(i->op, (unsigned)i->arg[0]) : NULL;
    for (unsigned n = 0; n < ARRAY_COUNT(names) && !name; n++) {
        if (names[n].op == i->op) name = names[n].name;
    }
    return name ? hv_snprintf(out, cap_bytes, "%s", name) : hv_snprintf(out, cap_bytes, "opcode %x", i->op);
}

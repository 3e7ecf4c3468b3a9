// SPDX-License-Identifier: Apache-2.0
/* calls: recursion, calls through function pointers, and a small virtual machine around a switch: what branch
 * prediction and a translator's indirect jumps are for. */
#include "guests/bench/bench.h"

enum { ROUNDS = 370, POINTER_CALLS = 15000, MACHINE_LOOPS = 2500 };

static __attribute__((noinline)) u32 fib(u32 n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static u64 op_add(u64 a, u64 b) { return a + b; }
static u64 op_sub(u64 a, u64 b) { return a - b; }
static u64 op_xor(u64 a, u64 b) { return a ^ b; }
static u64 op_mul(u64 a, u64 b) { return a * (b | 1); }
static u64 op_shl(u64 a, u64 b) { return a << (b & 7); }
static u64 op_rot(u64 a, u64 b) { return a >> 13 | a << 51 | (b & 1); }
static u64 op_not(u64 a, u64 b) { return ~a + b; }
static u64 op_and(u64 a, u64 b) { return a ^ (b & 0xff00ff); }

static u64 (*volatile const operations[8])(u64, u64) = {op_add, op_sub, op_xor, op_mul,
                                                        op_shl, op_rot, op_not, op_and};

static u64 pointers(u64 seed)
{
    u64 x = seed;
    for (u32 i = 0; i < POINTER_CALLS; i++) {
        x = operations[bench_random(&seed) & 7](x, i);
    }
    return x;
}

enum op { PUSH, ADD, SUB, DUP, SWAP, XOR, JUMP_NOT_ZERO, HALT };

/* The stack holds x, n. Until n is zero: x = (x ^ 3) + 0x55, n = n - 1. */
static const struct { u8 op; int argument; } program[] = {
    {SWAP, 0}, {PUSH, 3}, {XOR, 0}, {PUSH, 0x55}, {ADD, 0}, {SWAP, 0}, {PUSH, 1}, {SUB, 0}, {DUP, 0},
    {JUMP_NOT_ZERO, -10}, {HALT, 0},
};

static u64 machine(u64 x, u64 n)
{
    u64 stack[16] = {x, n}, top = 2;
    for (u32 pc = 0;;) {
        int argument = program[pc].argument;
        u64 swap;
        switch ((enum op)program[pc++].op) {
        case PUSH: stack[top++] = (u64)(long)argument; break;
        case ADD: top--, stack[top - 1] += stack[top]; break;
        case SUB: top--, stack[top - 1] -= stack[top]; break;
        case XOR: top--, stack[top - 1] ^= stack[top]; break;
        case DUP: stack[top] = stack[top - 1], top++; break;
        case SWAP: swap = stack[top - 1], stack[top - 1] = stack[top - 2], stack[top - 2] = swap; break;
        case JUMP_NOT_ZERO: pc = stack[--top] ? pc + (u32)argument : pc; break;
        case HALT: return stack[top - 2] * 31 + stack[top - 1];
        }
    }
}

u64 bench_kernel(u32 scale)
{
    u64 hash = 0;
    for (u32 round = 0; round < scale * ROUNDS; round++) {
        hash = bench_mix(hash, fib(20));
        hash = bench_mix(hash, pointers(hash | 1));
        hash = bench_mix(hash, machine(hash, MACHINE_LOOPS));
    }
    return hash;
}

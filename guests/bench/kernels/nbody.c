// SPDX-License-Identifier: Apache-2.0
/* nbody: five bodies under gravity, in double, leap-frogged. The checksum is the bits of every coordinate,
 * so one wrong rounding anywhere shows. */
#include "guests/bench/bench.h"

enum { STEPS = 900000, BODIES = 5 };

static struct body { double p[3], v[3], mass; } bodies[BODIES];

static double square_root(double x)
{
#if defined(__riscv)
    double r;
    __asm__("fsqrt.d %0, %1" : "=f"(r) : "f"(x));
    return r;
#else
    return __builtin_sqrt(x);
#endif
}

static void step(double dt)
{
    for (u32 i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (u32 j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double x = a->p[0] - b->p[0], y = a->p[1] - b->p[1], z = a->p[2] - b->p[2];
            double square = x * x + y * y + z * z + 0.01;
            double pull = dt / (square * square_root(square));
            a->v[0] -= x * b->mass * pull, a->v[1] -= y * b->mass * pull, a->v[2] -= z * b->mass * pull;
            b->v[0] += x * a->mass * pull, b->v[1] += y * a->mass * pull, b->v[2] += z * a->mass * pull;
        }
    }
    for (u32 i = 0; i < BODIES; i++) {
        for (u32 k = 0; k < 3; k++) {
            bodies[i].p[k] += dt * bodies[i].v[k];
        }
    }
}

u64 bench_kernel(u32 scale)
{
    u64 seed = 42, hash = 0;
    for (u32 i = 0; i < BODIES; i++) {
        for (u32 k = 0; k < 3; k++) {
            bodies[i].p[k] = (double)(bench_random(&seed) % 2000) / 100 - 10;
            bodies[i].v[k] = (double)(bench_random(&seed) % 200) / 1000 - 0.1;
        }
        bodies[i].mass = i == 0 ? 40 : (double)(bench_random(&seed) % 100) / 200;
    }
    for (u32 i = 0; i < scale * STEPS; i++) {
        step(0.001);
    }
    for (u32 i = 0; i < BODIES; i++) {
        for (u32 k = 0; k < 3; k++) {
            union { double d; u64 u; } p = {bodies[i].p[k]}, v = {bodies[i].v[k]};
            hash = bench_mix(bench_mix(hash, p.u), v.u);
        }
    }
    return hash;
}

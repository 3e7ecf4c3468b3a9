// SPDX-License-Identifier: Apache-2.0
/* The GIC beside a model of it, through random steps: test/unit/gic_model.h. */
#include "test/unit/gic_model.h"

static void walk(unsigned version, unsigned cpus, unsigned lrs, unsigned steps)
{
    model_start(version, cpus, lrs);
    for (unsigned i = 0; i < steps; i++) model_step();
    rig_end();
}

TEST(gic_v2_agrees_with_a_model_through_random_steps)
{
    static const struct { unsigned cpus, lrs; } shapes[] = { { 1, 4 }, { 2, 4 }, { 4, 4 }, { 8, 2 }, { 3, 16 }, { 4, 1 } };
    for (unsigned i = 0; i < ARRAY_COUNT(shapes); i++) walk(2, shapes[i].cpus, shapes[i].lrs, 30000);
}

TEST(gic_v3_agrees_with_a_model_through_random_steps)
{
    static const struct { unsigned cpus, lrs; } shapes[] = { { 1, 4 }, { 2, 4 }, { 4, 4 }, { 8, 2 }, { 3, 16 }, { 4, 1 } };
    for (unsigned i = 0; i < ARRAY_COUNT(shapes); i++) walk(3, shapes[i].cpus, shapes[i].lrs, 30000);
}

// SPDX-License-Identifier: Apache-2.0
/* A GIC of either version, led by the input: beside the model of test/unit/gic_model.h, where nothing may be lost or doubled; then any
 * accesses to its registers among vCPUs that come and go, which it only has to stand. */
#include "test/fuzz/input.h"
#include "test/unit/gic_model.h"

static void anything(unsigned steps)
{
    rig_start(2 + (unsigned)(test_random() & 1), 1 + (unsigned)(test_random() % RIG_CPUS), 1 + (unsigned)(test_random() % 4));
    for (unsigned i = 0; i < steps; i++) {
        unsigned cpu = (unsigned)(test_random() % rig.cpus);
        rig.self = (unsigned)(test_random() % (RIG_CPUS + 2));
        chip_torture(&rig.d, 2);
        if (rig.version == 3) chip_torture(&rig.r, 2);
        rig_line((uint32_t)(test_random() % 140), test_random() & 1);
        gic_send_sgi(rig.g, cpu, test_random());
        rig_leave(cpu);
        rig_enter(cpu);
        uint32_t got = rig_ack(cpu);
        if (got != 1023 && test_random() & 1) rig_eoi(cpu, got);
        /* each interrupt is in one list register at most */
        for (unsigned n = 0; n < rig.cpu[cpu].count; n++) {
            uint32_t intid = rig_intid(rig.cpu[cpu].lr[n]);
            CHECK(intid < GIC_IRQS && rig_lr(cpu, intid) == &rig.cpu[cpu].lr[n]);
            for (unsigned c = 0; c < rig.cpus && intid >= GIC_PRIVATE; c++) CHECK(c == cpu || !rig_lr(c, intid));
        }
    }
    rig_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    input_start(data, size_bytes);
    unsigned kind = (unsigned)input_number(1), steps = size_bytes < 2000 ? (unsigned)size_bytes : 2000;
    if (kind & 1) {
        anything(steps / 8);
        return 0;
    }
    model_start(kind & 2 ? 3 : 2, 1 + (kind >> 2 & 7), 1 + (kind >> 5));
    for (unsigned i = 0; i < steps; i++) model_step();
    rig_end();
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* A few hundred fixed seeds of the hostile driver; `make fuzz-virtio` runs more. */
#include "test/fuzz/virtio_fuzz.h"

TEST(virtio_devices_stand_a_hostile_driver)
{
    for (uint64_t seed = 1; seed <= 300; seed++) virtio_fuzz_case(seed, 300, false);
}

TEST(virtio_devices_stand_a_hostile_driver_and_another_vcpu_that_scribbles)
{
    for (uint64_t seed = 1001; seed <= 1060; seed++) virtio_fuzz_case(seed, 300, true);
}

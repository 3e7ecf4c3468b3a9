// SPDX-License-Identifier: Apache-2.0
/* The hostile virtio driver for as long as one likes: virtio SECONDS [FIRST-SEED]. Says the seed of what went wrong; the
 * same seed without the scribbling thread (even ones have none) does the same again. */
#include "test/fuzz/virtio_fuzz.h"
#include <sanitizer/common_interface_defs.h>
#include <signal.h>

static uint64_t seed = 1;

static void say_seed(void) { fprintf(stderr, "seed %" PRIu64 "\n", seed); }

static void aborted(int number)
{
    (void)number;
    say_seed();
}

uint64_t test_random(void) { return fuzz_next(&seed); }

int main(int argc, char **argv)
{
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 60, first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t end_ns = arch_time_ns() + seconds * 1000000000u;
    __sanitizer_set_death_callback(say_seed);
    signal(SIGABRT, aborted);                                     /* a CHECK has failed: its end comes after that */
    for (seed = first; seed == first || arch_time_ns() < end_ns; seed++) virtio_fuzz_case(seed, 400, seed & 1);
    printf("%" PRIu64 " cases, seeds %" PRIu64 " to %" PRIu64 ": nothing found\n", seed - first, first, seed - 1);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* virtio-rng: drivers/virt/virtio_rng.h; virtio 1.2, section 5.4. */
#include "drivers/virt/virtio_rng.h"
#include "hv/core/timer.h"
#include "test/unit/virtio_guest.h"

#define DATA (GUEST_RAM + MIB(1))

static struct guest g;
static struct ring r;
static bool is_dry;
static uint64_t given;                                      /* bytes */

static bool entropy(void *out, size_t size_bytes)
{
    if (is_dry) return false;
    for (size_t i = 0; i < size_bytes; i++) ((uint8_t *)out)[i] = (uint8_t)(++given % 255 + 1);    /* never 0 */
    return true;
}
static void start(void)
{
    guest_init(&g);
    is_dry = false;
    struct virtio_slot s = guest_slot(&g);
    CHECK(!vm_failed(virtio_rng_create(&s, entropy, &g.region)));
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
    ring_place(&r, &g, 0, 8);
    ring_enable(&r);
    drive(&g);
    given = 0;
}
static void end(void) { guest_end(&g); }

TEST(rng_fills_the_buffer_and_not_a_byte_more)
{
    uint32_t length;
    start();
    CHECK(reg(&g, VIRTIO_MMIO_DEVICE_ID) == 4 && (offered(&g) & 0xffffff) == 0 && config32(&g, 0) == 0);
    descriptor(&r, 0, DATA, 100, DESC_NEXT | DESC_WRITE, 1);
    descriptor(&r, 1, DATA + 200, 33, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK(used(&r, &length) == 0 && length == 133 && given == 133 && g.line);
    for (unsigned i = 0; i < 256; i++) CHECK((*(uint8_t *)ram(&g, DATA + i, 1) != 0) == (i < 100 || (i >= 200 && i < 233)));
    end();
}

TEST(rng_fills_4096_bytes_of_a_longer_buffer)
{
    uint32_t length;
    start();
    descriptor(&r, 0, DATA, 100000, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK(used(&r, &length) == 0 && length == 4096 && *(uint8_t *)ram(&g, DATA + 4096, 1) == 0);
    end();
}

TEST(rng_writes_nothing_to_readable_buffers)
{
    uint32_t length;
    start();
    descriptor(&r, 0, DATA, 64, 0, 0);
    offer(&r, 0);
    CHECK(used(&r, &length) == 0 && length == 0 && given == 0 && *(uint8_t *)ram(&g, DATA, 1) == 0);
    end();
}

TEST(rng_keeps_a_request_while_the_host_has_no_entropy)
{
    uint32_t length;
    start();
    is_dry = true;
    descriptor(&r, 0, DATA, 64, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK(used_count(&r) == 0 && !g.line && !is_broken(&g));
    is_dry = false;
    for (uint64_t end_ns = arch_time_ns() + 10000000000ull; !used_count(&r) && arch_time_ns() < end_ns;) timer_run_due();
    CHECK(used(&r, &length) == 0 && length == 64 && g.line);
    end();
}

TEST(rng_is_not_made_on_a_host_without_entropy)
{
    struct mmio_region out;
    guest_init(&g);
    struct virtio_slot s = guest_slot(&g);
    is_dry = true;
    CHECK_EQ_U64(virtio_rng_create(&s, entropy, &out).kind, VM_DEVICE_INIT_FAILED);
    CHECK_EQ_U64(virtio_rng_create(&s, NULL, &out).kind, VM_DEVICE_INIT_FAILED);
    end();
}

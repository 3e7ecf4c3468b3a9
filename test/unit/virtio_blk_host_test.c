// SPDX-License-Identifier: Apache-2.0
/* The driver of the machine's virtio disks, drivers/host/virtio_blk_host.h, before a model that also lies. */
#include <pthread.h>
#include "hv/core/device.h"
#include "hv/core/page.h"
#include "hv/core/timer.h"
#include "test/unit/disk.h"
#include "test/unit/pages.h"
#include "test/unit/virtio_model.h"

static struct model *m;
static struct block *b;
static struct virtio_host device;
static uint8_t data[64 * 512];

static struct vm_error create(uint64_t timeout_ns)
{
    const char *why;
    CHECK(model_open(m, &device, &why));
    return virtio_blk_host_create(&device, timeout_ns, &b);
}
static void start(void)
{
    test_pages();
    m = model_new();
    CHECK(!vm_failed(create(VIRTIO_BLK_TIMEOUT_NS)));
}
static void stop(void)
{
    block_destroy(b);
    CHECK(m->never_resets || m->status == 0);
    free(m);
}
static struct vm_error ask(enum block_verb verb, uint64_t sector, uint32_t count, void *at) { return block_ask(b, verb, sector, count, at); }

TEST(a_host_disk_tells_its_size_serial_and_what_it_can)
{
    start();
    CHECK(b->sector_count == MODEL_SECTORS && !b->is_read_only && b->has_discard);
    CHECK_STR(b->serial, "model-serial");
    CHECK(m->accepted == (VIRTIO_F_VERSION_1 | bit64(2) | bit64(9) | bit64(13) | bit64(14)) && m->queue_size == 256);
    stop();
    test_pages();
    m = model_new();
    m->features = VIRTIO_F_VERSION_1 | bit64(5);
    CHECK(!vm_failed(create(VIRTIO_BLK_TIMEOUT_NS)) && b->is_read_only && !b->has_discard);
    CHECK(!vm_failed(ask(BLOCK_FLUSH, 0, 0, NULL)) && !m->asked[4]);  /* it writes through */
    stop();
}

TEST(a_host_disk_reads_writes_flushes_discards_and_zeroes)
{
    start();
    disk_pattern(data, 7, 64, 1);
    CHECK(!vm_failed(ask(BLOCK_WRITE, 7, 64, data)) && !memcmp(m->data + 7 * 512, data, sizeof data));
    memset(data, 0, sizeof data);
    CHECK(!vm_failed(ask(BLOCK_READ, 8, 2, data)) && !memcmp(m->data + 8 * 512, data, 1024) && data[512]);
    CHECK(!vm_failed(ask(BLOCK_FLUSH, 0, 0, NULL)) && m->asked[4] == 1);
    CHECK(!vm_failed(ask(BLOCK_DISCARD, 0, 350, NULL)) && m->asked[11] == 4);       /* 100 sectors at a time */
    memset(m->data, 1, sizeof m->data);
    CHECK(!vm_failed(ask(BLOCK_WRITE_ZEROES, 1, 101, NULL)) && m->asked[13] == 2 && m->data[511] == 1 && !m->data[512] && !m->data[102 * 512 - 1] && m->data[102 * 512]);
    stop();
    m = model_new();
    m->features &= ~bit64(14);                                       /* a device that cannot zero: zeroes are written */
    CHECK(!vm_failed(create(VIRTIO_BLK_TIMEOUT_NS)));
    memset(m->data, 1, sizeof m->data);
    CHECK(!vm_failed(ask(BLOCK_WRITE_ZEROES, 1, 301, NULL)) && !m->asked[13] && m->data[511] == 1 && !m->data[512] && !m->data[302 * 512 - 1] && m->data[302 * 512]);
    stop();
}

static bool is_serving;
static void *serve(void *arg)
{
    (void)arg;
    while (__atomic_load_n(&is_serving, __ATOMIC_ACQUIRE)) device_serve_all();
    return NULL;
}

TEST(a_host_disk_is_like_an_array_whatever_the_pieces_and_limits)
{
    static const struct { uint32_t queue, segments, size_max; } limits[] = { { 1024, 126, 0 }, { 256, 1, 0 }, { 4, 126, 0 }, { 16, 3, 512 }, { 128, 126, 1000 }, { 6, 2, 4096 } };
    static uint8_t array[MODEL_SECTORS * 512];
    for (unsigned i = 0; i < ARRAY_COUNT(limits); i++) {
        pthread_t thread;
        test_pages();
        m = model_new();
        m->queue_max = limits[i].queue;
        store_le32(m->config + 12, limits[i].segments);
        store_le32(m->config + 8, limits[i].size_max);
        if (limits[i].size_max) m->features |= bit64(1);
        CHECK(!vm_failed(create(VIRTIO_BLK_TIMEOUT_NS)));
        memset(array, 0, sizeof array);
        is_serving = true;
        CHECK(!pthread_create(&thread, NULL, serve, NULL));
        disk_compare(b, array, 150, true);
        __atomic_store_n(&is_serving, false, __ATOMIC_RELEASE);
        pthread_join(thread, NULL);
        CHECK(!memcmp(array, m->data, sizeof array) && m->largest_chain <= limits[i].segments + 2 && m->largest_chain <= 16);
        stop();
    }
}

TEST(many_requests_are_in_flight_at_once_and_the_rest_wait_in_line)
{
    enum { COUNT = 50 };
    static struct disk_answer answer[COUNT];
    static struct block_request r[COUNT];
    static struct block_piece piece[COUNT];
    start();
    m->lie = MODEL_SILENT;
    for (unsigned i = 0; i < COUNT; i++) {
        r[i] = disk_request(BLOCK_WRITE, i, 1, &answer[i]);
        piece[i] = (struct block_piece){ data + i * 512, 512 };
        memset(data + i * 512, (int)i + 1, 512);
        r[i].piece = &piece[i];
        r[i].piece_count = 1;
        block_submit(b, &r[i]);
    }
    CHECK(m->most_at_once == 16);
    device_serve_all();
    for (unsigned i = 0; i < COUNT; i++) CHECK(!answer[i].count);
    m->lie = MODEL_HONEST;
    model_bell(m);
    device_serve_all();
    for (unsigned i = 0; i < COUNT; i++) CHECK(answer[i].count == 1 && !vm_failed(answer[i].result) && m->data[i * 512 + 511] == i + 1);
    stop();
}

TEST(errors_of_a_host_disk_are_the_requests_own)
{
    static const struct { enum model_lie lie; enum vm_error_kind kind; } answers[] = {
        { MODEL_ERROR, VM_DEVICE_IO_FAILED }, { MODEL_UNSUPPORTED, VM_DEVICE_UNSUPPORTED_OPERATION }, { MODEL_MUTE, VM_DEVICE_IO_FAILED } };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(answers); i++) {
        m->lie = answers[i].lie;
        CHECK(ask(BLOCK_READ, 0, 64, data).kind == answers[i].kind);
        m->lie = MODEL_HONEST;
        CHECK(!vm_failed(ask(BLOCK_READ, 0, 64, data)));
    }
    CHECK(m->resets == 1);
    stop();
}

/* Until the requests are over: the driver's timer looks. */
static void wait_for(const struct disk_answer *a, unsigned count)
{
    for (uint64_t end_ns = arch_time_ns() + 20000000000ull; arch_time_ns() < end_ns; timer_run_due()) {
        unsigned n = 0;
        for (unsigned i = 0; i < count; i++) n += __atomic_load_n(&a[i].count, __ATOMIC_ACQUIRE);
        if (n == count) return;
    }
    test_fail(__FILE__, __LINE__, "a request does not end");
}

TEST(a_host_disk_that_lies_or_falls_silent_costs_errors_and_never_memory)
{
    enum { COUNT = 20 };
    for (enum model_lie lie = MODEL_SILENT; lie < MODEL_NEEDS_RESET; lie = lie == MODEL_SILENT ? MODEL_BAD_ID : lie + 1) {
        static struct disk_answer answer[COUNT];
        static struct block_request r[COUNT];
        struct block_piece piece = { data, 512 };
        test_pages();
        uint64_t pages = page_available();
        m = model_new();
        CHECK(!vm_failed(create(20000000)));
        m->lie = MODEL_SILENT;
        for (unsigned i = 0; i < COUNT; i++) {
            r[i] = disk_request(BLOCK_READ, i, 1, &answer[i]);
            r[i].piece = &piece;
            r[i].piece_count = 1;
            if (i + 1 == COUNT) m->lie = lie;
            block_submit(b, &r[i]);
        }
        if (lie != MODEL_SILENT) model_bell(m);
        wait_for(answer, COUNT);
        unsigned failed = 0;
        for (unsigned i = 0; i < COUNT; i++) failed += answer[i].result.kind == VM_DEVICE_IO_FAILED;
        if (!failed) test_fail(__FILE__, __LINE__, "lie %d: no request failed", (int)lie);
        CHECK(m->resets == 2 && ask(BLOCK_READ, 0, 1, data).kind == VM_DEVICE_IO_FAILED && ask(BLOCK_FLUSH, 0, 0, NULL).kind == VM_DEVICE_IO_FAILED);
        stop();
        CHECK_EQ_U64(page_available(), pages);
    }
}

TEST(devices_that_are_no_disk_for_us_are_refused_with_a_reason)
{
    static const struct { uint64_t features; unsigned config_at; uint32_t config, queue; const char *why; } bad[] = {
        { MODEL_FEATURES & ~VIRTIO_F_VERSION_1, 0,  MODEL_SECTORS, 256, "features" },
        { MODEL_FEATURES,                       0,  0,             256, "no size" },
        { MODEL_FEATURES | 1ull << 6,           20, 4096,          256, "larger than 512" },
        { MODEL_FEATURES | 1ull << 1,           8,  100,           256, "smaller than a sector" },
        { MODEL_FEATURES,                       0,  MODEL_SECTORS, 2,   "queue is too small" },
        { MODEL_FEATURES,                       0,  MODEL_SECTORS, 0,   "queue is too small" },
    };
    const char *why;
    test_pages();
    uint64_t pages = page_available();
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        m = model_new();
        m->features = bad[i].features;
        m->queue_max = bad[i].queue;
        store_le32(m->config + bad[i].config_at, bad[i].config);
        struct vm_error e = create(VIRTIO_BLK_TIMEOUT_NS);
        if (e.kind != VM_DEVICE_INIT_FAILED || !strstr(e.reason, bad[i].why)) test_fail(__FILE__, __LINE__, "%s", vm_failed(e) ? e.reason : bad[i].why);
        CHECK(m->status == 0);
        free(m);
    }
    m = model_new();
    m->refuses_features = true;
    CHECK(create(VIRTIO_BLK_TIMEOUT_NS).kind == VM_DEVICE_INIT_FAILED);
    m->id = 9;
    CHECK(!model_open(m, &device, &why) && !why);
    m->id = VIRTIO_ID_BLOCK, m->version = 1;
    CHECK(!model_open(m, &device, &why) && strstr(why, "force-legacy=false"));
    m->magic = 0;
    CHECK(!model_open(m, &device, &why) && !why);
    free(m);
    CHECK_EQ_U64(page_available(), pages);
}

// SPDX-License-Identifier: Apache-2.0
/* Disks in files of the host (hosted only). Files are made where TMPDIR or /tmp is, and removed at once. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "test/unit/disk.h"
#include "test/unit/pages.h"

static char path[256];
static uint8_t data[128 * 512], want[128 * 512];

/* A new file of so many bytes of the value 0xf1. */
static void make_file_in(const char *folder, size_t size_bytes)
{
    snprintf(path, sizeof path, "%s/hospes-disk-XXXXXX", folder);
    test_pages();
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    memset(data, 0xf1, sizeof data);
    for (size_t left = size_bytes; left;) {
        ssize_t n = write(fd, data, left < sizeof data ? left : sizeof data);
        CHECK(n > 0);
        left -= (size_t)n;
    }
    close(fd);
}
static void make_file(size_t size_bytes)
{
    const char *folder = getenv("TMPDIR");
    make_file_in(folder ? folder : "/tmp", size_bytes);
}
static struct block *open_file(bool is_read_only)
{
    struct block *b;
    CHECK(!vm_failed(block_file_create(path, is_read_only, &b)));
    return b;
}
static off_t file_size(void)
{
    struct stat s;
    CHECK(!stat(path, &s));
    return s.st_size;
}
static bool file_has(off_t at, uint8_t value, size_t count)
{
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && pread(fd, data, count, at) == (ssize_t)count);
    close(fd);
    for (size_t i = 0; i < count; i++) if (data[i] != value) return false;
    return true;
}

TEST(file_disk_keeps_what_is_written_across_close_and_open)
{
    make_file(1 << 20);
    for (unsigned life = 0; life < 3; life++) {
        struct block *b = open_file(false);
        CHECK(b->sector_count == 2048 && !b->is_read_only && b->has_discard);
        if (life) {
            disk_pattern(want, 100, 100, life - 1);
            CHECK(disk_ok(b, BLOCK_READ, 100, 100, data) && !memcmp(data, want, 100 * 512));
        }
        disk_pattern(want, 100, 100, life);
        CHECK(disk_ok(b, BLOCK_WRITE, 100, 100, want) && disk_ok(b, BLOCK_FLUSH, 0, 0, NULL));
        block_destroy(b);
    }
    CHECK(file_size() == 1 << 20 && file_has(99 * 512, 0xf1, 512) && file_has(200 * 512, 0xf1, 512));
    unlink(path);
}

TEST(file_disk_agrees_with_an_array)
{
    static uint8_t model[1 << 20];
    make_file(sizeof model);
    memset(model, 0xf1, sizeof model);
    struct block *b = open_file(false);
    disk_compare(b, model, 300, true);                                  /* holes read as zeroes on the file systems we test on */
    CHECK(disk_ok(b, BLOCK_WRITE_ZEROES, 0, 64, NULL));
    memset(model, 0, 64 * 512);
    for (unsigned s = 0; s < 2048; s += 128) CHECK(disk_ok(b, BLOCK_READ, s, 128, data) && !memcmp(data, model + s * 512, 128 * 512));
    block_destroy(b);
    unlink(path);
}

TEST(file_disk_scatters_and_gathers_more_pieces_than_one_system_call_takes)
{
    enum { PIECES = 512 };
    static struct block_piece piece[PIECES];
    struct disk_answer a;
    make_file(65536);
    struct block *b = open_file(false);
    for (unsigned round = 0; round < 2; round++) {
        struct block_request r = disk_request(round ? BLOCK_READ : BLOCK_WRITE, 8, 16, &a);
        disk_pattern(want, 8, 16, 5);
        if (!round) memcpy(data, want, 16 * 512);
        else memset(data, 0, sizeof data);
        for (unsigned i = 0; i < PIECES; i++) piece[i] = (struct block_piece){ data + 16 * i, 16 };
        r.piece = piece;
        r.piece_count = PIECES;
        block_submit(b, &r);
        CHECK(!vm_failed(disk_wait(&a)) && !memcmp(data, want, 16 * 512));
    }
    block_destroy(b);
    unlink(path);
}

TEST(file_disk_serves_what_it_has_taken_in_order_also_while_it_closes)
{
    enum { COUNT = 64 };
    static struct block_request r[COUNT];
    static struct disk_answer a[COUNT];
    static struct block_piece piece[COUNT];
    make_file(65536);
    struct block *b = open_file(false);
    for (unsigned i = 0; i < COUNT; i++) {
        memset(data + i * 512, (int)i, 512);
        r[i] = disk_request(BLOCK_WRITE, 9, 1, &a[i]);                  /* all to the same sector */
        piece[i] = (struct block_piece){ data + i * 512, 512 };
        r[i].piece = &piece[i];
        r[i].piece_count = 1;
        block_submit(b, &r[i]);
    }
    block_destroy(b);
    for (unsigned i = 0; i < COUNT; i++) CHECK(a[i].count == 1 && !vm_failed(a[i].result));
    CHECK(file_has(9 * 512, COUNT - 1, 512));
    unlink(path);
}

TEST(file_disk_whose_size_is_no_multiple_of_512_ends_in_zeroes_and_may_be_written_to_its_end)
{
    make_file(3 * 512 + 100);
    struct block *b = open_file(false);
    CHECK_EQ_U64(b->sector_count, 4);
    CHECK(disk_ok(b, BLOCK_READ, 2, 2, data));
    for (unsigned i = 0; i < 1024; i++) CHECK_EQ_U64(data[i], i < 512 + 100 ? 0xf1 : 0);
    CHECK(!disk_ok(b, BLOCK_READ, 4, 1, data));
    memset(want, 0x42, 512);
    CHECK(disk_ok(b, BLOCK_WRITE, 3, 1, want) && disk_ok(b, BLOCK_READ, 3, 1, data) && !memcmp(data, want, 512));
    CHECK(disk_ok(b, BLOCK_WRITE_ZEROES, 3, 1, NULL) && disk_ok(b, BLOCK_READ, 3, 1, data) && data[0] == 0 && data[511] == 0);
    block_destroy(b);
    CHECK_EQ_U64(file_size(), 4 * 512);
    unlink(path);
}

TEST(file_disk_that_shrank_behind_our_back_reads_as_zeroes_there)
{
    make_file(65536);
    struct block *b = open_file(false);
    CHECK(!truncate(path, 1000));                                       /* a short read, then the end */
    CHECK(disk_ok(b, BLOCK_READ, 0, 128, data));
    for (unsigned i = 0; i < 65536; i++) CHECK_EQ_U64(data[i], i < 1000 ? 0xf1 : 0);
    block_destroy(b);
    unlink(path);
}

TEST(file_disk_reports_a_full_host_as_io_failed_and_goes_on)
{
    struct rlimit was, small;
    make_file(65536);
    struct block *b = open_file(false);
    CHECK(!truncate(path, 0));                                          /* so that each write has to grow it */
    signal(SIGXFSZ, SIG_IGN);
    CHECK(!getrlimit(RLIMIT_FSIZE, &was));
    small = was;
    small.rlim_cur = 8 * 512 + 256;
    CHECK(!setrlimit(RLIMIT_FSIZE, &small));
    memset(want, 0x21, sizeof want);
    struct vm_error fits = disk_ask(b, BLOCK_WRITE, 0, 8, want), half = disk_ask(b, BLOCK_WRITE, 7, 4, want),
                    beyond = disk_ask(b, BLOCK_WRITE, 64, 1, want);
    CHECK(!setrlimit(RLIMIT_FSIZE, &was));
    signal(SIGXFSZ, SIG_DFL);
    CHECK(!vm_failed(fits));
    CHECK_EQ_U64(half.kind, VM_DEVICE_IO_FAILED);                       /* a short write, then the error */
    CHECK_EQ_U64(beyond.kind, VM_DEVICE_IO_FAILED);
    CHECK(disk_ok(b, BLOCK_WRITE, 64, 1, want) && disk_ok(b, BLOCK_READ, 64, 1, data) && data[511] == 0x21);
    block_destroy(b);
    unlink(path);
}

TEST(file_disk_read_only_refuses_writes_and_keeps_the_file)
{
    make_file(65536);
    CHECK(!chmod(path, 0400));
    struct block *b = open_file(true);
    CHECK(b->is_read_only && !b->has_discard);
    CHECK(disk_ok(b, BLOCK_READ, 0, 1, data) && disk_ok(b, BLOCK_FLUSH, 0, 0, NULL));
    CHECK(!disk_ok(b, BLOCK_WRITE, 0, 1, want) && !disk_ok(b, BLOCK_WRITE_ZEROES, 0, 1, NULL) && !disk_ok(b, BLOCK_DISCARD, 0, 1, NULL));
    block_destroy(b);
    CHECK(file_has(0, 0xf1, 65536));
    unlink(path);
}

TEST(file_disk_is_one_writers_or_many_readers)
{
    struct block *b, *other;
    make_file(4096);
    b = open_file(false);
    CHECK_EQ_U64(block_file_create(path, false, &other).kind, VM_DEVICE_BUSY);
    CHECK_EQ_U64(block_file_create(path, true, &other).kind, VM_DEVICE_BUSY);
    block_destroy(b);
    b = open_file(true);
    CHECK_EQ_U64(block_file_create(path, false, &other).kind, VM_DEVICE_BUSY);
    other = open_file(true);
    block_destroy(other);
    block_destroy(b);
    block_destroy(open_file(false));
    unlink(path);
}

TEST(file_disk_needs_a_file_with_a_size)
{
    struct block *b;
    test_pages();
    CHECK_EQ_U64(block_file_create("/nonexistent/disk", false, &b).kind, VM_DEVICE_NOT_FOUND);
    CHECK(vm_failed(block_file_create("/tmp", false, &b)));
    CHECK_EQ_U64(block_file_create("/dev/null", false, &b).kind, VM_DEVICE_CONFIG);
    make_file(0);
    CHECK_EQ_U64(block_file_create(path, false, &b).kind, VM_DEVICE_CONFIG);
    unlink(path);
}

TEST(file_disk_zeroes_with_and_without_giving_the_space_back)
{
    struct stat s;
    make_file(1 << 20);
    for (unsigned round = 0; round < 3; round++) {
        struct block *b = open_file(false);
        struct disk_answer a;
        memset(want, 0x63, sizeof want);
        CHECK(disk_ok(b, BLOCK_WRITE, 1024, 128, want) && disk_ok(b, BLOCK_FLUSH, 0, 0, NULL));
        struct block_request r = disk_request(BLOCK_WRITE_ZEROES, 1024, 128, &a);
        r.may_unmap = round == 2;
        CHECK(!stat(path, &s));
        blkcnt_t was = s.st_blocks;
        block_submit(b, &r);
        CHECK(!vm_failed(disk_wait(&a)));
        block_destroy(b);
        CHECK(file_has(1024 * 512, 0, 128 * 512) && file_has(1023 * 512, 0xf1, 512) && file_has(1152 * 512, 0xf1, 512));
        CHECK(!stat(path, &s));
        if (!strncmp(path, "/dev/shm", 8)) CHECK(round == 2 ? s.st_blocks < was : s.st_blocks == was);
        if (round == 2) break;
        unlink(path);                                                   /* tmpfs has no FALLOC_FL_ZERO_RANGE */
        make_file_in(access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", 1 << 20);
    }
    CHECK(!stat(path, &s) && s.st_size == 1 << 20);
    unlink(path);
}

TEST(file_disk_is_named_after_its_file)
{
    make_file(512);
    struct block *b = open_file(true);
    CHECK(strlen(b->serial) <= 20 && !strncmp(b->serial, strrchr(path, '/') + 1, 20));
    block_destroy(b);
    unlink(path);
}

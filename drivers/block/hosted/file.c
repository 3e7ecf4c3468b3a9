// SPDX-License-Identifier: Apache-2.0
/* A file of the host system as a disk (hosted only). A thread of the disk's own serves the requests in their order, so
 * that a slow file delays no core; it calls `done`. The queue belongs to `lock`, all else is constant. Discarded and
 * zeroed ranges become holes where the file system can. */
#include "drivers/block/block.h"
#include "drivers/block/pieces.h"
#include "hv/core/heap.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 64                           /* pieces of one system call */

struct file_disk {
    struct block          block;
    int                   fd;
    pthread_t             server;
    pthread_mutex_t       lock;
    pthread_cond_t        changed;
    struct block_request *first, **last;
    bool                  is_closing;
};

static struct file_disk *disk_of(struct block *b) { return CONTAINER_OF(b, struct file_disk, block); }

/* All of the list, or false. What lies beyond the end of the file (its last half sector) reads as zeroes. */
static bool transfer(struct file_disk *d, struct block_request *r)
{
    struct piece_cursor cursor = piece_cursor_of(r);
    uint64_t at = r->at * BLOCK_SECTOR_BYTES, left = (uint64_t)r->sector_count * BLOCK_SECTOR_BYTES;
    while (left) {
        struct piece_cursor before = cursor;
        struct iovec v[BATCH];
        uint64_t batch_bytes = 0, n;
        int count = 0;
        while (count < BATCH && batch_bytes < left) {
            void *p = piece_next(&cursor, left - batch_bytes, &n);
            v[count++] = (struct iovec){ p, n };
            batch_bytes += n;
        }
        ssize_t got = r->verb == BLOCK_READ ? preadv(d->fd, v, count, (off_t)at) : pwritev(d->fd, v, count, (off_t)at);
        if (got < 0 && errno == EINTR) got = 0, cursor = before;
        else if (got < 0 || (got == 0 && r->verb == BLOCK_WRITE)) return false;
        else if (got == 0) {
            for (int i = 0; i < count; i++) memset(v[i].iov_base, 0, v[i].iov_len);
            got = (ssize_t)batch_bytes;
        } else if ((uint64_t)got < batch_bytes) {
            cursor = before;               /* on from where it stopped */
            for (uint64_t skip = (uint64_t)got; skip; skip -= n) if (!piece_next(&cursor, skip, &n)) return false;
        }
        at += (uint64_t)got;
        left -= (uint64_t)got;
    }
    return true;
}

static bool write_zeroes(struct file_disk *d, uint64_t at, uint64_t left)
{
    static const char zeroes[65536];
    while (left) {
        ssize_t n = pwrite(d->fd, zeroes, left < sizeof zeroes ? left : sizeof zeroes, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return true;
}

/* FALLOC_FL_PUNCH_HOLE gives the space back, FALLOC_FL_ZERO_RANGE keeps it; false: this file system can do neither. */
static bool clear(struct file_disk *d, const struct block_request *r, int how)
{
    return !fallocate(d->fd, how | FALLOC_FL_KEEP_SIZE, (off_t)(r->at * BLOCK_SECTOR_BYTES),
                      (off_t)((uint64_t)r->sector_count * BLOCK_SECTOR_BYTES));
}

static void serve(struct file_disk *d, struct block_request *r)
{
    bool ok = true;
    switch (r->verb) {
    case BLOCK_READ: case BLOCK_WRITE:
        ok = transfer(d, r);
        break;
    case BLOCK_FLUSH:
        while (!(ok = !fdatasync(d->fd)) && errno == EINTR) {}
        break;
    case BLOCK_DISCARD:
        clear(d, r, FALLOC_FL_PUNCH_HOLE); /* advice: a file system without holes keeps the data */
        break;
    case BLOCK_WRITE_ZEROES:
        ok = clear(d, r, r->may_unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) ||
             write_zeroes(d, r->at * BLOCK_SECTOR_BYTES, (uint64_t)r->sector_count * BLOCK_SECTOR_BYTES);
        break;
    }
    r->done(r, ok ? VM_SUCCESS : vm_error_because(VM_DEVICE_IO_FAILED, "the host's file refused"));
}

/* The next request; NULL: there is none and never will be. */
static struct block_request *take(struct file_disk *d)
{
    pthread_mutex_lock(&d->lock);
    while (!d->first && !d->is_closing) pthread_cond_wait(&d->changed, &d->lock);
    struct block_request *r = d->first;
    if (r) d->first = r->next;
    if (!d->first) d->last = &d->first;
    pthread_mutex_unlock(&d->lock);
    return r;
}

static void *server(void *arg)
{
    struct file_disk *d = arg;
    for (struct block_request *r; (r = take(d));) serve(d, r);
    return NULL;
}

/* Signals are the cores' business, but what this thread itself does wrong. */
static bool start_server(struct file_disk *d)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
    sigset_t all, was;
    sigfillset(&all);
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&all, own[i]);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    d->last = &d->first;
    pthread_sigmask(SIG_SETMASK, &all, &was);
    bool ok = !pthread_create(&d->server, NULL, server, d);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return ok;
}

static void submit(struct block *b, struct block_request *r)
{
    struct file_disk *d = disk_of(b);
    r->next = NULL;
    pthread_mutex_lock(&d->lock);
    *d->last = r;
    d->last = &r->next;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static void destroy(struct block *b)
{
    struct file_disk *d = disk_of(b);
    pthread_mutex_lock(&d->lock);
    d->is_closing = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->server, NULL);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    if (!d->block.is_read_only) fdatasync(d->fd);
    close(d->fd);
    heap_free(d);
}

static const struct block_ops file_ops = { .name = "file", .submit = submit, .destroy = destroy };

static bool size_of(int fd, uint64_t *size_bytes)
{
    struct stat s;
    if (fstat(fd, &s)) return false;
    if (S_ISBLK(s.st_mode)) return !ioctl(fd, BLKGETSIZE64, size_bytes);
    *size_bytes = (uint64_t)s.st_size;
    return S_ISREG(s.st_mode);
}

struct vm_error block_file_create(const char *path, bool is_read_only, struct block **out)
{
    uint64_t size = 0;
    int fd = open(path, (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0) {
        return vm_error_because(errno == EACCES || errno == EROFS ? VM_PLATFORM_PERMISSION_DENIED : VM_DEVICE_NOT_FOUND,
                                "the disk's file cannot be opened");
    }
    if (flock(fd, (is_read_only ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
        close(fd);
        return vm_error_because(VM_DEVICE_BUSY, "the disk's file is another machine's");
    }
    struct file_disk *d = size_of(fd, &size) && size ? heap_alloc(sizeof *d) : NULL;
    if (!d) {
        close(fd);
        return vm_error_because(VM_DEVICE_CONFIG, "the disk is no file or block device with a size");
    }
    d->block = (struct block){ .ops = &file_ops, .sector_count = (size + BLOCK_SECTOR_BYTES - 1) / BLOCK_SECTOR_BYTES,
                               .is_read_only = is_read_only, .has_discard = !is_read_only };
    const char *name = strrchr(path, '/');
    snprintf(d->block.serial, sizeof d->block.serial, "%.20s", name ? name + 1 : path);
    d->fd = fd;
    if (!start_server(d)) {
        close(fd);
        heap_free(d);
        return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no thread for a disk");
    }
    *out = &d->block;
    return VM_SUCCESS;
}

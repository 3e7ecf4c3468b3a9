// SPDX-License-Identifier: Apache-2.0
/* Standard streams; see stdio.h. Rings belong to `lock`; the two threads are no cores and call nothing of the house but
 * the two upcalls. */
#include "boot/hosted/stdio.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define OUT_BYTES 65536u
#define IN_BYTES  4096u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t out_has_data = PTHREAD_COND_INITIALIZER, out_has_room = PTHREAD_COND_INITIALIZER,
                      in_has_room = PTHREAD_COND_INITIALIZER;
static char out[OUT_BYTES], in[IN_BYTES];
static size_t out_from, out_count, in_count;
static bool is_writing, is_closed, is_hasty;       /* the writer holds bytes of the ring; nobody reads them; see stdio_stop_waiting */
static void (*keys_came)(void), (*closed)(void);
static struct termios saved_terminal;
static volatile bool has_terminal;

void stdio_make_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) < 0) return;
    }
}

/* ---- output ---- */
static void write_out(void *ctx, const char *text, size_t length)
{
    (void)ctx;
    pthread_mutex_lock(&lock);
    while (length && !is_closed) {
        if (out_count == OUT_BYTES) {
            if (is_hasty) break;
            pthread_cond_wait(&out_has_room, &lock);
            continue;
        }
        size_t at = (out_from + out_count) % OUT_BYTES, n = OUT_BYTES - out_count;
        if (n > OUT_BYTES - at) n = OUT_BYTES - at;
        if (n > length) n = length;
        memcpy(out + at, text, n);
        if (!out_count) pthread_cond_signal(&out_has_data);
        out_count += n;
        text += n;
        length -= n;
    }
    pthread_mutex_unlock(&lock);
}

/* False: nobody reads any more. A stream that others made non-blocking is waited for. */
static bool write_all(const char *text, size_t length)
{
    while (length) {
        ssize_t n = write(STDOUT_FILENO, text, length);
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
            (void)poll(&p, 1, 1000);
        } else if (n == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void *out_thread(void *arg)
{
    static char piece[OUT_BYTES];
    (void)arg;
    pthread_mutex_lock(&lock);
    while (!is_closed) {
        if (!out_count) {
            pthread_cond_wait(&out_has_data, &lock);
            continue;
        }
        size_t n = OUT_BYTES - out_from < out_count ? OUT_BYTES - out_from : out_count;
        memcpy(piece, out + out_from, n);
        out_from = (out_from + n) % OUT_BYTES;
        out_count -= n;
        is_writing = true;
        pthread_cond_broadcast(&out_has_room);
        pthread_mutex_unlock(&lock);
        bool is_written = write_all(piece, n);
        pthread_mutex_lock(&lock);
        is_writing = false;
        is_closed = !is_written;
        pthread_cond_broadcast(&out_has_room);
    }
    pthread_mutex_unlock(&lock);
    closed();
    return NULL;
}

void stdio_stop_waiting(void)
{
    pthread_mutex_lock(&lock);
    is_hasty = true;
    pthread_cond_broadcast(&out_has_room);
    pthread_mutex_unlock(&lock);
}

void stdio_drain(int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    pthread_mutex_lock(&lock);
    while ((out_count || is_writing) && !is_closed) {
        if (timeout_ms < 0) pthread_cond_wait(&out_has_room, &lock);
        else if (pthread_cond_timedwait(&out_has_room, &lock, &until) == ETIMEDOUT) break;
    }
    pthread_mutex_unlock(&lock);
}

/* ---- keys ---- */
static void *in_thread(void *arg)
{
    char some[256];
    ssize_t n;
    (void)arg;
    while ((n = read(STDIN_FILENO, some, sizeof some)) != 0) {
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
            (void)poll(&p, 1, -1);
        }
        if (n < 0 && errno != EINTR && errno != EAGAIN) break;
        for (ssize_t done = 0; done < n;) {
            pthread_mutex_lock(&lock);
            while (in_count == IN_BYTES) pthread_cond_wait(&in_has_room, &lock);
            for (; done < n && in_count < IN_BYTES; done++) in[in_count++] = some[done];
            pthread_mutex_unlock(&lock);
            keys_came();
        }
    }
    return NULL;
}

static size_t read_keys(void *ctx, char *to, size_t cap_bytes)
{
    (void)ctx;
    pthread_mutex_lock(&lock);
    size_t n = in_count < cap_bytes ? in_count : cap_bytes;
    memcpy(to, in, n);
    memmove(in, in + n, in_count - n);
    if (in_count == IN_BYTES && n) pthread_cond_signal(&in_has_room);
    in_count -= n;
    pthread_mutex_unlock(&lock);
    return n;
}

bool stdio_has_keys(void)
{
    pthread_mutex_lock(&lock);
    bool has = in_count != 0;
    pthread_mutex_unlock(&lock);
    return has;
}

bool stdio_start(struct host_console *console, void (*on_keys)(void), void (*on_closed)(void))
{
    pthread_t t;
    *console = (struct host_console){ .name = "stdio", .write = write_out, .read = read_keys, .has_irq = true };
    keys_came = on_keys;
    closed = on_closed;
    if (pthread_create(&t, NULL, out_thread, NULL) || pthread_detach(t)) return false;
    /* A job in the background must not touch the terminal: it would be stopped. */
    if (isatty(STDIN_FILENO) && !has_terminal) return true;
    return !pthread_create(&t, NULL, in_thread, NULL) && !pthread_detach(t);
}

/* ---- the terminal ---- */
bool stdio_take_terminal(void)
{
    struct termios raw;
    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &saved_terminal)) return false;
    raw = saved_terminal;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST | ONLCR;
    has_terminal = true;                            /* before it changes: a signal may come in between */
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw)) has_terminal = false;
    return has_terminal;
}

void stdio_restore_terminal(void)
{
    if (has_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
}

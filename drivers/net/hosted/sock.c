// SPDX-License-Identifier: Apache-2.0
/* The port that ends in a socket; see sock.h. One thread has the sockets and both buffers; what the switch delivers waits in
 * a fixed queue, guarded by `lock`, and `bell` wakes the thread. A peer that does not read loses frames, one that breaks the
 * framing loses its connection. */
#include "drivers/net/hosted/sock.h"
#include "hv/base/bits.h"
#include "hv/base/fmt.h"
#include "hv/core/heap.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAITING      256u
#define LENGTH_BYTES 4u
#define RETRY_MS     200
#define TURN_FRAMES  64u                          /* of one side, until the other has its turn */

enum kind { LISTEN, CONNECT, DATAGRAM };
struct net_sock {
    struct net_port *port;                        /* constant, as are kind, to, bell, and listener but for its end */
    enum kind        kind;
    uint16_t         at, to;
    int              bell, listener, peer;        /* peer: the thread's; -1: none */
    pthread_t        thread;
    uint32_t         is_closing;                  /* atomic */
    struct spinlock  lock;
    struct net_queue waiting;
    uint32_t         in_bytes, out_bytes, out_done;
    uint8_t          in[LENGTH_BYTES + NET_FRAME_MOST], out[LENGTH_BYTES + NET_FRAME_MOST];
    struct net_frame frame;
};

static char refusal[128];
static struct vm_error refuse(const char *spec, const char *why)
{
    hv_snprintf(refusal, sizeof refusal, "%.40s: %s", spec, why);
    return vm_error_because(VM_DEVICE_CONFIG, refusal);
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* ---- from the switch: a net_receive_fn ---- */
static bool receive(void *ctx, const struct net_frame *f)
{
    struct net_sock *s = ctx;
    const uint64_t one = 1;
    spin_lock(&s->lock);
    bool has_room = net_queue_push(&s->waiting, f);
    spin_unlock(&s->lock);
    if (has_room && write(s->bell, &one, sizeof one) < 0) return true;      /* it rings already */
    return has_room;
}

/* ---- the thread ---- */
static void drop_peer(struct net_sock *s)
{
    if (s->peer >= 0) close(s->peer);
    s->peer = -1;
    s->in_bytes = s->out_bytes = s->out_done = 0;
}

static bool is_empty_for_now(ssize_t n) { return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR); }

/* A frame from the queue into `out`; false: there is none. */
static bool take_next(struct net_sock *s)
{
    spin_lock(&s->lock);
    const struct net_frame *f = net_queue_first(&s->waiting);
    if (f) {
        uint32_t head = s->kind == DATAGRAM ? 0 : LENGTH_BYTES, length = __builtin_bswap32(f->length);
        memcpy(s->out, &length, head);
        memcpy(s->out + head, f->data, f->length);
        s->out_bytes = head + f->length;
        s->out_done = 0;
        net_queue_drop_first(&s->waiting);
    }
    spin_unlock(&s->lock);
    return f != NULL;
}

static void send_waiting(struct net_sock *s)
{
    for (unsigned n = 0; n < TURN_FRAMES && (s->out_done < s->out_bytes || take_next(s));) {
        ssize_t sent = send(s->peer, s->out + s->out_done, s->out_bytes - s->out_done, MSG_NOSIGNAL);
        if (is_empty_for_now(sent)) return;
        if (s->kind == DATAGRAM) sent = s->out_bytes;         /* nobody there: so it is lost */
        if (sent <= 0) {
            drop_peer(s);
            return;
        }
        s->out_done += (uint32_t)sent;
        n += s->out_done == s->out_bytes;
    }
}

static void forget_waiting(struct net_sock *s)
{
    spin_lock(&s->lock);
    net_queue_clear(&s->waiting);
    spin_unlock(&s->lock);
}

static void take_frame(struct net_sock *s, const uint8_t *data, uint32_t length)
{
    memcpy(s->frame.data, data, length);
    s->frame.length = length;
    s->frame.has_partial_sum = false;
    net_send(s->port, &s->frame);
}

static void receive_datagrams(struct net_sock *s)
{
    for (unsigned n = 0; n < TURN_FRAMES; n++) {
        ssize_t got = recv(s->peer, s->in, sizeof s->in, MSG_TRUNC);
        if (got < 0) return;                                  /* nothing, or an echo of what nobody took */
        if (got <= (ssize_t)NET_FRAME_MOST) take_frame(s, s->in, (uint32_t)got);
    }
}

/* False: what comes is no framing. */
static bool receive_stream(struct net_sock *s)
{
    for (unsigned n = 0; n < TURN_FRAMES;) {
        uint32_t want = LENGTH_BYTES;
        if (s->in_bytes >= LENGTH_BYTES) {
            uint32_t length = load_be32(s->in);
            if (length > NET_FRAME_MOST) return false;
            want += length;
        }
        if (s->in_bytes == want) {
            take_frame(s, s->in + LENGTH_BYTES, want - LENGTH_BYTES);
            s->in_bytes = 0;
            n++;
            continue;
        }
        ssize_t got = recv(s->peer, s->in + s->in_bytes, want - s->in_bytes, 0);
        if (is_empty_for_now(got)) return true;
        if (got <= 0) return false;
        s->in_bytes += (uint32_t)got;
    }
    return true;
}

static void use_peer(struct net_sock *s, int fd)
{
    int on = 1;
    s->peer = fd;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    forget_waiting(s);                                        /* nobody heard it when it was said */
}

static void find_peer(struct net_sock *s)
{
    if (s->kind == LISTEN) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) use_peer(s, fd);
    } else {
        const struct sockaddr_in to = loopback(s->to);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return;
        if (connect(fd, (const struct sockaddr *)&to, sizeof to) || fcntl(fd, F_SETFL, O_NONBLOCK)) close(fd);     /* loopback answers at once */
        else use_peer(s, fd);
    }
}

static void *serve(void *arg)
{
    struct net_sock *s = arg;
    uint64_t rings;
    while (!__atomic_load_n(&s->is_closing, __ATOMIC_ACQUIRE)) {
        spin_lock(&s->lock);
        bool has_more = s->waiting.count || s->out_done < s->out_bytes;
        spin_unlock(&s->lock);
        struct pollfd p[] = { { s->bell, POLLIN, 0 },
                              { s->peer >= 0 ? s->peer : s->listener, (short)(POLLIN | (s->peer >= 0 && has_more ? POLLOUT : 0)), 0 } };
        (void)poll(p, 2, s->peer < 0 && s->kind == CONNECT ? RETRY_MS : -1);
        if (p[0].revents && read(s->bell, &rings, sizeof rings) < 0) continue;
        if (s->peer < 0) {
            find_peer(s);
            continue;
        }
        if (p[1].revents && s->kind == DATAGRAM) receive_datagrams(s);
        else if (p[1].revents & ~POLLOUT && !receive_stream(s)) drop_peer(s);
        if (s->peer >= 0) send_waiting(s);
    }
    return NULL;
}

/* ---- making it ---- */
static bool parse_port(const char *text, size_t length, uint64_t least, uint16_t *out)
{
    char word[8];
    uint64_t n;
    if (length >= sizeof word) return false;
    memcpy(word, text, length);
    word[length] = 0;
    if (!hv_parse_u64(word, false, &n) || n < least || n > 65535) return false;
    *out = (uint16_t)n;
    return true;
}

static bool parse(struct net_sock *s, const char *spec)
{
    const char *colon = strrchr(spec, ':');
    if (!strncmp(spec, "listen:", 7)) {
        s->kind = LISTEN;
        return parse_port(spec + 7, strlen(spec + 7), 0, &s->at);
    }
    if (!strncmp(spec, "connect:", 8)) {
        s->kind = CONNECT;
        return parse_port(spec + 8, strlen(spec + 8), 1, &s->to);
    }
    s->kind = DATAGRAM;
    return !strncmp(spec, "udp:", 4) && colon > spec + 4 && parse_port(spec + 4, (size_t)(colon - spec - 4), 1, &s->at) &&
           parse_port(colon + 1, strlen(colon + 1), 1, &s->to);
}

/* NULL, or what the system said. */
static const char *open_sockets(struct net_sock *s)
{
    struct sockaddr_in at = loopback(s->at), to = loopback(s->to);
    socklen_t length = sizeof at;
    int on = 1, fd;
    s->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->bell < 0) return strerror(errno);
    if (s->kind == CONNECT) return NULL;
    fd = socket(AF_INET, (s->kind == LISTEN ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->kind == LISTEN) s->listener = fd;
    else s->peer = fd;
    if (fd < 0) return strerror(errno);
    if (s->kind == LISTEN) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&at, sizeof at)) return strerror(errno);
    if (s->kind == DATAGRAM) return connect(fd, (const struct sockaddr *)&to, sizeof to) ? strerror(errno) : NULL;
    if (listen(fd, 1) || getsockname(fd, (struct sockaddr *)&at, &length)) return strerror(errno);
    s->at = ntohs(at.sin_port);
    return NULL;
}

static void close_all(struct net_sock *s)
{
    const int fds[] = { s->bell, s->listener, s->peer };
    net_port_destroy(s->port);                                /* nobody rings the bell any more */
    for (unsigned i = 0; i < ARRAY_COUNT(fds); i++) if (fds[i] >= 0) close(fds[i]);
    net_queue_destroy(&s->waiting);
    heap_free(s);
}

static bool start_thread(struct net_sock *s)
{
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    bool ok = !pthread_create(&s->thread, NULL, serve, s);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return ok;
}

struct vm_error net_sock_create(struct net_switch *lan, const char *spec, struct net_sock **out)
{
    const struct net_port_config config = { .name = spec, .is_trusted = true };
    struct net_sock *s = heap_alloc(sizeof *s);
    struct vm_error e = VM_SUCCESS;
    if (!s) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a network socket");
    s->bell = s->listener = s->peer = -1;
    if (!parse(s, spec)) e = refuse(spec, "write listen:PORT, connect:PORT or udp:FROM:TO");
    else if (!net_queue_create(&s->waiting, WAITING)) e = vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a network socket");
    else e = net_port_create(lan, &config, &s->port);
    const char *why = vm_failed(e) ? NULL : open_sockets(s);
    if (why) e = refuse(spec, why);
    if (!vm_failed(e)) {
        net_port_open(s->port, receive, s);
        if (!start_thread(s)) e = refuse(spec, "no thread for it");
    }
    if (vm_failed(e)) {
        close_all(s);
        return e;
    }
    *out = s;
    return VM_SUCCESS;
}

uint16_t net_sock_port(const struct net_sock *s) { return s->at; }

void net_sock_destroy(struct net_sock *s)
{
    const uint64_t one = 1;
    __atomic_store_n(&s->is_closing, 1, __ATOMIC_RELEASE);
    while (write(s->bell, &one, sizeof one) < 0 && errno == EINTR) {}
    pthread_join(s->thread, NULL);
    close_all(s);
}

// SPDX-License-Identifier: Apache-2.0
/* Split virtqueues; see virtq.h. Ring indices pair with the driver's: its release of avail->idx with our acquire, our
 * release of used->idx with its acquire; before each decision "need I tell the other side" stands a full fence, as its
 * twin does in the driver, so that one of the two always sees the other's last step. Section numbers: virtio 1.2. */
#include "drivers/virt/virtq.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

/* 2.7.5 descriptor, flags */
#define DESC_BYTES    16u
#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u
#define AVAIL_NO_INTERRUPT 1u                /* 2.7.6 */

/* 2.7: alignment and size of the three areas */
#define DESC_ALIGN   16u
#define DRIVER_ALIGN 2u
#define DEVICE_ALIGN 4u
static uint64_t driver_bytes(const struct virtq *q) { return 6 + 2 * (uint64_t)q->size; }
static uint64_t device_bytes(const struct virtq *q) { return 6 + 8 * (uint64_t)q->size; }

struct descriptor { uint64_t at; uint32_t size_bytes; uint16_t flags, next; };

static enum virtq_pop broken(struct virtq *q, const char *why)
{
    q->broken = why;
    return VIRTQ_BROKEN;
}

/* ---- naturally aligned words of the rings; false: not RAM ---- */
static bool load16(struct virtq *q, uint64_t at, int order, uint16_t *out)
{
    uint16_t *p = gmem_slice(q->gmem, guest_phys_addr_make(at), sizeof *p, ACCESS_READ);
    if (!p) return false;
    *out = order == __ATOMIC_ACQUIRE ? __atomic_load_n(p, __ATOMIC_ACQUIRE) : __atomic_load_n(p, __ATOMIC_RELAXED);
    return true;
}

static bool store16(struct virtq *q, uint64_t at, uint16_t value)
{
    uint16_t *p = gmem_slice(q->gmem, guest_phys_addr_make(at), sizeof *p, ACCESS_WRITE);
    if (p) __atomic_store_n(p, value, __ATOMIC_RELEASE);
    return p != NULL;
}

static bool store32(struct virtq *q, uint64_t at, uint32_t value)
{
    uint32_t *p = gmem_slice(q->gmem, guest_phys_addr_make(at), sizeof *p, ACCESS_WRITE);
    if (p) __atomic_store_n(p, value, __ATOMIC_RELAXED);
    return p != NULL;
}

static uint64_t avail_flags_at(const struct virtq *q)                { return q->driver; }
static uint64_t avail_index_at(const struct virtq *q)                { return q->driver + 2; }
static uint64_t avail_entry_at(const struct virtq *q, uint16_t n)    { return q->driver + 4 + 2 * (uint64_t)(n & (q->size - 1)); }
static uint64_t used_event_at(const struct virtq *q)                 { return q->driver + 4 + 2 * (uint64_t)q->size; }
static uint64_t used_index_at(const struct virtq *q)                 { return q->device + 2; }
static uint64_t used_entry_at(const struct virtq *q, uint16_t n)     { return q->device + 4 + 8 * (uint64_t)(n & (q->size - 1)); }
static uint64_t avail_event_at(const struct virtq *q)                { return q->device + 4 + 8 * (uint64_t)q->size; }

/* ---- life ---- */
void virtq_reset(struct virtq *q) { *q = (struct virtq){ .gmem = q->gmem, .epoch = q->epoch + 1 }; }

void virtq_stop(struct virtq *q)
{
    q->is_ready = false;
    q->epoch++;
}

static bool is_all(struct gmem *m, uint64_t at, uint64_t size_bytes, enum access_type how)
{
    if (size_bytes && at + (size_bytes - 1) < at) return false;
    for (uint64_t n; size_bytes; at += n, size_bytes -= n) {
        if (!gmem_span(m, guest_phys_addr_make(at), size_bytes, how, &n) || !n) return false;
    }
    return true;
}

bool virtq_start(struct virtq *q)
{
    if (!is_power_of_two(q->size) || q->size > VIRTQ_MAX_SIZE) return broken(q, "queue size"), false;
    if (q->descriptors % DESC_ALIGN || q->driver % DRIVER_ALIGN || q->device % DEVICE_ALIGN) return broken(q, "ring alignment"), false;
    if (!is_all(q->gmem, q->descriptors, (uint64_t)q->size * DESC_BYTES, ACCESS_READ) ||
        !is_all(q->gmem, q->driver, driver_bytes(q), ACCESS_READ) ||
        !is_all(q->gmem, q->device, device_bytes(q), ACCESS_WRITE)) return broken(q, "ring outside RAM"), false;
    q->next_avail = q->next_used = q->signalled = 0;
    q->broken = NULL;
    q->is_ready = true;
    return true;
}

/* ---- taking ---- */
static bool copy_descriptor(struct virtq *q, uint64_t at, struct descriptor *out)
{
    uint8_t raw[DESC_BYTES];
    if (vm_failed(gmem_read_bulk(q->gmem, guest_phys_addr_make(at), raw, sizeof raw))) return false;
    *out = (struct descriptor){ load_le64(raw), load_le32(raw + 8), load_le16(raw + 12), load_le16(raw + 14) };
    return true;
}

static const char *add_segment(struct virtq *q, struct virtq_chain *c, const struct descriptor *d)
{
    bool is_write = d->flags & DESC_WRITE;
    uint32_t *sum = is_write ? &c->writable_bytes : &c->readable_bytes;
    unsigned n = c->readable_count + c->writable_count;
    if (n == VIRTQ_MAX_SEGMENTS) return "chain too long";
    if (!is_write && c->writable_count) return "readable buffer after a writable one";
    if (!d->size_bytes) return "empty buffer";
    if (d->size_bytes > UINT32_MAX - c->readable_bytes - c->writable_bytes) return "chain over 4 GiB";
    if (!is_all(q->gmem, d->at, d->size_bytes, is_write ? ACCESS_WRITE : ACCESS_READ)) return "buffer outside RAM";
    c->segment[n] = (struct virtq_segment){ guest_phys_addr_make(d->at), d->size_bytes };
    if (is_write) c->writable_count++;
    else c->readable_count++;
    *sum += d->size_bytes;
    return NULL;
}

/* Follows the chain through the table and, at its end, at most one indirect table (2.7.5.3). NULL: well formed. */
static const char *walk(struct virtq *q, struct virtq_chain *c)
{
    uint64_t table = q->descriptors;
    uint32_t limit = q->size, index = c->head, seen = 0;
    bool is_indirect = false;
    for (;;) {
        struct descriptor d;
        if (index >= limit) return "descriptor index";
        if (seen++ == limit) return "descriptor loop";
        if (!copy_descriptor(q, table + (uint64_t)index * DESC_BYTES, &d)) return "descriptor table outside RAM";
        if (d.flags & DESC_INDIRECT) {
            if (!q->has_indirect) return "indirect descriptor without the feature";
            if (is_indirect) return "indirect descriptor in an indirect table";
            if (d.flags & DESC_NEXT) return "indirect descriptor with a next one";
            if (!d.size_bytes || d.size_bytes % DESC_BYTES) return "indirect table size";
            if (d.at + (d.size_bytes - 1) < d.at) return "descriptor table outside RAM";
            is_indirect = true;
            table = d.at;
            limit = d.size_bytes / DESC_BYTES;
            index = seen = 0;
            continue;
        }
        const char *why = add_segment(q, c, &d);
        if (why) return why;
        if (!(d.flags & DESC_NEXT)) return NULL;
        index = d.next;
    }
}

enum virtq_pop virtq_pop(struct virtq *q, struct virtq_chain *out)
{
    uint16_t avail, head;
    if (q->broken) return VIRTQ_BROKEN;
    if (!q->is_ready) return VIRTQ_EMPTY;
    if (!load16(q, avail_index_at(q), __ATOMIC_ACQUIRE, &avail)) return broken(q, "ring outside RAM");
    if (avail == q->next_avail) {
        if (!q->has_event_idx) return VIRTQ_EMPTY;
        if (!store16(q, avail_event_at(q), q->next_avail)) return broken(q, "ring outside RAM");
        __atomic_thread_fence(__ATOMIC_SEQ_CST);          /* pairs with the driver's, between idx and avail_event (2.7.13.4.1) */
        if (!load16(q, avail_index_at(q), __ATOMIC_ACQUIRE, &avail)) return broken(q, "ring outside RAM");
        if (avail == q->next_avail) return VIRTQ_EMPTY;
    }
    if ((uint16_t)(avail - q->next_avail) > q->size) return broken(q, "more available than the queue holds");
    if (!load16(q, avail_entry_at(q, q->next_avail), __ATOMIC_RELAXED, &head)) return broken(q, "ring outside RAM");
    out->head = head;
    out->readable_count = out->writable_count = 0;
    out->readable_bytes = out->writable_bytes = 0;
    const char *why = walk(q, out);
    if (why) return broken(q, why);
    q->next_avail++;
    return VIRTQ_CHAIN;
}

void virtq_unpop(struct virtq *q) { q->next_avail--; }

/* ---- giving back ---- */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written_bytes)
{
    if (!q->is_ready || q->broken) return;
    uint64_t at = used_entry_at(q, q->next_used);
    q->next_used++;
    if (!store32(q, at, head) || !store32(q, at + 4, written_bytes) || !store16(q, used_index_at(q), q->next_used))
        broken(q, "ring outside RAM");
}

bool virtq_wants_interrupt(struct virtq *q)
{
    uint16_t was = q->signalled, word;
    if (!q->is_ready || was == q->next_used) return false;
    q->signalled = q->next_used;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);              /* pairs with the driver's, between used_event or flags and used->idx */
    if (!load16(q, q->has_event_idx ? used_event_at(q) : avail_flags_at(q), __ATOMIC_RELAXED, &word)) return false;
    if (!q->has_event_idx) return !(word & AVAIL_NO_INTERRUPT);
    return (uint16_t)(q->next_used - word - 1) < (uint16_t)(q->next_used - was);      /* 2.7.7.2 */
}

/* ---- a chain's bytes ---- */
static bool copy(struct gmem *m, const struct virtq_segment *s, unsigned count, uint32_t offset, void *out, const void *in,
                 uint32_t size_bytes)
{
    uint32_t done = 0;
    for (unsigned i = 0; i < count && done < size_bytes; i++) {
        if (offset >= s[i].size_bytes) {
            offset -= s[i].size_bytes;
            continue;
        }
        uint32_t n = s[i].size_bytes - offset;
        if (n > size_bytes - done) n = size_bytes - done;
        guest_phys_addr at = guest_phys_addr_wrapping_add(s[i].at, offset);
        struct vm_error e = in ? gmem_write_bulk(m, at, (const char *)in + done, n) : gmem_read_bulk(m, at, (char *)out + done, n);
        if (vm_failed(e)) return false;
        done += n;
        offset = 0;
    }
    return done == size_bytes;
}

bool virtq_chain_read(struct gmem *m, const struct virtq_chain *c, uint32_t offset, void *out, uint32_t size_bytes)
{
    return copy(m, c->segment, c->readable_count, offset, out, NULL, size_bytes);
}

bool virtq_chain_write(struct gmem *m, const struct virtq_chain *c, uint32_t offset, const void *in, uint32_t size_bytes)
{
    return copy(m, c->segment + c->readable_count, c->writable_count, offset, NULL, in, size_bytes);
}

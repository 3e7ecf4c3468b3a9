// SPDX-License-Identifier: Apache-2.0
/* cpio newc, bounded at every step; see bundle.h. A header is "070701" and thirteen fields of eight hex digits; then the
 * name with its zero, then the data, each padded to 4 bytes. cpio(5); Linux Documentation/driver-api/early-userspace. */
#include "hv/vm/bundle.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

enum { HEADER_BYTES = 110, FIELD_COUNT = 13 };
enum { INODE, MODE, LINKS = 4, FILE_BYTES = 6, DEVICE_MAJOR, DEVICE_MINOR, NAME_BYTES = 11 };
enum { KIND_MASK = 0170000, KIND_REGULAR = 0100000 };

struct entry { uint32_t field[FIELD_COUNT]; const char *name; size_t name_length; const uint8_t *data; uint64_t next; };

static bool read_field(const uint8_t *digits, uint32_t *out)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint8_t c = digits[i];
        unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)(c | 32) - 'a' + 10 : 99;
        if (d > 15) return false;
        v = v << 4 | d;
    }
    *out = v;
    return true;
}

/* The entry at an offset; false: none there, the last one, or damage. */
static bool read_entry(const struct bundle *b, uint64_t at, struct entry *e)
{
    if (at > b->size_bytes || b->size_bytes - at < HEADER_BYTES) return false;
    const uint8_t *header = b->data + at;
    if (memcmp(header, "070701", 6)) return false;
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        if (!read_field(header + 6 + 8 * i, &e->field[i])) return false;
    }
    uint64_t name = at + HEADER_BYTES, body = align_up(name + e->field[NAME_BYTES], 4), end = body + e->field[FILE_BYTES];
    if (!e->field[NAME_BYTES] || end > b->size_bytes) return false;
    e->name = (const char *)b->data + name;
    e->name_length = e->field[NAME_BYTES] - 1;
    if (e->name[e->name_length]) return false;
    e->data = b->data + body;
    e->next = align_up(end, 4);
    return e->name_length != 10 || memcmp(e->name, "TRAILER!!!", 10);
}

static void skip_root(const char **name, size_t *length)
{
    while (*length && (**name == '/' || (**name == '.' && *length > 1 && (*name)[1] == '/'))) {
        size_t n = **name == '/' ? 1 : 2;
        *name += n;
        *length -= n;
    }
}

bool bundle_is_valid(const struct bundle *b)
{
    return b->size_bytes >= HEADER_BYTES && !memcmp(b->data, "070701", 6);
}

static bool is_same_file(const struct entry *a, const struct entry *b)
{
    static const uint8_t identity[] = { INODE, DEVICE_MAJOR, DEVICE_MINOR };
    for (unsigned i = 0; i < ARRAY_COUNT(identity); i++) {
        if (a->field[identity[i]] != b->field[identity[i]]) return false;
    }
    return true;
}

/* Of several links to a file only the last carries the data. */
static void follow_link(const struct bundle *b, struct entry *e)
{
    struct entry other;
    if (e->field[LINKS] < 2 || e->field[FILE_BYTES]) return;
    for (uint64_t at = e->next; read_entry(b, at, &other); at = other.next) {
        if (!other.field[FILE_BYTES] || !is_same_file(e, &other)) continue;
        *e = other;
        return;
    }
}

bool bundle_find(const struct bundle *b, const char *path, const void **data, size_t *size_bytes)
{
    struct entry e;
    size_t wanted = strlen(path);
    skip_root(&path, &wanted);
    for (uint64_t at = 0; read_entry(b, at, &e); at = e.next) {
        skip_root(&e.name, &e.name_length);
        if ((e.field[MODE] & KIND_MASK) != KIND_REGULAR || e.name_length != wanted || memcmp(e.name, path, wanted)) continue;
        follow_link(b, &e);
        *data = e.data;
        *size_bytes = e.field[FILE_BYTES];
        return true;
    }
    return false;
}

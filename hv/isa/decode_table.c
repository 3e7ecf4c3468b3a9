// SPDX-License-Identifier: Apache-2.0
/* The disassembler of all table-driven ISAs: walks a row's operand text. Pure: any context. */
#include "hv/isa/decode_table.h"
#include "hv/base/fmt.h"

struct text { char *out; size_t cap_bytes; int length; };

static char *rest(const struct text *t, size_t *room)
{
    size_t used = (size_t)t->length < t->cap_bytes ? (size_t)t->length : t->cap_bytes;
    *room = t->cap_bytes - used;
    return *room ? t->out + used : NULL;
}

static void put_text(struct text *t, const char *s)
{
    size_t room;
    char *to = rest(t, &room);
    t->length += hv_snprintf(to, room, "%s", s);
}

static void put_number(struct text *t, const char *format, uint64_t value)
{
    char number[24];
    (void)hv_snprintf(number, sizeof number, format, value);
    put_text(t, number);
}

static void put_argument(struct text *t, const struct decode_table *table, const struct insn *i, int32_t value, char kind)
{
    switch (kind) {
    case 'd': put_number(t, "%lld", (uint64_t)(int64_t)value); return;
    case 'h': put_number(t, "0x%llx", (uint32_t)value); return;
    case 'u': put_number(t, "0x%llx", (uint32_t)value >> 12); return;
    case 'p': put_number(t, "0x%llx", i->pc.v + (uint64_t)(int64_t)value); return;
    case 'g': put_number(t, "0x%llx", (i->pc.v & ~4095ull) + ((uint64_t)(int64_t)value << 12)); return;
    default: break;
    }
    if (kind >= 'A' && (unsigned)(kind - 'A') < table->name_count) {
        const struct print_names *n = &table->names[kind - 'A'];
        put_text(t, (uint32_t)value < n->count ? n->word[value] : "?");
    } else if (kind >= '1' && (unsigned)(kind - '1') < table->hook_count) {
        char word[32];
        (void)table->hooks[kind - '1'](value, word, sizeof word);
        put_text(t, word);
    }
}

int decode_table_print(const struct decode_table *table, const struct insn *i, char *out, size_t cap_bytes)
{
    struct text t = { out, cap_bytes, 0 };
    if (i->op >= table->row_count) {
        put_text(&t, "invalid");
        return t.length;
    }
    const struct decode_row *row = &table->rows[i->op];
    put_text(&t, row->name);
    for (const char *s = row->operands; *s; s++) {
        if (*s == '%') {
            put_argument(&t, table, i, i->arg[s[1] - '0'], s[2]);
            s += 2;
        } else {
            char one[2] = { *s, 0 };
            put_text(&t, one);
        }
    }
    return t.length;
}

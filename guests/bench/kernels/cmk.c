// SPDX-License-Identifier: Apache-2.0
/* cmk: the mix of small embedded work: sort and search a linked list, multiply 12x12 integer matrices, run
 * a state machine over text, and take a CRC of it all. */
#include "guests/bench/bench.h"

enum { ROUNDS = 3400, NODES = 128, SIDE = 12, TEXT = 400 };

struct node {
    struct node *next;
    u32 key, value;
};

static struct node nodes[NODES];
static int matrix_a[SIDE][SIDE], matrix_b[SIDE][SIDE], matrix_c[SIDE][SIDE];
static char text[TEXT];

static struct node *merge(struct node *a, struct node *b)
{
    struct node head, *tail = &head;
    while (a && b) {
        struct node **least = a->key <= b->key ? &a : &b;
        tail = tail->next = *least;
        *least = (*least)->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

static struct node *sort(struct node *list)
{
    if (!list || !list->next) {
        return list;
    }
    struct node *slow = list, *fast = list->next;
    while (fast && fast->next) {
        slow = slow->next;
        fast = fast->next->next;
    }
    struct node *half = slow->next;
    slow->next = NULL;
    return merge(sort(list), sort(half));
}

static u32 list_work(u64 *seed)
{
    u32 sum = 0;
    for (u32 i = 0; i < NODES; i++) {
        nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : NULL, (u32)bench_random(seed) % 1024, i};
    }
    struct node *list = sort(nodes);
    for (u32 wanted = 0; wanted < 1024; wanted += 32) {
        const struct node *n = list;
        while (n && n->key < wanted) {
            n = n->next;
        }
        sum = sum * 31 + (n ? n->value : 0);
    }
    return sum;
}

static u32 matrix_work(u64 *seed)
{
    u32 sum = 0;
    for (u32 i = 0; i < SIDE; i++) {
        for (u32 j = 0; j < SIDE; j++) {
            matrix_a[i][j] = (int)(bench_random(seed) % 201) - 100;
            matrix_b[i][j] = (int)(i * 7 + j * 3) - 60;
        }
    }
    for (u32 i = 0; i < SIDE; i++) {
        for (u32 j = 0; j < SIDE; j++) {
            int dot = 0;
            for (u32 k = 0; k < SIDE; k++) {
                dot += matrix_a[i][k] * matrix_b[k][j];
            }
            matrix_c[i][j] = dot;
            sum = sum * 33 + (u32)dot;
        }
    }
    return sum;
}

/* Recognises numbers of the forms 12, -3.5, 4e7 in a line of text. */
static u32 state_work(u64 *seed)
{
    enum state { START, SIGN, WHOLE, POINT, FRACTION, EXPONENT, POWER, BAD, STATES } state = START;
    static const char alphabet[] = "0123456789-.e,0123456789,,,12";
    u32 counts[STATES] = {0};
    for (u32 i = 0; i < TEXT; i++) {
        text[i] = alphabet[bench_random(seed) % (sizeof alphabet - 1)];
    }
    for (u32 i = 0; i < TEXT; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9';
        if (c == ',') {
            counts[state]++;
            state = START;
            continue;
        }
        switch (state) {
        case START: state = digit ? WHOLE : c == '-' ? SIGN : c == '.' ? POINT : BAD; break;
        case SIGN: state = digit ? WHOLE : c == '.' ? POINT : BAD; break;
        case WHOLE: state = digit ? WHOLE : c == '.' ? POINT : c == 'e' ? EXPONENT : BAD; break;
        case POINT: state = digit ? FRACTION : BAD; break;
        case FRACTION: state = digit ? FRACTION : c == 'e' ? EXPONENT : BAD; break;
        case EXPONENT: state = digit ? POWER : BAD; break;
        case POWER: state = digit ? POWER : BAD; break;
        default: break;
        }
    }
    u32 sum = 0;
    for (u32 i = 0; i < STATES; i++) {
        sum = sum * 37 + counts[i];
    }
    return sum;
}

static u32 crc(u32 c, const void *data, u32 length_bytes)    /* bit by bit: a chain of shifts and branches */
{
    const u8 *p = data;
    for (u32 i = 0; i < length_bytes; i++) {
        c ^= p[i];
        for (u32 bit = 0; bit < 8; bit++) {
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        }
    }
    return c;
}

u64 bench_kernel(u32 scale)
{
    u64 seed = 0x1234567, hash = 0;
    for (u32 round = 0; round < scale * ROUNDS; round++) {
        hash = bench_mix(hash, list_work(&seed));
        hash = bench_mix(hash, matrix_work(&seed));
        hash = bench_mix(hash, state_work(&seed));
        hash = bench_mix(hash, crc(~0u, text, TEXT));
    }
    return hash;
}

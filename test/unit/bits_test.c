// SPDX-License-Identifier: Apache-2.0
/* Bit fields, alignment, byte order, lists; and the freestanding string functions against the C library's. */
#include "hv/base/bits.h"
#include "hv/base/list.h"
#include "test/harness/test.h"

TEST(bits_fields_and_signs)
{
    CHECK_EQ_U64(bits64(0xfedcba9876543210u, 63, 0), 0xfedcba9876543210u);
    CHECK_EQ_U64(bits64(0xfedcba9876543210u, 63, 60), 0xf);
    CHECK_EQ_U64(bits64(0xfedcba9876543210u, 11, 4), 0x21);
    CHECK_EQ_U64(bits64(0x8, 3, 3), 1);
    CHECK_EQ_U64(sign_extend64(0x800, 12), (uint64_t)-2048);
    CHECK_EQ_U64(sign_extend64(0x7ff, 12), 2047);
    CHECK_EQ_U64(sign_extend64(0xfff7ff, 12), 2047);
    CHECK_EQ_U64(sign_extend64(1, 1), UINT64_MAX);
    CHECK_EQ_U64(sign_extend64(1ull << 63, 64), 1ull << 63);
}

TEST(bits_alignment_and_powers)
{
    CHECK_EQ_U64(align_up(0, 4096), 0);
    CHECK_EQ_U64(align_up(1, 4096), 4096);
    CHECK_EQ_U64(align_up(4096, 4096), 4096);
    CHECK_EQ_U64(align_down(8191, 4096), 4096);
    CHECK(is_power_of_two(1) && is_power_of_two(1ull << 63) && !is_power_of_two(0) && !is_power_of_two(6));
    CHECK_EQ_U64(log2_floor(1), 0);
    CHECK_EQ_U64(log2_floor(UINT64_MAX), 63);
    CHECK_EQ_U64(log2_floor(4097), 12);
}

TEST(bits_byte_order_at_any_address)
{
    uint8_t raw[16];
    for (unsigned i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)(i + 1);
    CHECK_EQ_U64(load_le16(raw + 1), 0x0302);
    CHECK_EQ_U64(load_le32(raw + 1), 0x05040302);
    CHECK_EQ_U64(load_le64(raw + 1), 0x0908070605040302u);
    CHECK_EQ_U64(load_be16(raw + 1), 0x0203);
    CHECK_EQ_U64(load_be32(raw + 1), 0x02030405);
    CHECK_EQ_U64(load_be64(raw + 1), 0x0203040506070809u);
    store_le32(raw + 3, 0xa1b2c3d4);
    CHECK(raw[2] == 3 && raw[3] == 0xd4 && raw[6] == 0xa1 && raw[7] == 8);
    store_le64(raw + 1, 0x1122334455667788u);
    CHECK_EQ_U64(load_le64(raw + 1), 0x1122334455667788u);
    store_le16(raw + 5, 0xbeef);
    CHECK_EQ_U64(load_le16(raw + 5), 0xbeef);
}

TEST(list_keeps_order_and_survives_removal_while_walking)
{
    struct item { int n; struct list link; } item[5];
    struct list head;
    list_init(&head);
    CHECK(list_is_empty(&head));
    for (int i = 0; i < 5; i++) {
        item[i].n = i;
        list_add_tail(&head, &item[i].link);
    }
    int seen = 0;
    LIST_FOR_EACH(it, &head) {
        struct item *x = CONTAINER_OF(it, struct item, link);
        CHECK(x->n == seen++);
        if (x->n % 2) list_remove(&x->link);
    }
    CHECK(seen == 5);
    seen = 0;
    LIST_FOR_EACH(it, &head) {
        CHECK(CONTAINER_OF(it, struct item, link)->n == seen);
        seen += 2;
    }
    CHECK(seen == 6);
    list_remove(&item[1].link);                 /* what is out may be removed again */
}

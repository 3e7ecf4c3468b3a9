// SPDX-License-Identifier: Apache-2.0
/* Intrusive doubly linked list with a sentinel. The caller holds whatever lock guards the list. */
#pragma once
#include "hv/base/types.h"

/* A link, or the head that closes the ring. */
struct list { struct list *next, *prev; };

/* An open-ended ring; an item is in one list at a time. */
static inline void list_init(struct list *head)             { head->next = head->prev = head; }
static inline bool list_is_empty(const struct list *head)   { return head->next == head; }
static inline void list_add_tail(struct list *head, struct list *item)
{
    item->prev = head->prev; item->next = head;
    head->prev->next = item; head->prev = item;
}
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next; item->next->prev = item->prev;
    item->next = item->prev = item;
}
#define LIST_FOR_EACH(it, head) for (struct list *it = (head)->next, *it##_next = it->next; it != (head); \
                                     it = it##_next, it##_next = it->next)

// SPDX-License-Identifier: Apache-2.0
/* An operation is tried with its n-th allocation failing, for every n. */
#pragma once
#include "hv/base/error.h"
#include "hv/core/heap.h"
#include "hv/core/page.h"
#include "test/harness/test.h"

struct sweep_hook { const char *name; uint64_t (*fail_at)(uint64_t n); };
static const struct sweep_hook sweep_objects = { "object", heap_fail_at }, sweep_pages = { "run of pages", page_fail_at };

static bool says_memory(struct vm_error e)
{
    char text[200];
    vm_error_format(text, sizeof text, &e);
    return e.kind == VM_CORE_RESOURCE_EXHAUSTED || strstr(text, "memory");
}

/* `op` leaves nothing behind when it succeeds. Returns how many allocations it makes. */
static unsigned sweep(const struct sweep_hook *h, const char *what, struct vm_error (*op)(void))
{
    for (unsigned n = 1;; n++) {
        uint64_t pages = page_available(), bytes = heap_used_bytes();
        h->fail_at(n);
        struct vm_error e = op();
        uint64_t left = h->fail_at(0);
        if (page_available() != pages || heap_used_bytes() != bytes)
            test_fail(__FILE__, __LINE__, "%s, %s %u: pages %" PRIi64 ", bytes %" PRIi64, what, h->name, n, (int64_t)(page_available() - pages),
                      (int64_t)(heap_used_bytes() - bytes));
        if (vm_failed(e) && !says_memory(e)) test_fail(__FILE__, __LINE__, "%s, %s %u: \"%s\"", what, h->name, n, e.reason ? e.reason : "no reason");
        if (left && vm_failed(e)) test_fail(__FILE__, __LINE__, "%s fails without a failure", what);
        if (left) return n - 1;
        if (vm_failed(op())) test_fail(__FILE__, __LINE__, "%s, %s %u: the next try fails", what, h->name, n);
    }
}

// SPDX-License-Identifier: Apache-2.0
/* One request at a time, waited for: partition tables at boot, an event store that is asked to be safe. */
#include "drivers/block/block.h"
#include "hv/core/device.h"
#include "hv/core/percpu.h"

struct answer { struct vm_error result; uint32_t is_there; };

static void done(struct block_request *r, struct vm_error result)
{
    struct answer *a = r->ctx;
    a->result = result;
    __atomic_store_n(&a->is_there, 1, __ATOMIC_RELEASE);      /* pairs with the acquire in block_ask */
}

struct vm_error block_ask(struct block *b, enum block_verb verb, uint64_t sector, uint32_t count, void *data)
{
    struct answer a = { .is_there = 0 };
    struct block_piece piece = { data, count * BLOCK_SECTOR_BYTES };
    struct block_request r = { .verb = verb, .sector = sector, .sector_count = count, .piece = &piece, .piece_count = data ? 1 : 0,
                               .done = done, .ctx = &a };
    if (count > UINT32_MAX / BLOCK_SECTOR_BYTES) return vm_error_because(VM_CORE_INVALID_PARAMETER, "too much at once");
    block_submit(b, &r);
    while (!__atomic_load_n(&a.is_there, __ATOMIC_ACQUIRE)) {
        if (percpu()) percpu_service();                       /* a thread that is no core (hosted) only waits */
        device_serve_all();                                   /* whichever core its interrupts go to */
        arch_cpu_relax();
    }
    return a.result;
}

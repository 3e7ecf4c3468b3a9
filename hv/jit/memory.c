// SPDX-License-Identifier: Apache-2.0
/* Code memory, kept in a pool: pages that once ran code never become anything else, so no executable view is left over data.
 * Own lock; when VMs are made and unmade. */
#include "hv/arch/arch.h"
#include "hv/arch/spin.h"
#include "hv/core/page.h"
#include "hv/jit/jit.h"

/* Free pieces; the record lies in the piece itself. */
struct piece { struct piece *next; const uint8_t *run; uint32_t size_bytes; };
static struct piece *pool;
static struct spinlock lock;

bool jit_memory_take(uint32_t size_bytes, uint8_t **write, const uint8_t **run)
{
    bool ok = false;
    spin_lock(&lock);
    for (struct piece **p = &pool; *p && !ok; p = &(*p)->next) {
        if ((*p)->size_bytes != size_bytes) continue;
        *write = (uint8_t *)*p;
        *run = (*p)->run;
        *p = (*p)->next;
        ok = true;
        break;
    }
    if (!ok) {
        void *pages = page_alloc(size_bytes / HV_PAGE_BYTES, ARCH_CODE_UNIT / HV_PAGE_BYTES);
        *run = pages ? arch_code_map(pages, size_bytes) : NULL;
        *write = pages;
        ok = *run;
        if (pages && !ok) page_free(pages, size_bytes / HV_PAGE_BYTES);
    }
    spin_unlock(&lock);
    return ok;
}

void jit_memory_give(uint32_t size_bytes, uint8_t *write, const uint8_t *run)
{
    struct piece *p = (struct piece *)(void *)write;
    spin_lock(&lock);
    *p = (struct piece){ pool, run, size_bytes };
    pool = p;
    spin_unlock(&lock);
}

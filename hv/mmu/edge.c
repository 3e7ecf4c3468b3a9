// SPDX-License-Identifier: Apache-2.0
/* The API's edge of the MMU: the reference's functions with struct vm_error, and the bulk transfers; see mmu.h. */
#include "hv/base/string.h"
#include "hv/mmu/access.h"

static bool is_size(unsigned size_bytes) { return size_bytes == 1 || size_bytes == 2 || size_bytes == 4 || size_bytes == 8; }

/* A bus error is the guest's view of what the API calls an invalid address, a violation or a device's refusal. */
static struct vm_error edge_error(const struct fault *why, const struct vm_error *refusal)
{
    return why->kind == FAULT_BUS ? *refusal : vm_error_fault(why);
}

struct vm_error mmu_translate(struct mmu *m, guest_addr at, enum access_type how, guest_phys_addr *out)
{
    struct translation t;
    struct fault why;
    if (!mmu_translate_fault(m, at, how, &t, &why)) return vm_error_fault(&why);
    *out = t.gpa;
    return VM_SUCCESS;
}

static struct vm_error access(struct mmu *m, guest_addr at, enum access_type how, unsigned size_bytes, uint64_t *value)
{
    struct fault why;
    struct vm_error refusal;
    if (!is_size(size_bytes)) return vm_error_because(VM_MEMORY_ALIGNMENT, NULL);
    __atomic_store_n(&m->stats.lookups, m->stats.lookups + 1, __ATOMIC_RELAXED);         /* no engine counts this one */
    return mmu_access(m, at, how, size_bytes, value, &why, &refusal) ? VM_SUCCESS : edge_error(&why, &refusal);
}

static void code_changed(struct mmu *m, guest_phys_addr at, uint64_t size_bytes)
{
    if (m->code_changed) m->code_changed(m->owner, at, size_bytes);
}

struct vm_error mmu_read(struct mmu *m, guest_addr at, unsigned size_bytes, uint64_t *out)
{
    return access(m, at, ACCESS_READ, size_bytes, out);
}

struct vm_error mmu_write(struct mmu *m, guest_addr at, unsigned size_bytes, uint64_t value)
{
    struct vm_error e = access(m, at, ACCESS_WRITE, size_bytes, &value);
    if (m->code_changed && !vm_failed(e)) {
        for (unsigned done = 0; done < size_bytes;) {        /* its one or two pages */
            guest_addr here = guest_addr_wrapping_add(at, done);
            unsigned room = HV_PAGE_BYTES - (unsigned)(here.v & (HV_PAGE_BYTES - 1)), n = room < size_bytes - done ? room : size_bytes - done;
            struct translation t;
            struct fault why;
            if (mmu_translate_fault(m, here, ACCESS_WRITE, &t, &why)) code_changed(m, t.gpa, n);
            done += n;
        }
    }
    return e;
}

struct vm_error mmu_fetch_insn(struct mmu *m, guest_addr pc, uint64_t *out)
{
    uint8_t bytes[8] = { 0 };
    unsigned got;
    guest_phys_addr gpa;
    struct fault why;
    struct vm_error refusal = vm_error_at(VM_MEMORY_INVALID_ADDRESS, pc);
    if (!mmu_fetch(m, pc, bytes, sizeof bytes, &got, &gpa, &why)) return edge_error(&why, &refusal);
    memset(bytes + got, 0, sizeof bytes - got);
    memcpy(out, bytes, sizeof *out);
    return VM_SUCCESS;
}

/* Part of a bulk transfer within one page. Devices are accessed byte by byte, as a loop of mmu_read would. */
static struct vm_error bulk_page(struct mmu *m, guest_addr at, enum access_type how, uint8_t *bytes, uint64_t size_bytes)
{
    struct translation t;
    struct fault why;
    uint64_t length;
    if (!mmu_translate_fault(m, at, how, &t, &why)) return vm_error_fault(&why);
    bool is_whole = t.page_bits >= HV_PAGE_BITS;             /* else its rights change within the page */
    if (is_whole && gmem_span(m->gmem, t.gpa, size_bytes, ACCESS_READ, &length)) {
        if (how == ACCESS_READ) return gmem_read_bulk(m->gmem, t.gpa, bytes, size_bytes);
        if (!gmem_span(m->gmem, t.gpa, 1, how, &length)) return vm_error_at(VM_MEMORY_ACCESS_VIOLATION, at);
        code_changed(m, t.gpa, size_bytes);
        return gmem_write_bulk(m->gmem, t.gpa, bytes, size_bytes);
    }
    for (uint64_t i = 0; i < size_bytes; i++) {
        guest_addr here = guest_addr_wrapping_add(at, i);
        uint64_t value = bytes[i];
        struct vm_error e = how == ACCESS_READ ? mmu_read(m, here, 1, &value) : mmu_write(m, here, 1, value);
        if (vm_failed(e)) return e;
        if (how == ACCESS_READ) bytes[i] = (uint8_t)value;
    }
    return VM_SUCCESS;
}

static struct vm_error bulk(struct mmu *m, guest_addr at, enum access_type how, uint8_t *bytes, size_t size_bytes)
{
    while (size_bytes) {
        uint64_t n = HV_PAGE_BYTES - (at.v & (HV_PAGE_BYTES - 1));
        if (n > size_bytes) n = size_bytes;
        struct vm_error e = bulk_page(m, at, how, bytes, n);
        if (vm_failed(e)) return e;
        at = guest_addr_wrapping_add(at, n);
        bytes += n;
        size_bytes -= n;
    }
    return VM_SUCCESS;
}

struct vm_error mmu_read_bulk(struct mmu *m, guest_addr at, void *out, size_t size_bytes) { return bulk(m, at, ACCESS_READ, out, size_bytes); }

struct vm_error mmu_write_bulk(struct mmu *m, guest_addr at, const void *in, size_t size_bytes)
{
    return bulk(m, at, ACCESS_WRITE, (uint8_t *)(uintptr_t)in, size_bytes);      /* only read for WRITE */
}

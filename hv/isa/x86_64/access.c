// SPDX-License-Identifier: Apache-2.0
/* Accesses of carried-out instructions; see access.h. */
#include "hv/isa/x86_64/access.h"
#include "drivers/virt/lapic.h"
#include "hv/base/string.h"

/* ---- devices ---- */
static void count(struct vcpu *v, const struct mmio_region *r, enum access_type how, uint64_t start)
{
    struct device_count *d = &v->exits.device[r - v->mmu.bus->region];
    exit_count_ticks(how == ACCESS_WRITE ? &d->write : &d->read, arch_ticks() - start);
}

static bool is_own_apic(struct vcpu *v, uint64_t gpa)
{
    enum { ON = 1 << 11, X2 = 1 << 10 };
    uint64_t base = x86_state(v)->apic_base;
    return (gpa ^ base) >> 12 == 0 && (base & (ON | X2)) == ON;
}

/* Registers are 32 bits at multiples of 16; SDM 11.4.1 leaves other accesses undefined. */
static void apic(struct vcpu *v, unsigned offset, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    struct x86_machine *m = x86_machine(v);
    uint64_t start = arch_ticks();
    if (how == ACCESS_WRITE) {
        lapic_write(m->lapic, v->id, offset, (uint32_t)*value);
        x86_state(v)->has_news = true;
    } else *value = x86_low(lapic_read(m->lapic, v->id, offset) >> 8 * (offset & 3), size_bytes);
    struct mmio_region *r = mmu_find_device(&v->mmu, guest_phys_addr_make(LAPIC_BASE));
    if (r) count(v, r, how, start);
}

/* One piece, of a size that the device takes: 4 bytes as two of 2 or four of 1 where it must be. */
void x86_physical(struct vcpu *v, uint64_t gpa, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    if (is_own_apic(v, gpa)) {
        apic(v, gpa & 0xfff, size_bytes, how, value);
        return;
    }
    struct mmio_region *r = mmu_find_device(&v->mmu, guest_phys_addr_make(gpa));
    if (!r && size_bytes == 1) {
        if (how == ACCESS_READ) *value = 0xff;
        return;
    }
    if (r && !(gpa & (size_bytes - 1)) && size_bytes >= r->min_access_bytes && size_bytes <= r->max_access_bytes && r->size_bytes - (gpa - r->base.v) >= size_bytes) {
        uint64_t start = arch_ticks();
        struct vm_error e = mmio_access_at(r, gpa - r->base.v, size_bytes, how, value);
        count(v, r, how, start);
        if (vm_failed(e) && how == ACCESS_READ) *value = x86_low(~0ull, size_bytes);
        return;
    }
    if (size_bytes == 1) {                  /* too narrow for it */
        if (how == ACCESS_READ) *value = 0xff;
        return;
    }
    unsigned half = size_bytes & (size_bytes - 1) ? 1 : size_bytes / 2;
    uint64_t low = x86_low(*value, half), high = *value >> 8 * half;
    x86_physical(v, gpa, half, how, &low);
    x86_physical(v, gpa + half, size_bytes - half, how, &high);
    if (how == ACCESS_READ) *value = low | high << 8 * half;
}

/* ---- memory ---- */
static bool translate(struct vcpu *v, uint64_t linear, enum access_type how, uint64_t *gpa)
{
    struct x86_frame *f = x86_frame(v);
    uint32_t error = 0;
    if (!x86_is_long(f)) linear = (uint32_t)linear;
    if (x86_translate_again(v, linear, how, gpa, &error)) return true;
    x86_complete(v);
    f->cr2 = linear;
    f->is_changed = true;
    x86_raise_error(f, X86_PF, error);
    return false;
}

/* RAM and ROM; a store to ROM is lost. */
static bool in_memory(struct vcpu *v, uint64_t gpa, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    void *p = gmem_slice(v->mmu.gmem, guest_phys_addr_make(gpa), size_bytes, how);
    if (!p) return gmem_is_ram(v->mmu.gmem, guest_phys_addr_make(gpa), 1);
    if (how == ACCESS_WRITE) memcpy(p, value, size_bytes);
    else memcpy(value, p, size_bytes);
    return true;
}

/* Both pages of an access that crosses are translated before either is touched. */
static bool access(struct vcpu *v, uint64_t linear, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    uint64_t gpa[2], left = HV_PAGE_BYTES - (linear & (HV_PAGE_BYTES - 1));
    unsigned first = left < size_bytes ? (unsigned)left : size_bytes;
    if (!translate(v, linear, how, &gpa[0])) return false;
    if (first < size_bytes && !translate(v, linear + first, how, &gpa[1])) return false;
    uint64_t low = x86_low(*value, first), high = first < 8 ? *value >> 8 * first : 0;
    if (how == ACCESS_READ) low = high = 0;
    if (!in_memory(v, gpa[0], first, how, &low)) x86_physical(v, gpa[0], first, how, &low);
    if (first < size_bytes && !in_memory(v, gpa[1], size_bytes - first, how, &high)) x86_physical(v, gpa[1], size_bytes - first, how, &high);
    if (how == ACCESS_READ) *value = low | (first < 8 ? high << 8 * first : 0);
    return true;
}

bool x86_load(struct vcpu *v, uint64_t linear, unsigned size_bytes, uint64_t *out)
{
    *out = 0;
    return access(v, linear, size_bytes, ACCESS_READ, out);
}

bool x86_store(struct vcpu *v, uint64_t linear, unsigned size_bytes, uint64_t value) { return access(v, linear, size_bytes, ACCESS_WRITE, &value); }

bool x86_may_store(struct vcpu *v, uint64_t linear, unsigned size_bytes)
{
    uint64_t gpa;
    return translate(v, linear, ACCESS_WRITE, &gpa) && translate(v, linear + size_bytes - 1, ACCESS_WRITE, &gpa);
}

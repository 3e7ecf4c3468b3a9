// SPDX-License-Identifier: Apache-2.0
/* The memory rows' meaning; see access.h. Runs on the vCPU's thread. */
#include "hv/exec/access.h"
#include "hv/base/atomic128.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

/* Attributed accesses: what LOAD, STORE, LL, SC, AMO, CAS and FENCE carry beyond a plain aligned-or-not access. */
static uint64_t swap(uint64_t v, unsigned bytes, uint64_t memop)
{
    return memop & MEM_BIG_ENDIAN ? __builtin_bswap64(v) >> (64 - 8 * bytes) : v;
}

static uint64_t extend(uint64_t v, unsigned bytes, uint64_t memop)
{
    if (bytes == 8) return v;
    unsigned shift = 64 - 8 * bytes;
    return memop & MEM_SIGNED ? (uint64_t)((int64_t)(v << shift) >> shift) : v << shift >> shift;
}

static uint64_t atomic_load(void *p, unsigned bytes)
{
    switch (bytes) {
    case 1:  return __atomic_load_n((uint8_t *)p, __ATOMIC_SEQ_CST);
    case 2:  return __atomic_load_n((uint16_t *)p, __ATOMIC_SEQ_CST);
    case 4:  return __atomic_load_n((uint32_t *)p, __ATOMIC_SEQ_CST);
    default: return __atomic_load_n((uint64_t *)p, __ATOMIC_SEQ_CST);
    }
}

static bool atomic_cas(void *p, unsigned bytes, uint64_t *expected, uint64_t new)
{
#define CAS(type) { type e = (type)*expected; \
        bool ok = __atomic_compare_exchange_n((type *)p, &e, (type)new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); *expected = e; return ok; }
    switch (bytes) {
    case 1:  CAS(uint8_t)
    case 2:  CAS(uint16_t)
    case 4:  CAS(uint32_t)
    default: CAS(uint64_t)
    }
#undef CAS
}

static uint64_t amo(enum ir_amo op, uint64_t old, uint64_t v, unsigned bytes)
{
    int64_t so = (int64_t)extend(old, bytes, MEM_SIGNED), sv = (int64_t)extend(v, bytes, MEM_SIGNED);
    uint64_t uo = extend(old, bytes, 0), uv = extend(v, bytes, 0);
    switch (op) {
    case AMO_SWAP: return v;
    case AMO_ADD:  return old + v;
    case AMO_AND:  return old & v;
    case AMO_OR:   return old | v;
    case AMO_XOR:  return old ^ v;
    case AMO_MIN:  return so < sv ? old : v;
    case AMO_MAX:  return so > sv ? old : v;
    case AMO_MINU: return uo < uv ? old : v;
    case AMO_MAXU: return uo > uv ? old : v;
    }
    return old;
}

/* The MMU may use its fault word for notes: only a failure's is the vCPU's. */
bool access_load(struct vcpu *v, guest_addr at, unsigned bytes, uint64_t *out)
{
    struct fault why;
    if (mmu_load(&v->mmu, at, bytes, out, &why)) return true;
    v->fault = why;
    return false;
}
bool access_store(struct vcpu *v, guest_addr at, unsigned bytes, uint64_t value)
{
    struct fault why;
    if (mmu_store(&v->mmu, at, bytes, value, &why)) return true;
    v->fault = why;
    return false;
}
static void *atomic(struct vcpu *v, guest_addr at, unsigned bytes, enum access_type how, guest_phys_addr *gpa)
{
    struct fault why;
    void *p = mmu_atomic(&v->mmu, at, bytes, how, gpa, &why);
    if (!p) v->fault = why;
    return p;
}

/* `value` is STORE's, SC's, AMO's; `expected` CAS's. */
bool access_row(struct vcpu *v, enum ir_op op, uint64_t memop, uint64_t va, uint64_t expected, uint64_t value, uint64_t *out)
{
    unsigned bytes = memop_bytes(memop);
    guest_addr at = guest_addr_make(va);
    guest_phys_addr gpa;
    enum access_type how = op == IR_LOAD || op == IR_LL ? ACCESS_READ : op == IR_STORE ? ACCESS_WRITE : ACCESS_ATOMIC;
    bool aligned = !(va & (bytes - 1));
    if (!aligned && ((memop & MEM_ALIGNED) || (op != IR_LOAD && op != IR_STORE))) {
        v->fault = fault_alignment(at, bytes, how);
        return false;
    }
    if (memop & MEM_RELEASE) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (op == IR_LOAD) {
        if (!access_load(v, at, bytes, out)) return false;
        *out = extend(swap(*out, bytes, memop), bytes, memop);
    } else if (op == IR_STORE) {
        if (!access_store(v, at, bytes, swap(value, bytes, memop))) return false;
    } else {
        void *p = atomic(v, at, bytes, how, &gpa);
        if (op == IR_SC && p) {
            bool held = v->reservation.host == (uintptr_t)p && v->reservation.size_bytes == bytes;
            uint64_t seen = v->reservation.value;
            v->reservation.size_bytes = 0;
            *out = held && atomic_cas(p, bytes, &seen, swap(value, bytes, memop));
            return true;
        }
        if (!p) return false;
        uint64_t old = atomic_load(p, bytes);
        if (op == IR_LL) {
            v->reservation.host = (uintptr_t)p;
            v->reservation.value = old;
            v->reservation.size_bytes = bytes;
        } else if (op == IR_CAS) {
            old = swap(expected, bytes, memop);
            (void)atomic_cas(p, bytes, &old, swap(value, bytes, memop));
        } else {
            while (!atomic_cas(p, bytes, &old, swap(amo(memop_amo(memop), swap(old, bytes, memop), value, bytes), bytes, memop))) {}
        }
        *out = extend(swap(old, bytes, memop), bytes, memop);
    }
    if (memop & MEM_ACQUIRE) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return true;
}

/* A 16-byte value in a guest's order, and back. */
static void swap128(uint64_t out[2], const uint64_t in[2], uint64_t memop)
{
    uint64_t low = in[0], high = in[1];
    bool is_big = memop & MEM_BIG_ENDIAN;
    out[0] = is_big ? __builtin_bswap64(high) : low;
    out[1] = is_big ? __builtin_bswap64(low) : high;
}

/* The same for 16 bytes. A plain access is two halves, but nothing is written before both are known to be writable; the
 * atomic ones are one piece. `b` is STORE's and SC's value, CAS's expected one; `c` CAS's new one. */
bool access_row128(struct vcpu *v, enum ir_op op, uint64_t memop, uint64_t va, const uint64_t b[2], const uint64_t c[2], uint64_t out[2])
{
    guest_addr at = guest_addr_make(va), high = guest_addr_wrapping_add(at, 8);
    guest_phys_addr gpa;
    bool is_plain = op == IR_LOAD || op == IR_STORE;
    enum access_type how = op == IR_LOAD || op == IR_LL ? ACCESS_READ : op == IR_STORE ? ACCESS_WRITE : ACCESS_ATOMIC;
    uint64_t mine[2], theirs[2];
    if ((va & 15) && ((memop & MEM_ALIGNED) || !is_plain)) {
        v->fault = fault_alignment(at, 16, how);
        return false;
    }
    if (memop & MEM_RELEASE) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (op == IR_LOAD) {
        if (!access_load(v, at, 8, &theirs[0]) || !access_load(v, high, 8, &theirs[1])) return false;
    } else if (op == IR_STORE) {
        struct translation t;
        struct fault why;
        swap128(mine, b, memop);
        for (unsigned byte = 0; (va ^ (va + 15)) & ~(uint64_t)(HV_PAGE_BYTES - 1) && byte < 16; byte++) {
            if (mmu_translate_fault(&v->mmu, guest_addr_wrapping_add(at, byte), ACCESS_WRITE, &t, &why)) continue;
            v->fault = why;
            return false;
        }
        if (!access_store(v, at, 8, mine[0]) || !access_store(v, high, 8, mine[1])) return false;
    } else {
        void *p = atomic(v, at, 16, how, &gpa);
        if (!p) return false;
        if (op == IR_LL) {
            atomic_load128(p, theirs);
            v->reservation.host = (uintptr_t)p;
            v->reservation.value = theirs[0];
            v->reservation.value_high = theirs[1];
            v->reservation.size_bytes = 16;
        } else if (op == IR_SC) {
            bool held = v->reservation.host == (uintptr_t)p && v->reservation.size_bytes == 16;
            theirs[0] = v->reservation.value;
            theirs[1] = v->reservation.value_high;
            v->reservation.size_bytes = 0;
            swap128(mine, b, memop);
            out[0] = held && atomic_cas128(p, theirs, mine);
            return true;
        } else {
            swap128(theirs, b, memop);
            swap128(mine, c, memop);
            (void)atomic_cas128(p, theirs, mine);
        }
    }
    if (op != IR_STORE) swap128(out, theirs, memop);
    if (memop & MEM_ACQUIRE) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return true;
}


// SPDX-License-Identifier: Apache-2.0
/* Words every room speaks. An address is a one-member struct, so the compiler keeps the three spaces apart;
 * arithmetic on it wraps modulo 2^64, as a guest CPU's does. Plain values: any context. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODISCARD   __attribute__((warn_unused_result))
#define NORETURN    __attribute__((noreturn))
#define NOINLINE    __attribute__((noinline))              /* seldom called: it shall not burden its caller */
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ALIGNED(n)  __attribute__((aligned(n)))
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)((uintptr_t)(p) - offsetof(type, member)))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define HV_PAGE_BITS  12
#define HV_PAGE_BYTES 4096u

typedef struct { uint64_t  v; } guest_addr;        /* guest virtual: what a guest program counter or pointer holds */
typedef struct { uint64_t  v; } guest_phys_addr;   /* guest physical: what the guest's own page tables yield */
typedef struct { uintptr_t v; } host_addr;         /* hypervisor virtual: backs guest RAM and code caches */

static inline guest_addr      guest_addr_make(uint64_t v)        { return (guest_addr){ v }; }
static inline uint64_t        guest_addr_value(guest_addr a)     { return a.v; }
/* The address as a two's-complement offset: all ones is -1. */
static inline int64_t         guest_addr_as_i64(guest_addr a)    { return (int64_t)a.v; }
/* a + n modulo 2^64: 0xffffffffffffffff + 1 is 0. */
static inline guest_addr      guest_addr_wrapping_add(guest_addr a, uint64_t n) { return (guest_addr){ a.v + n }; }
/* a - n modulo 2^64: 0 - 1 is 0xffffffffffffffff. */
static inline guest_addr      guest_addr_wrapping_sub(guest_addr a, uint64_t n) { return (guest_addr){ a.v - n }; }
/* Distance in bytes from b up to a, modulo 2^64: 0x1100 - 0x1000 is 0x100. */
static inline uint64_t        guest_addr_diff(guest_addr a, guest_addr b)       { return a.v - b.v; }
static inline bool            guest_addr_equal(guest_addr a, guest_addr b)      { return a.v == b.v; }

static inline guest_phys_addr guest_phys_addr_make(uint64_t v)            { return (guest_phys_addr){ v }; }
static inline uint64_t        guest_phys_addr_value(guest_phys_addr a)    { return a.v; }
static inline guest_phys_addr guest_phys_addr_wrapping_add(guest_phys_addr a, uint64_t n)
{
    return (guest_phys_addr){ a.v + n };
}
/* The same number seen as a virtual address: what a guest without translation uses. */
static inline guest_addr      guest_phys_addr_to_guest_addr(guest_phys_addr a)  { return (guest_addr){ a.v }; }

/* Between the address and the pointer that it is. */
static inline host_addr       host_addr_make(const void *p)     { return (host_addr){ (uintptr_t)p }; }
static inline void           *host_addr_pointer(host_addr a)    { return (void *)a.v; }

/*                   enumerator  name (requirements: lower case)  configuration word */
#define GUEST_ARCH_LIST(_)                       \
    _(GUEST_RISCV64, "riscv64",   "riscv64")     \
    _(GUEST_ARM64,   "arm64",     "arm64")       \
    _(GUEST_X86_64,  "x86_64",    "x86_64")      \
    _(GUEST_PPC64,   "powerpc64", "ppc64")
enum guest_arch {
#define X(e, n, w) e,
    GUEST_ARCH_LIST(X)
#undef X
    GUEST_ARCH_COUNT
};

#define EXEC_MODE_LIST(_)                   \
    _(EXEC_INTERPRETER, "interpreter")      \
    _(EXEC_JIT,         "jit")              \
    _(EXEC_HARDWARE,    "hardware")
/* How guest code is run: the rows above. */
enum exec_mode {
#define X(e, n) e,
    EXEC_MODE_LIST(X)
#undef X
    EXEC_MODE_COUNT
};

/* What an access needs of its page: READ needs R; WRITE needs W and D; EXECUTE needs X; ATOMIC (AMO, store-conditional,
 * locked read-modify-write) needs R, W and D and faults as a store. A load-reserved alone is a READ. */
#define ACCESS_TYPE_LIST(_)          \
    _(ACCESS_READ,    "Read")        \
    _(ACCESS_WRITE,   "Write")       \
    _(ACCESS_EXECUTE, "Execute")     \
    _(ACCESS_ATOMIC,  "Atomic")
enum access_type {
#define X(e, n) e,
    ACCESS_TYPE_LIST(X)
#undef X
    ACCESS_TYPE_COUNT
};
static inline bool access_is_write(enum access_type t) { return t == ACCESS_WRITE || t == ACCESS_ATOMIC; }

const char *guest_arch_name(enum guest_arch a);    /* "riscv64", "arm64", "x86_64", "powerpc64" */
const char *exec_mode_name(enum exec_mode m);      /* "interpreter", "jit", "hardware" */
const char *access_type_name(enum access_type t);  /* "Read", "Write", "Execute", "Atomic" */

// SPDX-License-Identifier: Apache-2.0
/* An error is OUR failure, a fault is the guest's lawful event. `struct vm_error` is the one error type of every
 * fallible API function; hot paths return bool with a `struct fault` and convert at the API's edge.
 * Plain values, nothing allocated: any context. */
#pragma once
#include "hv/base/types.h"

#define FAULT_KIND_LIST(_)                                                                                  \
    _(FAULT_NONE,               "None")                                                                     \
    _(FAULT_PAGE,               "PageFault")            /* va untranslatable, or its page denies the access */ \
    _(FAULT_GENERAL_PROTECTION, "GeneralProtection")    /* privilege too low for the instruction           */ \
    _(FAULT_SEGMENT,            "SegmentFault")         /* x86 descriptor errors                           */ \
    _(FAULT_ALIGNMENT,          "AlignmentFault")                                                           \
    _(FAULT_BUS,                "BusError")             /* nothing, or nothing willing, at the gpa         */ \
    _(FAULT_INVALID_OPCODE,     "InvalidOpcode")                                                            \
    _(FAULT_TRAP,               "Trap")                 /* a trap instruction: ecall, ebreak, svc, sc, int */
enum fault_kind {
#define X(e, n) e,
    FAULT_KIND_LIST(X)
#undef X
    FAULT_KIND_COUNT
};

struct fault {
    enum fault_kind kind;
    union {
        struct { guest_addr addr; enum access_type access_type; bool is_write, is_user; } page;
        struct { uint32_t code; }                                                   protection;   /* raw opcode or error code */
        struct { uint16_t selector; }                                               segment;
        struct { guest_addr addr; uint8_t size_bytes; enum access_type access_type; } alignment;
        struct { guest_phys_addr addr; guest_addr va; enum access_type access_type; } bus;
        struct { guest_addr pc; uint32_t opcode; }                                  invalid_opcode;
        struct { uint32_t number; uint64_t value; }                                 trap;         /* the ISA's own number */
    };
};

/* One maker for each kind; what the arguments mean is said at struct fault. */
static inline struct fault fault_page(guest_addr at, enum access_type how, bool is_user)
{
    return (struct fault){ .kind = FAULT_PAGE, .page = { at, how, access_is_write(how), is_user } };
}
static inline struct fault fault_bus(guest_phys_addr at, guest_addr va, enum access_type how)
{
    return (struct fault){ .kind = FAULT_BUS, .bus = { at, va, how } };
}
static inline struct fault fault_alignment(guest_addr at, unsigned size_bytes, enum access_type how)
{
    return (struct fault){ .kind = FAULT_ALIGNMENT, .alignment = { at, (uint8_t)size_bytes, how } };
}
static inline struct fault fault_invalid_opcode(guest_addr pc, uint32_t opcode)
{
    return (struct fault){ .kind = FAULT_INVALID_OPCODE, .invalid_opcode = { pc, opcode } };
}
static inline struct fault fault_protection(uint32_t code)
{
    return (struct fault){ .kind = FAULT_GENERAL_PROTECTION, .protection = { code } };
}
static inline struct fault fault_trap(uint32_t number, uint64_t value)
{
    return (struct fault){ .kind = FAULT_TRAP, .trap = { number, value } };
}

/* Whose failure it is; NONE is success. */
enum vm_error_domain { VM_ERROR_NONE, VM_ERROR_MEMORY, VM_ERROR_EXECUTION, VM_ERROR_CORE, VM_ERROR_DEVICE, VM_ERROR_PLATFORM,
                       VM_ERROR_DOMAIN_COUNT };

/*      domain     kind                       payload  text */
#define VM_ERROR_LIST(_)                                                                          \
    _(MEMORY,    INVALID_ADDRESS,           ADDR,   "no RAM or device at this address")           \
    _(MEMORY,    ACCESS_VIOLATION,          ADDR,   "the memory map forbids this access")         \
    _(MEMORY,    ALIGNMENT,                 NONE,   "misaligned or odd-sized access")             \
    _(EXECUTION, FAULT,                     FAULT,  "guest fault")                                \
    _(EXECUTION, INVALID_INSTRUCTION,       NONE,   "the engine cannot run this instruction")     \
    _(CORE,      CONFIG,                    REASON, "configuration")                              \
    _(CORE,      INVALID_CONFIG,            REASON, "configuration refused")                      \
    _(CORE,      INVALID_STATE,             REASON, "not possible in this state")                 \
    _(CORE,      NOT_SUPPORTED,             REASON, "not supported")                              \
    _(CORE,      DECODE,                    REASON, "cannot decode")                              \
    _(CORE,      INTERNAL,                  REASON, "internal error")                             \
    _(CORE,      RESOURCE_EXHAUSTED,        REASON, "out of a resource")                          \
    _(CORE,      CONCURRENCY,               REASON, "concurrent use")                             \
    _(CORE,      INVALID_PARAMETER,         REASON, "invalid parameter")                          \
    _(DEVICE,    NOT_FOUND,                 REASON, "no such device")                             \
    _(DEVICE,    INIT_FAILED,               REASON, "device did not initialise")                  \
    _(DEVICE,    IO_FAILED,                 REASON, "device I/O failed")                          \
    _(DEVICE,    CONFIG,                    REASON, "device configuration")                       \
    _(DEVICE,    BUSY,                      REASON, "device busy")                                \
    _(DEVICE,    UNSUPPORTED_OPERATION,     REASON, "device does not support this")               \
    _(PLATFORM,  ACCELERATION_UNAVAILABLE,  REASON, "no hardware virtualization here")            \
    _(PLATFORM,  UNSUPPORTED_ARCH,          REASON, "architecture not supported here")            \
    _(PLATFORM,  PERMISSION_DENIED,         REASON, "permission denied")                          \
    _(PLATFORM,  FIRMWARE,                  REASON, "firmware")

/* VM_<domain>_<kind> for each row above. */
enum vm_error_kind {
    VM_ERROR_KIND_NONE,
#define X(d, k, p, t) VM_##d##_##k,
    VM_ERROR_LIST(X)
#undef X
    VM_ERROR_KIND_COUNT
};

/* Zero is success. `reason` is a static string or one that outlives the call (a configuration's own text). */
struct vm_error {
    enum vm_error_domain domain;
    enum vm_error_kind   kind;
    union { guest_addr addr; struct fault fault; const char *reason; };
};
#define VM_SUCCESS ((struct vm_error){ .domain = VM_ERROR_NONE })

/* The only test a caller needs. */
static inline bool vm_failed(struct vm_error e) { return e.domain != VM_ERROR_NONE; }

struct vm_error vm_error_at(enum vm_error_kind kind, guest_addr at);            /* kinds with an ADDR payload */
struct vm_error vm_error_because(enum vm_error_kind kind, const char *reason);  /* kinds with a REASON payload, or none */
struct vm_error vm_error_fault(const struct fault *f);                          /* Execution(Fault(f)) */

const char *fault_kind_name(enum fault_kind k);
const char *vm_error_domain_name(enum vm_error_domain d);                       /* "Memory", "Execution", ... */
const char *vm_error_text(enum vm_error_kind k);
/* Writes one line (no newline), always terminated when cap_bytes > 0; returns the length it wanted, as snprintf does. */
int fault_format(char *out, size_t cap_bytes, const struct fault *f);
int vm_error_format(char *out, size_t cap_bytes, const struct vm_error *e);

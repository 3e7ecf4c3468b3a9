// SPDX-License-Identifier: Apache-2.0
/* The demo kernel's vocabulary: types, CSRs, harts, and the door of each file. Everything is identity
 * mapped except the stacks, the test window and the user page (see paging.c). A struct hart belongs to its
 * hart; what others may write is marked. */
#ifndef DEMO_H
#define DEMO_H

/* Offsets head.S needs; checked against the structures below. */
#define HART_SATP 0
#define HART_STACK 8
#define HART_TRAP_STACK 16
#define HART_ENTRY 24
#define FRAME_PC 256
#define FRAME_STATUS 264
#define FRAME_SIZE 272

#ifndef __ASSEMBLER__
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define HARTS_MAX 8
#define PAGE_SIZE 4096ul
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define TICKS_PER_SECOND 10

#define csr_read(name) ({ u64 v_; __asm__ volatile("csrr %0, " #name : "=r"(v_)::"memory"); v_; })
#define csr_write(name, v) __asm__ volatile("csrw " #name ", %0" ::"r"((u64)(v)) : "memory")
#define csr_set(name, v) __asm__ volatile("csrs " #name ", %0" ::"r"((u64)(v)) : "memory")
#define csr_clear(name, v) __asm__ volatile("csrc " #name ", %0" ::"r"((u64)(v)) : "memory")
#define SSTATUS_SIE (1ul << 1)
#define SSTATUS_SPIE (1ul << 5)
#define SSTATUS_SPP (1ul << 8)
#define SIE_SOFT (1ul << 1)
#define SIE_TIMER (1ul << 5)
#define SIE_EXTERNAL (1ul << 9)

struct frame { u64 x[32], pc, status; };                     /* trap.c: what a trap saves; x[0] is unused */
struct jump_buffer { u64 ra, sp, s[12]; };
struct fault { u64 cause, value, pc; };

struct hart {
    u64 satp, stack, trap_stack;                             /* for head.S */
    void (*entry)(struct hart *hart);
    u64 id;                                                  /* hart id as firmware counts */
    const char *isa;                                         /* from the device tree */
    u32 index, plic_context, intc_phandle;
    bool online;                                         /* released by the hart, acquired by the boot hart */
    u64 ticks, ipis, interrupts;
    struct jump_buffer *recover;                             /* where a fault lands; NULL = it is fatal */
    struct fault fault;
    void (*work)(u64 argument);                             /* set by others when NULL, cleared by the hart */
    u64 argument;
};
_Static_assert(offsetof(struct hart, satp) == HART_SATP, "head.S");
_Static_assert(offsetof(struct hart, stack) == HART_STACK, "head.S");
_Static_assert(offsetof(struct hart, trap_stack) == HART_TRAP_STACK, "head.S");
_Static_assert(offsetof(struct hart, entry) == HART_ENTRY, "head.S");
_Static_assert(offsetof(struct frame, status) == FRAME_STATUS && sizeof(struct frame) == FRAME_SIZE,
               "head.S");

static inline struct hart *this_hart(void)
{
    struct hart *hart;
    __asm__("mv %0, tp" : "=r"(hart));
    return hart;
}

/* head.S */
extern char image_start[], text_end[], rodata_end[], image_end[], user_code[];
extern void hart_entry(u64 id, struct hart *hart) __attribute__((noreturn));
extern int jump_set(struct jump_buffer *buffer) __attribute__((returns_twice));
extern void jump_to(struct jump_buffer *buffer, int value) __attribute__((noreturn));
extern void enter_user(u64 pc);

/* fdt.c: the flattened device tree, node by node in document order */
struct fdt_node {
    const char *name;
    u32 offset, props, depth;
    u8 address_cells[8], size_cells[8];                     /* per depth: what a node says for its children */
};
bool fdt_open(const void *blob);
bool fdt_next(struct fdt_node *node);                        /* start with a zeroed node */
const void *fdt_property(const struct fdt_node *node, const char *name, u32 *length_bytes);
u32 fdt_cell(const void *property, u32 index);
u32 fdt_u32(const struct fdt_node *node, const char *name, u32 otherwise);
bool fdt_reg(const struct fdt_node *node, u64 *base, u64 *size_bytes);
bool fdt_compatible(const struct fdt_node *node, const char *with);

/* machine.c: what this machine has, as the device tree says */
struct region { u64 base, size_bytes; u32 irq; };
extern struct machine {
    const char *model, *bootargs;
    struct region ram, uart, plic, finisher, rtc, virtio[32];
    u32 virtio_count, hart_count, harts_found, timebase_hz, uart_shift;
    u64 dtb, boot_hart_id;
} machine;
extern struct hart harts[HARTS_MAX];
bool machine_discover(u64 boot_hart_id, const void *dtb);

/* sbi.c */
enum sbi_extension { SBI_TIME, SBI_IPI, SBI_RFENCE, SBI_HSM, SBI_SRST, SBI_DBCN, SBI_EXTENSIONS };
void sbi_init(void);
bool sbi_has(enum sbi_extension extension);
void sbi_describe(void);
void sbi_set_timer(u64 deadline);
long sbi_send_ipi(u64 hart_id);
long sbi_remote_sfence(u64 hart_id, u64 address, u64 size_bytes);
long sbi_hart_start(u64 hart_id, u64 entry, u64 opaque);
long sbi_console_write(const char *text, u64 length);
int sbi_console_read(void);                                  /* a byte, or -1 */
long sbi_null_call(void);
void machine_stop(bool reboot, bool failed) __attribute__((noreturn));

/* console.c */
void console_init(void);
void console_interrupt(void);
int console_getc(void);                                      /* a byte, or -1 */
bool console_break(void);                                    /* was ^C typed since the last call? */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_hex(const void *data, u64 address, u32 length_bytes);

/* paging.c */
enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_G = 32, PTE_A = 64, PTE_D = 128 };
#define PAGE_RO (PTE_R | PTE_A)
#define PAGE_RX (PTE_R | PTE_X | PTE_A)
#define PAGE_RW (PTE_R | PTE_W | PTE_A | PTE_D)
#define STACKS 0xffffffc000000000ul
#define STACK_SIZE (4 * PAGE_SIZE)
#define WINDOW 0xffffffc040000000ul
#define USER_PAGE 0x10000ul
void paging_init(void);
bool paging_map(u64 va, u64 pa, u64 size_bytes, u64 flags);
void paging_set(u64 va, u64 pa, u64 flags);             /* one 4 KiB page, fences this hart; flags 0 unmaps */

/* trap.c */
bool survives(void (*function)(u64), u64 argument, struct fault *fault);
const char *cause_name(u64 cause);

/* hart.c */
void harts_start(void);
bool hart_call(struct hart *hart, void (*function)(u64), u64 argument);
bool hart_wait(struct hart *hart);                       /* until its work is done; false after ten seconds */
u64 now(void);
u64 microseconds(u64 since);
void wait_for_interrupt(void);                               /* call with interrupts off */
void interrupts_on(void);
void interrupts_off(void);

/* plic.c */
void plic_init(void);
void plic_enable(u32 irq, void (*handler)(void));
void plic_interrupt(void);

/* virtio.c */
struct disk { bool present, legacy, read_only, has_flush; u64 sectors, irqs; char id[21]; };
extern struct disk disk;
extern bool rng_present;
void virtio_init(void);
bool disk_transfer(u64 sector, void *data, bool is_write);   /* one sector of 512 bytes */
bool disk_flush(void);                                       /* what was written is safe; false: not so */
bool rng_read(void *data, u32 length_bytes);

/* selftest.c, bench.c, shell.c */
u32 selftest(void);                                          /* how many failed */
bool test_tlb(u32 rounds);
u32 user_round_trip(void);                                   /* the cause a user-mode ecall brought */
void bench_run(void);
void float_demo(void);
const char *stamp(u64 count);                                /* shell.c; NULL, or why it ended early */
void shell(void) __attribute__((noreturn));

/* string.c */
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
bool starts_with(const char *s, const char *prefix);
bool contains(const char *s, const char *word);
#endif
#endif

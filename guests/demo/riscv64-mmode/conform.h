// SPDX-License-Identifier: Apache-2.0
/* The machine conformance test: a firmware that tries the privileged machine from M-mode. Its tool is
 * run(): one instruction in one privilege mode, and what came of it. Hart 0 owns everything; the others
 * wait for a job. */
#ifndef CONFORM_H
#define CONFORM_H
#include "guests/demo/riscv64/demo.h"

#define csr_swap(name, v) \
    ({ u64 o_, n_ = (v); __asm__ volatile("csrrw %0, " #name ", %1" : "=r"(o_) : "r"(n_) : "memory"); o_; })

enum mode { U = 0, S = 1, M = 3 };
enum cause {
    FETCH_ACCESS = 1,
    ILLEGAL = 2,
    BREAKPOINT = 3,
    LOAD_MISALIGNED = 4,
    LOAD_ACCESS = 5,
    STORE_MISALIGNED = 6,
    STORE_ACCESS = 7,
    ECALL_U = 8,
    ECALL_S = 9,
    ECALL_M = 11,
    FETCH_PAGE = 12,
    LOAD_PAGE = 13,
    STORE_PAGE = 15,
};
#define INTERRUPT (1ul << 63)
#define DONE (~0ul)                                     /* as a cause: the instruction ended without a trap */
enum { IRQ_SSI = 1, IRQ_MSI = 3, IRQ_STI = 5, IRQ_MTI = 7, IRQ_MEI = 11 };
#define BIT(n) (1ul << (n))
#define MSTATUS_MIE BIT(3)
#define MSTATUS_SPIE BIT(5)
#define MSTATUS_MPIE BIT(7)
#define MSTATUS_SPP BIT(8)
#define MSTATUS_FS (3ul << 13)
#define MSTATUS_MPRV BIT(17)
#define MSTATUS_SUM BIT(18)
#define MSTATUS_MXR BIT(19)
#define MSTATUS_TVM BIT(20)
#define MSTATUS_TW BIT(21)
#define MSTATUS_TSR BIT(22)

/* Encodings; all work on a0 and a1. */
#define LOAD(f3) (0x00050503u | (u32)(f3) << 12)     /* l? a0, 0(a0): 0 lb 1 lh 2 lw 3 ld 4 lbu 5 lhu 6 lwu */
#define STORE(f3) (0x00b50023u | (u32)(f3) << 12)            /* s? a1, 0(a0) */
#define LW LOAD(2)
#define LD LOAD(3)
#define SW STORE(2)
#define SD STORE(3)
#define CSRRW(csr) (0x00059573u | (u32)(csr) << 20)          /* csrrw a0, csr, a1 */
#define CSRR(csr) (0x00002573u | (u32)(csr) << 20)           /* csrrs a0, csr, zero */
#define AMO(f5, f3) (0x00b5052fu | (u32)(f5) << 27 | (u32)(f3) << 12)   /* amo a0, a1, (a0) */
#define NOP 0x00000013u
#define ECALL 0x00000073u
#define EBREAK 0x00100073u
#define SRET 0x10200073u
#define MRET 0x30200073u
#define WFI 0x10500073u
#define SFENCE 0x12000073u
#define JR_A0 0x00050067u
#define FADD 0x02007053u                                     /* fadd.d ft0, ft0, ft0, dyn */

struct outcome { u64 cause, value, pc, a0, a1, a7, status, slot; };

struct outcome run(enum mode mode, u32 instruction, u64 a0, u64 a1);
struct outcome run_at(enum mode mode, u64 pc, u64 a0, u64 a1);
extern u32 code[], done_code[], spin_code[], s_handler[], vectors[];
extern u64 scratch[1024];                                    /* two pages of data, page aligned */
extern u32 harts_total;

void expect(const char *name, u64 got, u64 want);
void expect_or(const char *name, u64 got, u64 want, u64 tolerated);
void expect_trap(const char *name, struct outcome got, u64 cause, u64 value);
void say(const char *text);
bool on_all_harts(void (*job)(u64 hart));                   /* runs job everywhere; false after ten seconds */
void pmp_open(void);                                /* the last entry allows everything, the others are off */
void wait_ticks(u64 ticks);

#define CLINT 0x02000000ul
#define MSIP(h) (*(volatile u32 *)(CLINT + 4ul * (h)))
#define MTIMECMP(h) (*(volatile u64 *)(CLINT + 0x4000 + 8ul * (h)))
#define MTIME (*(volatile u64 *)(CLINT + 0xbff8))

void check_csrs(void);
void check_traps(void);
void check_interrupts(void);
void check_memory(void);
void check_floats(void);
void check_paging(void);
void check_pmp(void);
void check_devices(void);
void check_harts(void);
#endif

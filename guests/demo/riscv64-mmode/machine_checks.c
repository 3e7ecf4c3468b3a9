// SPDX-License-Identifier: Apache-2.0
/* CSRs, traps and modes, interrupts, PMP, devices, harts (privileged spec chapters 3 and 4; CLINT, PLIC,
 * ns16550). */
#include "conform.h"

void check_csrs(void)
{
    u64 misa = csr_read(misa);
    expect("misa.mxl", misa >> 62, 2);
    expect("misa.imafdcsu", misa & 0x14112d, 0x14112d);
    expect("mhartid", csr_read(mhartid), 0);
    csr_write(mscratch, 0x0123456789abcdef);
    expect("mscratch", csr_swap(mscratch, 0), 0x0123456789abcdef);
    u64 mtvec = csr_swap(mtvec, (u64)vectors | 1);
    expect("mtvec.vectored", csr_swap(mtvec, mtvec), (u64)vectors | 1);
    csr_write(mepc, 0x80000003);
    expect_or("mepc.bit0", csr_read(mepc), 0x80000002, 0x80000003);
    csr_write(medeleg, ~0ul);
    expect_or("medeleg.no-ecall-m", csr_swap(medeleg, 0) & BIT(ECALL_M), 0, BIT(ECALL_M));
    csr_write(mideleg, ~0ul);
    expect("mideleg.only-s", csr_read(mideleg) & 0xaaa, 0x222);
    csr_write(mideleg, 0);
    expect("mstatus.xlen", csr_read(mstatus) >> 32 & 15, 10);
    csr_write(satp, 3ul << 60);
    expect("satp.reserved-mode", csr_swap(satp, 0), 0);
    csr_write(mip, BIT(IRQ_SSI) | BIT(IRQ_MSI) | BIT(IRQ_MTI));
    expect("mip.read-only-bits", csr_read(mip) & (BIT(IRQ_SSI) | BIT(IRQ_MSI)), BIT(IRQ_SSI));
    csr_write(mip, 0);

    expect_trap("csr.absent", run(M, CSRR(0x8ff), 0, 0), ILLEGAL, CSRR(0x8ff));
    expect_trap("csr.read-only-write", run(M, CSRRW(0xf14), 0, 0), ILLEGAL, CSRRW(0xf14));
    expect_trap("csr.read-only-read", run(M, CSRR(0xf14), 0, 0), DONE, 0);
    expect_trap("csr.m-from-s", run(S, CSRR(0x300), 0, 0), ILLEGAL, CSRR(0x300));
    expect_trap("csr.s-from-s", run(S, CSRR(0x100), 0, 0), DONE, 0);
    expect_trap("csr.s-from-u", run(U, CSRR(0x100), 0, 0), ILLEGAL, CSRR(0x100));

    u64 cycle = csr_read(mcycle), instret = csr_read(minstret);
    wait_ticks(1000);
    expect("mcycle.advances", csr_read(mcycle) > cycle, 1);
    expect("minstret.advances", csr_read(minstret) > instret, 1);
    csr_write(mcounteren, 0);
    csr_write(scounteren, 7);
    expect_trap("cycle.s-closed", run(S, CSRR(0xc00), 0, 0), ILLEGAL, CSRR(0xc00));
    expect_trap("time.s-closed", run(S, CSRR(0xc01), 0, 0), ILLEGAL, CSRR(0xc01));
    csr_write(mcounteren, 7);
    expect_trap("cycle.s-open", run(S, CSRR(0xc00), 0, 0), DONE, 0);
    expect_trap("cycle.u-open", run(U, CSRR(0xc00), 0, 0), DONE, 0);
    csr_write(scounteren, 0);
    expect_trap("cycle.u-closed", run(U, CSRR(0xc00), 0, 0), ILLEGAL, CSRR(0xc00));
    u64 before = MTIME, time = run(S, CSRR(0xc01), 0, 0).a0, after = MTIME;
    expect("time.is-mtime", before <= time && time <= after, 1);
}

void check_traps(void)
{
    const u64 hole = 0x08000000;
    expect_trap("ecall.m", run(M, ECALL, 0, 0), ECALL_M, 0);
    expect_trap("ecall.s", run(S, ECALL, 0, 0), ECALL_S, 0);
    expect_trap("ecall.u", run(U, ECALL, 0, 0), ECALL_U, 0);
    expect("ebreak", run(M, EBREAK, 0, 0).cause, BREAKPOINT);
    expect("ebreak.pc", run(U, EBREAK, 0, 0).pc, (u64)code);
    expect_trap("illegal.32", run(M, 0xffffffffu, 0, 0), ILLEGAL, 0xffffffff);
    expect_trap("illegal.16", run(U, 0, 0, 0), ILLEGAL, 0);
    expect_trap("illegal.mret-in-s", run(S, MRET, 0, 0), ILLEGAL, MRET);
    expect_trap("illegal.sret-in-u", run(U, SRET, 0, 0), ILLEGAL, SRET);
    expect_trap("illegal.sfence-in-u", run(U, SFENCE, 0, 0), ILLEGAL, SFENCE);
    expect_trap("access.load", run(M, LD, hole, 0), LOAD_ACCESS, hole);
    expect_trap("access.store", run(M, SD, hole, 0), STORE_ACCESS, hole);
    expect_trap("access.fetch", run(M, JR_A0, hole, 0), FETCH_ACCESS, hole);
    expect("access.load-keeps-register", run(M, LD, hole, 0).a0, hole);

    expect("mpp.after-trap-from-u", run(U, NOP, 0, 0).status >> 11 & 3, U);
    expect("mpp.after-trap-from-s", run(S, NOP, 0, 0).status >> 11 & 3, S);
    expect("mpp.after-trap-from-m", run(M, NOP, 0, 0).status >> 11 & 3, M);
    csr_write(sepc, done_code);
    csr_clear(mstatus, MSTATUS_SPP);
    expect("sret.to-u", run(S, SRET, 0, 0).status >> 11 & 3, U);
    csr_set(mstatus, MSTATUS_SPP);
    expect("sret.to-s", run(S, SRET, 0, 0).status >> 11 & 3, S);
    expect("sret.clears-spp", csr_read(mstatus) & MSTATUS_SPP, 0);
    csr_set(mstatus, MSTATUS_MPRV);
    expect_or("mret.clears-mprv", run(S, NOP, 0, 0).status & MSTATUS_MPRV, 0, MSTATUS_MPRV);
    csr_clear(mstatus, MSTATUS_MPRV);

    csr_set(mstatus, MSTATUS_TSR | MSTATUS_TVM | MSTATUS_TW);
    expect_trap("tsr.sret", run(S, SRET, 0, 0), ILLEGAL, SRET);
    expect_trap("tvm.satp", run(S, CSRR(0x180), 0, 0), ILLEGAL, CSRR(0x180));
    expect_trap("tvm.sfence", run(S, SFENCE, 0, 0), ILLEGAL, SFENCE);
    expect_trap("tw.wfi", run(S, WFI, 0, 0), ILLEGAL, WFI);
    csr_clear(mstatus, MSTATUS_TSR | MSTATUS_TVM | MSTATUS_TW);

    csr_write(stvec, s_handler);
    csr_write(medeleg, BIT(ECALL_U) | BIT(ILLEGAL));
    struct outcome o = run(U, ECALL, 0, 0);
    expect("delegated.cause", o.a0, ECALL_U);
    expect("delegated.mode", o.status >> 11 & 3, S);
    expect("delegated.sepc", csr_read(sepc), (u64)code);
    expect("delegated.spp", csr_read(mstatus) & MSTATUS_SPP, 0);
    expect("delegated.stval", run(U, 0xffffffffu, 0, 0).a1, 0xffffffff);
    expect("delegated.not-from-m", run(M, 0xffffffffu, 0, 0).cause, ILLEGAL);
    csr_write(medeleg, 0);
}

/* The pending bits under mask, once they are as wanted; as they are when a second has passed. A wire may take
 * its time, but must arrive. */
static u64 pending_bits(u64 mask, u64 want)
{
    for (u64 start = MTIME; (csr_read(mip) & mask) != want && MTIME - start < 10000000;) {
    }
    return csr_read(mip) & mask;
}

void check_interrupts(void)
{
    enum { SPINS = 3000000 };
    const u64 spin = (u64)spin_code;
    MTIMECMP(0) = ~0ul;
    expect("mtip.far", pending_bits(BIT(IRQ_MTI), 0), 0);
    MTIMECMP(0) = MTIME;
    expect("mtip.due", pending_bits(BIT(IRQ_MTI), BIT(IRQ_MTI)), BIT(IRQ_MTI));
    csr_write(mie, BIT(IRQ_MTI));
    csr_clear(mstatus, MSTATUS_MPIE);
    expect("mti.m-mie-off", run_at(M, spin, 1000, 0).cause, DONE);
    csr_set(mstatus, MSTATUS_MPIE);
    expect("mti.m-mie-on", run_at(M, spin, SPINS, 0).cause, INTERRUPT | IRQ_MTI);
    csr_clear(mstatus, MSTATUS_MPIE);
    expect("mti.in-s", run_at(S, spin, SPINS, 0).cause, INTERRUPT | IRQ_MTI);
    expect("mti.in-u", run_at(U, spin, SPINS, 0).cause, INTERRUPT | IRQ_MTI);
    MSIP(0) = 1;
    expect("msip.sets", pending_bits(BIT(IRQ_MSI), BIT(IRQ_MSI)), BIT(IRQ_MSI));
    csr_write(mie, BIT(IRQ_MTI) | BIT(IRQ_MSI));
    expect("msi.before-mti", run_at(S, spin, SPINS, 0).cause, INTERRUPT | IRQ_MSI);
    MSIP(0) = 0;
    expect("msip.clears", pending_bits(BIT(IRQ_MSI), 0), 0);
    u64 mtvec = csr_swap(mtvec, (u64)vectors | 1);
    expect("mtvec.slot", run_at(S, spin, SPINS, 0).slot, (u64)vectors + 4 * IRQ_MTI + 4);
    csr_write(mie, 0);
    expect("mtvec.base-for-exceptions", run(S, NOP, 0, 0).slot, (u64)vectors + 4);
    csr_write(mtvec, mtvec);
    MTIMECMP(0) = ~0ul;

    csr_write(mie, BIT(IRQ_MTI));
    u64 due = MTIME + 20000;
    MTIMECMP(0) = due;
    while (!(csr_read(mip) & BIT(IRQ_MTI))) {
        __asm__ volatile("wfi");
    }
    expect("wfi.timer", MTIME >= due, 1);
    MTIMECMP(0) = ~0ul;
    csr_write(mie, 0);

    csr_write(mideleg, BIT(IRQ_SSI) | BIT(IRQ_STI));
    csr_write(mie, BIT(IRQ_SSI) | BIT(IRQ_STI));
    csr_set(mip, BIT(IRQ_SSI));
    csr_clear(mstatus, SSTATUS_SIE);
    expect("ssi.s-sie-off", run_at(S, spin, 1000, 0).cause, DONE);
    expect("ssi.in-u", run_at(U, spin, SPINS, 0).a0, INTERRUPT | IRQ_SSI);
    csr_set(mstatus, SSTATUS_SIE);
    expect("ssi.s-sie-on", run_at(S, spin, SPINS, 0).a0, INTERRUPT | IRQ_SSI);
    csr_set(mstatus, MSTATUS_MPIE);
    expect("ssi.not-in-m", run_at(M, spin, 1000, 0).cause, DONE);
    csr_clear(mstatus, MSTATUS_MPIE);
    csr_write(mideleg, BIT(IRQ_STI));
    expect("ssi.undelegated-goes-to-m", run_at(U, spin, SPINS, 0).cause, INTERRUPT | IRQ_SSI);
    csr_clear(mip, BIT(IRQ_SSI));
    csr_set(mip, BIT(IRQ_STI));
    expect("sti.injected", run_at(U, spin, SPINS, 0).a0, INTERRUPT | IRQ_STI);
    csr_clear(mip, BIT(IRQ_STI));
    csr_clear(mstatus, SSTATUS_SIE);
    csr_write(sip, BIT(IRQ_SSI));
    expect("sip.undelegated-bit", csr_read(mip) & BIT(IRQ_SSI), 0);

    if (run(M, CSRRW(0x30a), 0, BIT(63)).cause == DONE && run(M, CSRR(0x30a), 0, 0).a0 & BIT(63)) { /* Sstc */
        csr_write(mideleg, BIT(IRQ_STI));
        run(M, CSRRW(0x14d), 0, ~0ul);
        expect("stimecmp.far", pending_bits(BIT(IRQ_STI), 0), 0);
        run(S, CSRRW(0x14d), 0, MTIME);
        expect("stimecmp.due", pending_bits(BIT(IRQ_STI), BIT(IRQ_STI)), BIT(IRQ_STI));
        expect("stimecmp.taken", run_at(U, spin, SPINS, 0).a0, INTERRUPT | IRQ_STI);
        run(M, CSRRW(0x14d), 0, ~0ul);
        run(M, CSRRW(0x30a), 0, 0);
    }
    csr_write(mie, 0);
    csr_write(mideleg, 0);
}

static u64 napot(const void *page, u64 size_bytes)
{
    return (u64)page >> 2 | (size_bytes / 8 - 1);
}

void check_pmp(void)
{
    enum { R = 1, W = 2, X = 4, TOR = 8, NA4 = 16, NAPOT = 24, L = 128 };
    const u64 page = (u64)scratch;
    pmp_open();
    csr_write(pmpaddr0, 0x123456);
    expect("pmpaddr.reads-back", csr_read(pmpaddr0), 0x123456);
    csr_write(pmpaddr0, napot(scratch, 4096));
    csr_write(pmpcfg0, NAPOT | R);
    __asm__ volatile("sfence.vma");
    expect_trap("pmp.r-load", run(S, LD, page, 0), DONE, 0);
    expect_trap("pmp.r-store", run(S, SD, page, 0), STORE_ACCESS, page);
    expect_trap("pmp.r-fetch", run(U, JR_A0, page, 0), FETCH_ACCESS, page);
    expect_trap("pmp.beside", run(S, SD, page + 4096, 0), DONE, 0);
    expect_trap("pmp.m-is-free", run(M, SD, page, 0), DONE, 0);
    csr_set(mstatus, MSTATUS_MPRV);                          /* mret to M leaves MPP = U: loads go as U */
    expect_trap("pmp.mprv", run(M, SD, page, 0), STORE_ACCESS, page);
    csr_clear(mstatus, MSTATUS_MPRV);
    csr_write(pmpcfg0, NAPOT);
    __asm__ volatile("sfence.vma");
    expect_trap("pmp.first-match-wins", run(U, LD, page + 8, 0), LOAD_ACCESS, page + 8);
    csr_write(pmpaddr0, (page + 16) >> 2);
    csr_write(pmpaddr1, (page + 32) >> 2);
    csr_write(pmpcfg0, TOR << 8);
    __asm__ volatile("sfence.vma");
    expect_trap("pmp.tor-below", run(S, LD, page + 8, 0), DONE, 0);
    expect_trap("pmp.tor-inside", run(S, LD, page + 24, 0), LOAD_ACCESS, page + 24);
    expect_trap("pmp.tor-above", run(S, LD, page + 32, 0), DONE, 0);
    csr_write(pmpcfg0, NA4);
    __asm__ volatile("sfence.vma");
    expect_trap("pmp.na4", run(S, LW, page + 16, 0), LOAD_ACCESS, page + 16);
    expect_trap("pmp.na4-beside", run(S, LW, page + 20, 0), DONE, 0);
    csr_write(pmpaddr0, napot(scratch, 4096));
    csr_write(pmpcfg0, NAPOT | R);
    csr_write(pmpcfg2, 0);
    __asm__ volatile("sfence.vma");
    expect_trap("pmp.no-match-s", run(S, NOP, 0, 0), FETCH_ACCESS, (u64)code);
    expect_trap("pmp.no-match-m", run(M, LD, page, 0), DONE, 0);
    pmp_open();
    csr_write(pmpaddr2, napot(scratch, 4096));
    csr_write(pmpcfg0, (u64)(L | NAPOT | R) << 16);
    __asm__ volatile("sfence.vma");
    expect_trap("pmp.locked-binds-m", run(M, SD, page, 0), STORE_ACCESS, page);
    csr_write(pmpcfg0, 0);
    csr_write(pmpaddr2, 0);
    expect("pmp.locked-cfg-stays", csr_read(pmpcfg0), (u64)(L | NAPOT | R) << 16);
    expect("pmp.locked-address-stays", csr_read(pmpaddr2), napot(scratch, 4096));
}

void check_devices(void)
{
    enum { UART_IRQ = 10, IER = 1, IIR = 2, SCR = 7, IER_THRE = 2 };
    volatile u8 *uart = (volatile u8 *)0x10000000;
    volatile u32 *priority = (volatile u32 *)0x0c000000, *pending = (volatile u32 *)0x0c001000;
    volatile u32 *enable = (volatile u32 *)0x0c002000, *threshold = (volatile u32 *)0x0c200000;
    volatile u32 *claim = (volatile u32 *)0x0c200004;
    uart[SCR] = 0x5a;
    expect("uart.scratch", uart[SCR], 0x5a);
    uart[IER] = 0;
    expect("uart.no-interrupt", uart[IIR] & 1, 1);
    priority[UART_IRQ] = 1;
    enable[0] = BIT(UART_IRQ);
    threshold[0] = 1;
    uart[IER] = IER_THRE;                                    /* the transmitter is empty: raises at once */
    wait_ticks(10000);
    expect("plic.pending", pending[0] & BIT(UART_IRQ), BIT(UART_IRQ));
    expect("plic.threshold-masks", csr_read(mip) & BIT(IRQ_MEI), 0);
    threshold[0] = 0;
    expect("plic.meip", pending_bits(BIT(IRQ_MEI), BIT(IRQ_MEI)), BIT(IRQ_MEI));
    csr_write(mie, BIT(IRQ_MEI));
    expect("plic.taken", run_at(U, (u64)spin_code, 3000000, 0).cause, INTERRUPT | IRQ_MEI);
    csr_write(mie, 0);
    u32 claimed = claim[0];                              /* nothing may be printed here: it would interrupt */
    u64 left = pending_bits(BIT(IRQ_MEI), 0);
    u32 identified = uart[IIR] & 15;                         /* reading it withdraws the interrupt */
    uart[IER] = 0;
    claim[0] = UART_IRQ;
    u32 next = claim[0];
    expect("plic.claim", claimed, UART_IRQ);
    expect("plic.claim-clears-meip", left, 0);
    expect("plic.nothing-left", next, 0);
    expect("uart.iir-thre", identified, 2);
    enable[0] = 0;

    volatile u32 *rtc = (volatile u32 *)0x101000;
    u64 first = rtc[0] | (u64)rtc[1] << 32;
    wait_ticks(20000);
    u64 second = rtc[0] | (u64)rtc[1] << 32;
    expect("rtc.advances", first > 0 && second > first, 1);
}

enum { CONTENTION = 20000 };
static u64 amo_counter, sc_counter, lock_counter, flags_seen;
static u32 lock, message[2];

static void contend(u64 hart)
{
    (void)hart;
    for (u32 i = 0; i < CONTENTION; i++) {
        u64 old, failed;
        __atomic_fetch_add(&amo_counter, 1, __ATOMIC_RELAXED);
        __asm__ volatile("1: lr.d %0, (%2); addi %0, %0, 1; sc.d %1, %0, (%2); bnez %1, 1b"
                         : "=&r"(old), "=&r"(failed) : "r"(&sc_counter) : "memory");
        while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
        }
        *(volatile u64 *)&lock_counter += 1;
        __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    }
}

static void raise_flag(u64 hart)
{
    __atomic_fetch_or(&flags_seen, BIT(hart), __ATOMIC_RELEASE);
}

/* Hart 0 writes data then a flag, the others must never see the flag without the data. */
static void pass_message(u64 hart)
{
    for (u32 i = 1; i <= 2000; i++) {
        if (hart == 0) {
            __atomic_store_n(&message[0], i, __ATOMIC_RELAXED);
            __atomic_store_n(&message[1], i, __ATOMIC_RELEASE);
        } else {
            u32 flag = __atomic_load_n(&message[1], __ATOMIC_ACQUIRE);
            if (__atomic_load_n(&message[0], __ATOMIC_RELAXED) < flag) {
                __atomic_fetch_or(&flags_seen, 1ul << 32, __ATOMIC_RELAXED);
            }
        }
    }
}

void check_harts(void)
{
    u64 all = (u64)harts_total * CONTENTION;
    expect("harts.contention-ends", on_all_harts(contend), 1);
    expect("harts.amo", amo_counter, all);
    expect("harts.lr-sc", sc_counter, all);
    expect("harts.lock", lock_counter, all);
    wait_ticks(100000);                                      /* 10 ms: they sleep in wfi by now */
    expect("harts.wake-from-wfi", on_all_harts(raise_flag), 1);
    expect("harts.ipi", flags_seen, BIT(harts_total) - 1);
    flags_seen = 0;
    on_all_harts(pass_message);
    expect("harts.message-passing", flags_seen, 0);
}

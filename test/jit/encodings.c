// SPDX-License-Identifier: Apache-2.0
/* What both back ends write, one host operation after the other, with what a disassembler must say of it. Writes the bytes to
 * OUT.x64 and OUT.a64, the words to OUT.x64.want and OUT.a64.want; encodings.sh compares. Runs nothing it emits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hv/jit/a64/a64.h"
#include "hv/jit/x64/x64.h"

static uint8_t bytes[1 << 16];
static struct emit e = { .base = bytes, .end = sizeof bytes, .features = ~0u };
static struct jit_prologue prologue = { .constants = 0x40 };
static FILE *want;

#define SAYS(text) fputs(text "\n", want)
#define SAYS_AT(text, offset) fprintf(want, text "\n", (unsigned)(offset))       /* a field of the vCPU */
#define COMPARE(o, n, x, y, k) &(struct jit_compare){ .op = (o), .bits = (n), .a = (x), .b = (y), .b_slot = JIT_NO_SLOT, .imm = (k) }
static const struct ir_insn fadd = { .op = IR_FADD, .type = IR_F64 }, fsqrt32 = { .op = IR_FSQRT, .type = IR_F32 };

static void x64(void)
{
    const struct jit_target *t = &JIT_X64;
    (void)t->binary(&e, IR_ADD, 64, RBX, RBX, RSI);                  SAYS("add rbx,rsi");
    (void)t->binary(&e, IR_SUB, 32, R9, R9, R13);                    SAYS("sub r9d,r13d");
    (void)t->binary(&e, IR_SUB, 64, RSI, RDI, RSI);                  SAYS("mov rax,rdi\nsub rax,rsi\nmov rsi,rax");
    (void)t->binary(&e, IR_MUL, 64, R12, R12, R8);                   SAYS("imul r12,r8");
    (void)t->binary(&e, IR_MULHU, 64, RBX, RSI, RDI);                SAYS("mov rax,rsi\nmul rdi\nmov rbx,rdx");
    (void)t->binary(&e, IR_SHL, 64, RBX, RBX, R10);                  SAYS("mov ecx,r10d\nshl rbx,cl");
    (void)t->binary(&e, IR_SAR, 32, R11, R11, RSI);                  SAYS("mov ecx,esi\nmov r11d,r11d\nsar r11d,cl");
    (void)t->binary_imm(&e, IR_ADD, 64, RBX, RSI, 0x12);             SAYS("lea rbx,[rsi+0x12]");
    (void)t->binary_imm(&e, IR_ADD, 32, R12, R13, -0x1000);          SAYS("lea r12d,[r13-0x1000]");
    (void)t->binary_imm(&e, IR_AND, 64, R8, R8, -2);                 SAYS("and r8,0xfffffffffffffffe");
    (void)t->binary_imm(&e, IR_XOR, 64, RDI, RDI, 0x12345);          SAYS("xor rdi,0x12345");
    (void)t->binary_imm(&e, IR_SHR, 64, RBX, RBX, 7);                SAYS("shr rbx,0x7");
    (void)t->binary_imm(&e, IR_ROR, 32, R9, R9, 13);                 SAYS("ror r9d,0xd");
    (void)t->unary(&e, IR_NOT, 64, RBX, RBX);                        SAYS("not rbx");
    (void)t->unary(&e, IR_BSWAP, 64, R13, R13);                      SAYS("bswap r13");
    (void)t->unary(&e, IR_CLZ, 64, RBX, R9);                         SAYS("lzcnt rbx,r9");
    (void)t->unary(&e, IR_CTZ, 32, RBX, R9);                         SAYS("tzcnt ebx,r9d");
    (void)t->unary(&e, IR_POPCNT, 64, R9, RBX);                      SAYS("popcnt r9,rbx");
    t->extend(&e, R8, RSI, 8, false);                                SAYS("movzx r8d,sil");
    t->extend(&e, R8, RSI, 16, true);                                SAYS("movsx r8,si");
    t->extend(&e, R8, RSI, 32, true);                                SAYS("movsxd r8,esi");
    t->extend(&e, R8, RSI, 32, false);                               SAYS("mov r8d,esi");
    t->set_if(&e, RBX, COMPARE(IR_SLT, 64, RSI, R9, 0));             SAYS("cmp rsi,r9\nsetl al\nmovzx ebx,al");
    t->set_if(&e, RBX, COMPARE(IR_EQ, 64, RSI, NO_REG, 0));          SAYS("test rsi,rsi\nsete al\nmovzx ebx,al");
    t->set_if(&e, RBX, COMPARE(IR_ULT, 32, RSI, NO_REG, 100));       SAYS("cmp esi,0x64\nsetb al\nmovzx ebx,al");
    t->select(&e, R9, RSI, RBX, RDI);                                SAYS("mov rax,rdi\ntest sil,0x1\ncmovne rax,rbx\nmov r9,rax");
    t->imm(&e, R12, 0);                                              SAYS("xor r12d,r12d");
    t->imm(&e, RBX, 0xffffffff);                                     SAYS("mov ebx,0xffffffff");
    t->imm(&e, R9, ~0ull);                                           SAYS("mov r9,0xffffffffffffffff");
    t->imm(&e, R9, 0x123456789abcdef0);                              SAYS("movabs r9,0x123456789abcdef0");
    t->load_slot(&e, RBX, 0);                                        SAYS("mov rbx,QWORD PTR [rbp-0x80]");
    t->store_slot(&e, R12, 100);                                     SAYS("mov QWORD PTR [rbp+0x2a0],r12");
    t->fp_load_slot(&e, 9, 33);                                      SAYS("movsd xmm9,QWORD PTR [rbp+0x88]");
    t->fp_from(&e, 9, RBX);                                          SAYS("movq xmm9,rbx");
    t->fp_to(&e, R8, 12);                                            SAYS("movq r8,xmm12");
    t->fence(&e, FENCE_FULL);                                        SAYS("mfence");
    e.stub_count = 0;
    (void)t->fp(&e, &fadd, IR_F64, 9, 9, 3, NO_REG, 0);              SAYS("addsd xmm9,xmm3\nucomisd xmm9,xmm9\njp 0");
    (void)t->fp(&e, &fsqrt32, IR_F32, 2, 12, NO_REG, NO_REG, 0);     SAYS("sqrtss xmm2,xmm12\nucomiss xmm2,xmm2\njp 0");
    t->fp_unchecked(&e, IR_FSUB, 9, 8, 9);                           SAYS("movaps xmm0,xmm8\nsubsd xmm0,xmm9\nmovaps xmm9,xmm0");
    t->fp_unchecked(&e, IR_FSQRT, 2, 12, NO_REG);                    SAYS("sqrtsd xmm2,xmm12");
    (void)t->binary_slot(&e, IR_SUB, 32, 9, 8, 33);                  SAYS("mov r9,r8\nsub r9d,DWORD PTR [rbp+0x88]");
    (void)t->binary_slot(&e, IR_MUL, 64, 9, 9, 3);                   SAYS("imul r9,QWORD PTR [rbp-0x68]");
    t->extend_slot(&e, 9, 33, 32, true);                             SAYS("movsxd r9,DWORD PTR [rbp+0x88]");
    t->extend_slot(&e, 9, 33, 8, false);                             SAYS("movzx r9d,BYTE PTR [rbp+0x88]");
    (void)t->if_nan(&e, 2, 9);                                       SAYS("ucomisd xmm2,xmm9\njp 0");
    (void)t->if_nan_slot(&e, 33);                                    SAYS("movsd xmm0,QWORD PTR [rbp+0x88]\nucomisd xmm0,xmm0\njp 0");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .base = 11, .value = 6, .memop = MEM_64, .offset = 8, .page = JIT_PAGE_PROBED, .page_slot = 240, .page_reg = 13,
                                        .window_first = 8, .window_bytes = 24, .window_is_write = true });
    SAYS("lea rax,[r11+0x8]\nlea rdx,[r11+0x1f]\nmov ecx,eax\nshr ecx,0x7\nand ecx,0x1fe0\nand rdx,0xfffffffffffff000\n"
         "cmp rdx,QWORD PTR [r14+rcx*1+0x8]\njne 0\nadd rax,QWORD PTR [r14+rcx*1+0x18]\nmov QWORD PTR [rbp+0x700],rax\n"
         "mov rsi,QWORD PTR [rax]\nmov r13,rax");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .base = 11, .value = 6, .memop = MEM_64, .page = JIT_PAGE_KNOWN, .page_slot = 240, .page_reg = 13, .distance = 16 });
    SAYS("test r13,r13\nje 0\nmov rsi,QWORD PTR [r13+0x10]");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .base = 11, .value = 6, .memop = MEM_32, .is_store = true, .page = JIT_PAGE_KNOWN, .page_slot = 240, .page_reg = NO_REG });
    SAYS("mov rax,QWORD PTR [rbp+0x700]\ntest rax,rax\nje 0\nmov DWORD PTR [rax],esi");
    e.stub_count = 0;
    x64_vex_0f38(&e, 0xa9, true, 0, 3, 12);                          SAYS("vfmadd213sd xmm0,xmm3,xmm12");
    x64_rm(&e, 0x8b | X_W, RBX, R12, 0);                             SAYS("mov rbx,QWORD PTR [r12]");
    x64_rm(&e, 0x8b | X_W, RBX, R13, 0);                             SAYS("mov rbx,QWORD PTR [r13+0x0]");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .atomic = IR_LL, .base = 11, .value = NO_REG, .result = 6, .memop = MEM_32 | MEM_SIGNED, .page_reg = NO_REG });
    SAYS("mov rax,r11\nmov ecx,eax\nshr ecx,0x7\nand ecx,0x1fe0\nmov rdx,0xfffffffffffff003\nand rdx,rax\ncmp rdx,QWORD PTR [r14+rcx*1]\njne 0\nadd rax,QWORD PTR [r14+rcx*1+0x18]");
    SAYS("mov ecx,DWORD PTR [rax]");
    SAYS_AT("mov QWORD PTR [rbp+0x%x],rax", X64_FIELD(reservation.host));
    SAYS_AT("mov QWORD PTR [rbp+0x%x],rcx", X64_FIELD(reservation.value));
    SAYS_AT("mov QWORD PTR [rbp+0x%x],0x4", X64_FIELD(reservation.size_bytes));
    SAYS("movsxd rsi,ecx");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .atomic = IR_SC, .base = 11, .value = 6, .result = 9, .memop = MEM_64, .page_reg = NO_REG });
    SAYS("mov rax,r11\nmov ecx,eax\nshr ecx,0x7\nand ecx,0x1fe0\nmov rdx,0xfffffffffffff007\nand rdx,rax\ncmp rdx,QWORD PTR [r14+rcx*1+0x8]\njne 0\ncmp rdx,QWORD PTR [r14+rcx*1]\njne 0\nadd rax,QWORD PTR [r14+rcx*1+0x18]");
    SAYS_AT("cmp QWORD PTR [rbp+0x%x],rax\njne 0", X64_FIELD(reservation.host));
    SAYS_AT("cmp QWORD PTR [rbp+0x%x],0x8\njne 0\nmov rdx,rax", X64_FIELD(reservation.size_bytes));
    SAYS_AT("mov rax,QWORD PTR [rbp+0x%x]\nlock cmpxchg QWORD PTR [rdx],rsi", X64_FIELD(reservation.value));
    SAYS_AT("mov QWORD PTR [rbp+0x%x],0x0\nsete al\nmovzx r9d,al", X64_FIELD(reservation.size_bytes));
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .atomic = IR_AMO, .base = 11, .value = 6, .result = 9, .memop = MEM_32 | MEM_SIGNED | AMO_ADD << MEM_AMO_SHIFT, .page_reg = NO_REG });
    SAYS("mov rax,r11\nmov ecx,eax\nshr ecx,0x7\nand ecx,0x1fe0\nmov rdx,0xfffffffffffff003\nand rdx,rax\ncmp rdx,QWORD PTR [r14+rcx*1+0x8]\njne 0\ncmp rdx,QWORD PTR [r14+rcx*1]\njne 0\nadd rax,QWORD PTR [r14+rcx*1+0x18]");
    SAYS("mov rcx,rsi\nlock xadd DWORD PTR [rax],ecx\nmovsxd r9,ecx");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .atomic = IR_AMO, .base = 11, .value = 6, .result = 9, .memop = MEM_64 | AMO_MINU << MEM_AMO_SHIFT, .page_reg = NO_REG });
    SAYS("mov rax,r11\nmov ecx,eax\nshr ecx,0x7\nand ecx,0x1fe0\nmov rdx,0xfffffffffffff007\nand rdx,rax\ncmp rdx,QWORD PTR [r14+rcx*1+0x8]\njne 0\ncmp rdx,QWORD PTR [r14+rcx*1]\njne 0\nadd rax,QWORD PTR [r14+rcx*1+0x18]");
    SAYS("mov rdx,rax\nmov rax,QWORD PTR [rdx]\nmov rcx,rax\ncmp rcx,rsi\ncmovae rcx,rsi\nlock cmpxchg QWORD PTR [rdx],rcx\njne 0\nmov r9,rax");
    x64_rmx(&e, 0x3b | X_W, RDX, R14, RCX, 8);                       SAYS("cmp rdx,QWORD PTR [r14+rcx*1+0x8]");
}

static void a64(void)
{
    const struct jit_target *t = &JIT_A64;
    (void)t->binary(&e, IR_ADD, 64, 19, 20, 21);                     SAYS("add x19, x20, x21");
    (void)t->binary(&e, IR_SUB, 32, 4, 5, 6);                        SAYS("sub w4, w5, w6");
    (void)t->binary(&e, IR_MUL, 64, 4, 5, 6);                        SAYS("mul x4, x5, x6");
    (void)t->binary(&e, IR_MULHU, 64, 4, 5, 6);                      SAYS("umulh x4, x5, x6");
    (void)t->binary(&e, IR_MULHS, 64, 4, 5, 6);                      SAYS("smulh x4, x5, x6");
    (void)t->binary(&e, IR_SHL, 64, 4, 5, 6);                        SAYS("lsl x4, x5, x6");
    (void)t->binary(&e, IR_SAR, 32, 4, 5, 6);                        SAYS("asr w4, w5, w6");
    (void)t->binary(&e, IR_ROR, 64, 4, 5, 6);                        SAYS("ror x4, x5, x6");
    (void)t->binary(&e, IR_DIVU, 64, 4, 5, 6);                       SAYS("udiv x16, x5, x6\ncmp x6, #0x0\ncsinv x4, x16, xzr, ne");
    (void)t->binary(&e, IR_REMS, 32, 4, 5, 6);                       SAYS("sdiv w16, w5, w6\nmsub w4, w16, w6, w5");
    (void)t->binary_imm(&e, IR_ADD, 64, 4, 5, 17);                   SAYS("add x4, x5, #0x11");
    (void)t->binary_imm(&e, IR_ADD, 32, 4, 5, -0x2000);              SAYS("sub w4, w5, #0x2, lsl #12");
    (void)t->binary_imm(&e, IR_SHL, 64, 4, 5, 7);                    SAYS("lsl x4, x5, #7");
    (void)t->binary_imm(&e, IR_SHR, 32, 4, 5, 7);                    SAYS("lsr w4, w5, #7");
    (void)t->binary_imm(&e, IR_SAR, 64, 4, 5, 63);                   SAYS("asr x4, x5, #63");
    (void)t->binary_imm(&e, IR_ROR, 32, 4, 5, 3);                    SAYS("ror w4, w5, #3");
    (void)t->unary(&e, IR_NOT, 64, 4, 5);                            SAYS("mvn x4, x5");
    (void)t->unary(&e, IR_NEG, 32, 4, 5);                            SAYS("neg w4, w5");
    (void)t->unary(&e, IR_CTZ, 64, 4, 5);                            SAYS("rbit x16, x5\nclz x4, x16");
    (void)t->unary(&e, IR_BSWAP, 64, 4, 5);                          SAYS("rev x4, x5");
    t->extend(&e, 4, 5, 8, false);                                   SAYS("ubfx x4, x5, #0, #8");
    t->extend(&e, 4, 5, 32, true);                                   SAYS("sxtw x4, w5");
    (void)t->field(&e, IR_EXTRACT, 64, 4, 5, NO_REG, 8, 12);         SAYS("ubfx x4, x5, #8, #12");
    (void)t->field(&e, IR_DEPOSIT, 64, 4, 5, 6, 8, 12);              SAYS("mov x16, x5\nbfi x16, x6, #8, #12\nmov x4, x16");
    t->set_if(&e, 4, COMPARE(IR_SLT, 64, 5, 6, 0));                  SAYS("cmp x5, x6\ncset x4, lt");
    t->set_if(&e, 4, COMPARE(IR_ULT, 32, 5, NO_REG, -7));            SAYS("cmn w5, #0x7\ncset x4, cc");
    t->select(&e, 4, 5, 6, 7);                                       SAYS("tst x5, #0x1\ncsel x4, x6, x7, ne");
    t->imm(&e, 4, 0);                                                SAYS("mov x4, #0x0");
    t->imm(&e, 4, 0x12345678);                                       SAYS("mov x4, #0x5678\nmovk x4, #0x1234, lsl #16");
    t->imm(&e, 4, ~0ull);                                            SAYS("mov x4, #0xffffffffffffffff");
    t->load_slot(&e, 4, 3);                                          SAYS("ldr x4, [x28, #24]");
    t->fp_store_slot(&e, 9, 33);                                     SAYS("str d9, [x28, #264]");
    t->fp_from(&e, 9, 4);                                            SAYS("fmov d9, x4");
    t->fp_to(&e, 4, 9);                                              SAYS("fmov x4, d9");
    t->fence(&e, FENCE_FULL);                                        SAYS("dmb ish");
    (void)t->fp(&e, &fadd, IR_F64, 9, 10, 11, NO_REG, 0);            SAYS("fadd d9, d10, d11");
    (void)t->fp(&e, &fsqrt32, IR_F32, 9, 10, NO_REG, NO_REG, 0);     SAYS("fsqrt s9, s10");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .base = 5, .value = 6, .memop = MEM_64, .offset = 8, .page = JIT_PAGE_PROBED, .page_slot = 240, .page_reg = 9,
                                        .window_first = 8, .window_bytes = 24, .window_is_write = true });
    SAYS("add x0, x5, #0x8\nadd x3, x5, #0x1f\nubfx x1, x0, #12, #8\nadd x1, x26, x1, lsl #5\nldr x2, [x1, #8]\nand x3, x3, #0xfffffffffffff000\n"
         "cmp x2, x3\nb.ne 0\nldr x1, [x1, #24]\nadd x0, x0, x1\nstr x0, [x28, #1920]\nldr x6, [x0]\nmov x9, x0");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .base = 5, .value = 6, .memop = MEM_64, .page = JIT_PAGE_KNOWN, .page_slot = 240, .page_reg = 9, .distance = 16 });
    SAYS("cbz x9, 0\nldr x6, [x9, #16]");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .base = 5, .value = 6, .memop = MEM_32, .is_store = true, .page = JIT_PAGE_KNOWN, .page_slot = 240,
                                        .page_reg = NO_REG, .distance = 3 });
    SAYS("ldr x0, [x28, #1920]\ncbz x0, 0\nmov x1, #0x3\nstr w6, [x0, x1]");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .base = 5, .value = 6, .memop = MEM_32 | MEM_SIGNED, .offset = 8 });
    SAYS("add x0, x5, #0x8\nubfx x1, x0, #12, #8\nadd x1, x26, x1, lsl #5\nldr x2, [x1]\nand x3, x0, #0xfffffffffffff003\ncmp x2, x3\n"
         "b.ne 0\nldr x1, [x1, #24]\nldrsw x6, [x0, x1]");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .base = 5, .value = 6, .memop = MEM_8, .is_store = true });
    SAYS("mov x0, x5\nubfx x1, x0, #12, #8\nadd x1, x26, x1, lsl #5\nldr x2, [x1, #8]\nand x3, x0, #0xfffffffffffff000\ncmp x2, x3\n"
         "b.ne 0\nldr x1, [x1, #24]\nstrb w6, [x0, x1]");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .atomic = IR_LL, .base = 5, .value = NO_REG, .result = 6, .memop = MEM_32 | MEM_SIGNED | MEM_ACQUIRE, .page_reg = NO_REG });
    SAYS("mov x0, x5\nubfx x1, x0, #12, #8\nadd x1, x26, x1, lsl #5\nldr x2, [x1]\nand x3, x0, #0xfffffffffffff003\ncmp x2, x3\nb.ne 0\nldr x1, [x1, #24]\nadd x0, x0, x1");
    SAYS("ldar w1, [x0]\nmov x2, #0x4");
    SAYS_AT("str x0, [x28, #%u]", A64_FIELD(reservation.host));
    SAYS_AT("str x1, [x28, #%u]", A64_FIELD(reservation.value));
    SAYS_AT("str x2, [x28, #%u]\nsxtw x6, w1", A64_FIELD(reservation.size_bytes));
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .atomic = IR_SC, .base = 5, .value = 6, .result = 7, .memop = MEM_64 | MEM_RELEASE, .page_reg = NO_REG });
    SAYS("dmb ish");
    SAYS("mov x0, x5\nubfx x1, x0, #12, #8\nadd x1, x26, x1, lsl #5\nldr x2, [x1, #8]\nand x3, x0, #0xfffffffffffff007\ncmp x2, x3\nldr x17, [x1]\nccmp x17, x3, #0x0, eq\nb.ne 0\nldr x1, [x1, #24]\nadd x0, x0, x1");
    SAYS_AT("ldr x1, [x28, #%u]", A64_FIELD(reservation.host));
    SAYS_AT("ldr x2, [x28, #%u]\ncmp x1, x0\nccmp x2, #0x8, #0x0, eq", A64_FIELD(reservation.size_bytes));
    SAYS_AT("ldr x2, [x28, #%u]", A64_FIELD(reservation.value));
    SAYS_AT("str xzr, [x28, #%u]\nb.ne 0", A64_FIELD(reservation.size_bytes));
    SAYS("ldxr x1, [x0]\ncmp x1, x2\nb.ne 0\nstlxr w3, x6, [x0]\ncbnz w3, 0\ncset x7, eq");
    e.stub_count = 0;
    t->access(&e, &(struct jit_access){ .atomic = IR_AMO, .base = 5, .value = 6, .result = 7, .memop = MEM_32 | AMO_MAX << MEM_AMO_SHIFT, .page_reg = NO_REG });
    SAYS("mov x0, x5\nubfx x1, x0, #12, #8\nadd x1, x26, x1, lsl #5\nldr x2, [x1, #8]\nand x3, x0, #0xfffffffffffff003\ncmp x2, x3\nldr x17, [x1]\nccmp x17, x3, #0x0, eq\nb.ne 0\nldr x1, [x1, #24]\nadd x0, x0, x1");
    SAYS("ldxr w1, [x0]\ncmp w1, w6\ncsel w2, w1, w6, gt\nstxr w3, w2, [x0]\ncbnz w3, 0\nmov w7, w1");
}

static void put(const char *out, const char *name, void (*all)(void))
{
    char path[512];
    e.at = 0;
    e.prologue = &prologue;
    snprintf(path, sizeof path, "%s.%s.want", out, name);
    want = fopen(path, "w");
    if (!want) exit(1);
    all();
    fclose(want);
    snprintf(path, sizeof path, "%s.%s", out, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, e.at, f) != e.at) exit(1);
    fclose(f);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    put(argv[1], "x64", x64);
    put(argv[1], "a64", a64);
    return 0;
}

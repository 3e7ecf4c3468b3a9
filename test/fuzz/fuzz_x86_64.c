// SPDX-License-Identifier: Apache-2.0
/* Any bytes as x86 code that reached a device or left the guest otherwise, in 16, 32 and 64 bits, with any registers and tables:
 * decoded, printed, carried out; between them interrupts find their way. A guest goes on, halts or ends with a reason; what was
 * decoded is no longer than what there was. */
#include "hv/isa/x86_64/insn.h"
#include "test/fuzz/input.h"
#include "test/unit/x86_64_world.h"

#define CODE 0x8000ull
#define TABLES 0x100000ull

static void decode(const uint8_t *bytes, unsigned count, unsigned bits)
{
    struct x86_insn x;
    struct insn i = { 0 };
    struct fault why = { .kind = FAULT_NONE };
    char text[96];
    bool is_invalid = false;
    if (x86_insn_decode(bytes, count, bits, &x, &is_invalid)) {
        CHECK(x.length && x.length <= count && x.length <= X86_MAX_INSN && x.reg < 16 && x.rm < 16);
        CHECK((x.base < 16 || x.base == X86_NO_REG) && (x.index < 16 || x.index == X86_NO_REG));
    }
    if (!X86_64_ISA.decode_insn(bytes, count, guest_addr_make(CODE), bits & 63, &i, &why)) return;
    int n = X86_64_ISA.disasm(&i, text, sizeof text);
    CHECK(i.size_bytes && i.size_bytes <= count && n > 0 && (size_t)n < sizeof text && strlen(text) == (size_t)n);
}

/* Real mode, 32 bits flat, or 64 bits; the latter two with paging by whatever lies at TABLES, or without. */
static void choose_mode(struct x86_frame *f, unsigned how)
{
    static const uint16_t rights[] = { X86_RIGHTS_P, X86_RIGHTS_P | X86_RIGHTS_DB, X86_RIGHTS_P | X86_RIGHTS_L };
    unsigned mode = how % 3;
    for (unsigned s = X86_ES; s <= X86_GS; s++) f->segment[s] = (struct x86_segment){ 0, rights[mode], ~0u, 0 };
    f->cr0 = X86_CR0_ET | (mode ? X86_CR0_PE : 0) | (mode == 2 || (mode == 1 && how & 4) ? X86_CR0_PG : 0);
    f->cr4 = (how & 8 ? X86_CR4_PAE : 0) | (how & 16 ? X86_CR4_PSE : 0) | (mode == 2 ? X86_CR4_PAE : 0) | (how & 32 ? X86_CR4_LA57 : 0);
    f->efer = mode == 2 ? X86_EFER_LME | X86_EFER_LMA : 0;
    f->cr3 = TABLES;
    f->cpl = how >> 6 & 3;
    f->rflags = X86_RFLAGS_FIXED | input_number(2);
}

/* One entry of each level's first table points on, so that low addresses are often there; the rest is the input's. */
static void make_tables(void)
{
    for (unsigned level = 0; level < 5; level++) {
        for (unsigned k = 0; k < 4; k++) set(TABLES + 0x1000 * level + 8 * (input_number(1) & 511), input_number(8), 8);
        set(TABLES + 0x1000 * level, (level == 4 ? 0 : TABLES + 0x1000 * (level + 1)) | 7, 8);
        set(TABLES + 0x1000 * level + 8, 0xfee00000 | 0x87, 8);
    }
}

static void leave(unsigned cpu)
{
    struct vcpu *v = &w->v[cpu];
    struct x86_frame *f = x86_frame(v);
    uint8_t code[X86_MAX_INSN];
    unsigned how = (unsigned)input_number(1);
    struct vm_error error = VM_SUCCESS;
    choose_mode(f, (unsigned)input_number(1));
    for (unsigned i = 0; i < sizeof code; i++) code[i] = (uint8_t)input_number(1);
    decode(code, sizeof code - (how & 7), x86_code_bits(f));
    uint64_t pc = how & 8 ? CODE : how & 16 ? input_number(4) : 0xffa;
    (void)gmem_write_bulk(&w->gmem, guest_phys_addr_make(pc & (MEMORY - 32)), code, sizeof code);
    v->regs.pc = pc & (MEMORY - 32);
    v->regs.slot[input_number(1) & 15] = input_number(8);
    v->regs.slot[input_number(1) & 15] = 0xfee00000 + (input_number(2) & 0xfff);
    struct hw_exit x = { .kind = how & 32 ? HW_EXIT_GUEST : HW_EXIT_MEMORY, .gpa = { 0xfee00000 }, .how = how & 64 ? ACCESS_WRITE : ACCESS_READ };
    f->exit = (struct x86_exit){ .kind = (enum x86_exit_kind)(input_number(1) % X86_EXIT_COUNT), .port = (uint16_t)input_number(2), .is_in = how & 1,
                                 .size_bytes = (uint8_t)(1u << (how >> 1) % 3), .is_string = how & 128, .cr = X86_CR_UNKNOWN };
    w->out_length = 0;
    w->powered = 0;
    enum exec_status s = X86_NATIVE.exit(v, &x, &error);
    CHECK(s == EXEC_CONTINUE || s == EXEC_HALTED || s == EXEC_OK || (s == EXEC_FAILED && vm_failed(error)));
    CHECK(X86_NATIVE.exit_name(X86_NATIVE.exit_kind(v, &x)) != NULL);
    X86_NATIVE.load(v);
    X86_NATIVE.save(v);
    f->event = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    begin();
    input_start(data, size_bytes);
    if (input_number(1) & 1) make_tables();
    for (unsigned i = 0; i < 200 && input_left(); i++) leave(i & 1);
    end();
    return 0;
}

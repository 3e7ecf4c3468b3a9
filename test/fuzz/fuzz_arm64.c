// SPDX-License-Identifier: Apache-2.0
/* Any words as arm64 code that reached a device, with any syndrome, registers and exception level: decoded, printed, emulated. A guest
 * goes on behind the instruction or takes an exception; its other registers stay. */
#include "test/fuzz/input.h"
#include "test/unit/arm64_world.h"

#define CODE (RAM + 0x1000)

static void decode(uint32_t bits)
{
    struct insn i = { 0 };
    struct fault why = { .kind = FAULT_NONE };
    char text[96];
    uint8_t bytes[4];
    store_le32(bytes, bits);
    if (!ARM64_ISA.decode_insn(bytes, 4, guest_addr_make(CODE), 0, &i, &why)) {
        CHECK_EQ_U64(why.kind, FAULT_INVALID_OPCODE);
        return;
    }
    int n = ARM64_ISA.disasm(&i, text, sizeof text);
    CHECK(i.size_bytes == 4 && n > 0 && (size_t)n < sizeof text && strlen(text) == (size_t)n);
}

static void leave(struct world *w, uint32_t bits)
{
    static const enum access_type hows[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE };
    struct arm64_frame *f = frame_of(w);
    unsigned how = (unsigned)input_number(1);
    struct hw_exit x = { .kind = how & 16 ? HW_EXIT_GUEST : HW_EXIT_MEMORY, .gpa = { how & 32 ? input_number(5) : DEVICE + input_number(2) % 0x2000 }, .how = hows[how % 3] };
    struct vm_error error = VM_SUCCESS;
    uint64_t before[31];
    ram_put32(w, CODE, bits);
    w->v[0].regs.pc = CODE;
    w->v[0].hypercall = 0;
    f->pstate = how & 64 ? 0 : how & 128 ? 4 : 5;
    f->esr = input_number(4);
    f->far = x.gpa.v;
    x_of(w)[bits >> 5 & 31] = x.gpa.v;                       /* mostly the base; slot 31 is nobody's */
    f->sp_el0 = f->sp_el1 = x.gpa.v;
    memcpy(before, x_of(w), sizeof before);
    enum exec_status s = ARM64_NATIVE.exit(&w->v[0], &x, &error);
    CHECK(s == EXEC_CONTINUE || s == EXEC_HALTED || s == EXEC_IO_REQUEST);
    bool is_exception = w->v[0].regs.pc - f->vbar_el1 < 0x800;
    CHECK(is_exception || w->v[0].regs.pc == CODE + 4 || (w->v[0].regs.pc == CODE && x.kind == HW_EXIT_GUEST));
    unsigned changed = 0;
    for (unsigned n = 0; n < 31; n++) changed += x_of(w)[n] != before[n];
    CHECK(changed <= (is_exception ? 0 : 3));                /* two that are loaded, and the base */
    if (s == EXEC_IO_REQUEST) ARM64_VIRT.hypercall(w->machine, &w->v[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct world *w = world_start(size_bytes & 1 ? 2 : 3, NULL);
    world_device(w);
    frame_of(w)->vbar_el1 = RAM + 0x8000;
    input_start(data, size_bytes);
    device.refuses_from = input_number(2);
    for (unsigned i = 0; i < 200 && input_left(); i++) {
        uint32_t bits = (uint32_t)input_number(4);
        decode(bits);
        leave(w, bits);
    }
    world_end(w);
    return 0;
}

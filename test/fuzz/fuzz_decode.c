// SPDX-License-Identifier: Apache-2.0
/* Any bytes as riscv64 code: decoded, printed, lifted, verified, sealed, verified again. */
#include "hv/exec/isa.h"
#include "hv/isa/machine.h"
#include "test/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct ir_block b;
    const struct isa_ops *isa = RISCV64_VIRT.isa;
    guest_addr pc = { 0x80000000 };
    struct insn i;
    struct fault why;
    char text[96];
    input_start(data, size_bytes);
    uint32_t mode = (uint32_t)input_number(1);
    size_t left;
    uint8_t *bytes = input_rest(&left), *at = bytes;
    ir_begin(&b, pc, mode);
    while (left >= 2 && ir_has_room(&b)) {
        why = (struct fault){ .kind = FAULT_NONE };
        if (!isa->decode_insn(at, (unsigned)(left < 4 ? left : 4), pc, mode, &i, &why)) {
            at += 2, left -= 2;
            continue;
        }
        CHECK(i.size_bytes >= 2 && i.size_bytes <= left && i.size_bytes <= isa->insn_max_bytes);
        int n = isa->disasm(&i, text, sizeof text);
        CHECK(n > 0 && (size_t)n < sizeof text && strlen(text) == (size_t)n);
        ir_insn_start(&b, pc, i.size_bytes);
        if (isa->lift(&b, &i, mode) == LIFT_END) {
            CHECK(!ir_verify(&b));
            ir_seal(&b);
            CHECK(!ir_verify(&b));
            ir_begin(&b, pc, mode);
        }
        at += i.size_bytes, left -= i.size_bytes;
        pc = guest_addr_wrapping_add(pc, i.size_bytes);
    }
    ir_end(&b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE, .taken = pc });
    const char *wrong = ir_verify(&b);
    if (wrong) test_fail(__FILE__, __LINE__, "%s", wrong);
    free(bytes);
    return 0;
}

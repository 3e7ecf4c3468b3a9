// SPDX-License-Identifier: Apache-2.0
/* A divergence in the log: the guest's block, its IR, the host's code, and the registers before and after on both engines. */
#include "hv/audit/inside.h"
#include "hv/base/fmt.h"
#include "hv/core/log.h"
#include "hv/jit/info.h"

#define BYTES_A_LINE 32

static void say_lines(const char *title, char *text)
{
    log_error("audit: %s", title);
    for (char *line = text; *line;) {
        char *end = line;
        while (*end && *end != '\n') end++;
        bool is_last = !*end;
        *end = 0;
        log_error("audit:   %s", line);
        line = is_last ? end : end + 1;
    }
}

static void say_guest(struct audit *a, struct vcpu *v)
{
    const struct ir_block *b = &a->ir;
    log_error("audit: guest");
    for (unsigned at = 0; at < b->guest_bytes;) {
        struct insn i;
        struct fault why = { .kind = FAULT_NONE };
        char text[96] = "?";
        guest_addr pc = guest_addr_wrapping_add(b->pc, at);
        if (!v->isa->decode_insn(b->source + at, b->guest_bytes - at, pc, b->mode, &i, &why)) i.size_bytes = v->isa->insn_align_bytes;
        else if (v->isa->disasm) v->isa->disasm(&i, text, sizeof text);
        log_error("audit:   0x%lx: %s", (unsigned long)pc.v, text);
        at += i.size_bytes;
    }
}

static void say_host(const struct vcpu *v, uint64_t pc, uint32_t mode)
{
    struct jit_code c;
    if (!jit_code_at(v, pc, mode, &c)) return;
    log_error("audit: host, %u bytes of %s", c.host_bytes, c.target);
    for (uint32_t at = 0; at < c.host_bytes; at += BYTES_A_LINE) {
        char text[3 * BYTES_A_LINE + 1] = "";
        for (uint32_t i = 0; i < BYTES_A_LINE && at + i < c.host_bytes; i++) hv_snprintf(text + 3 * i, sizeof text - 3 * i, "%02x ", c.host[at + i]);
        log_error("audit:   %s", text);
    }
}

/* Registers that the piece changed, on either engine. */
static void say_registers(const struct audit *a, const struct vcpu *v)
{
    const uint8_t *start = (const uint8_t *)&a->start.regs, *first = (const uint8_t *)&a->end.regs, *second = (const uint8_t *)&a->second_end.regs;
    log_error("audit: registers before, after on %s, on %s", a->engine[FIRST]->name, a->engine[SECOND]->name);
    for (unsigned i = 0; i < v->isa->reg_count; i++) {
        const struct reg_desc *r = &v->isa->regs[i];
        uint64_t w[3];
        if (r->size_bytes != 8) continue;
        __builtin_memcpy(&w[0], start + r->offset_bytes, 8);
        __builtin_memcpy(&w[1], first + r->offset_bytes, 8);
        __builtin_memcpy(&w[2], second + r->offset_bytes, 8);
        if (r->class != REG_GENERAL && w[0] == w[1] && w[1] == w[2]) continue;
        log_error("audit:   %-8s 0x%016lx 0x%016lx 0x%016lx%s", r->name, (unsigned long)w[0], (unsigned long)w[1], (unsigned long)w[2], w[1] != w[2] ? " !" : "");
    }
}

void audit_report(struct audit *a, struct vcpu *v)
{
    guest_phys_addr gpa;
    struct fault why;
    log_error("audit: at pc 0x%lx, mode 0x%x", (unsigned long)v->regs.pc, v->regs.mode);
    if (lift_block(v, guest_addr_make(v->regs.pc), IR_BLOCK_GUEST, &a->ir, &gpa, &why)) {
        say_guest(a, v);
        (void)ir_dump(&a->ir, a->text, sizeof a->text);
        say_lines("IR", a->text);
    }
    say_host(v, v->regs.pc, v->regs.mode);
    say_registers(a, v);
}

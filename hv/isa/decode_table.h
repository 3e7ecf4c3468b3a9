// SPDX-License-Identifier: Apache-2.0
/* What tools/decgen makes of an ISA's .dec table: rows and how their operands print. Constant data: any context. */
#pragma once
#include "hv/exec/isa.h"

/* A word is this row's when (word & mask) == match and no earlier row takes it. Operands: text with %<argument><kind>,
 * kind d decimal, h hex, u the upper 20 bits in hex, p pc-relative target, g the same in pages of 4 KiB, A.. name tables, 1.. hooks. */
struct decode_row   { const char *name, *extension, *operands; uint32_t mask, match; uint8_t size_bytes; };
struct print_names  { const char *const *word; unsigned count; };
typedef int print_hook(int32_t value, char *out, size_t cap_bytes);
struct decode_table {
    const struct decode_row  *rows;
    unsigned                  row_count;
    const struct print_names *names;
    unsigned                  name_count;
    print_hook *const        *hooks;
    unsigned                  hook_count;
};

/* "addi a0,a1,4"; returns the length it wanted, as snprintf does. */
int decode_table_print(const struct decode_table *t, const struct insn *i, char *out, size_t cap_bytes);

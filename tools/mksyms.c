// SPDX-License-Identifier: Apache-2.0
/* Turns `nm -n` of an image into the assembly of its symbol table (see hv/core/panic.c): functions, and the end of them
 * all (what lies behind is no function's), sorted by address, as offsets from __image_start. Host tool: stdin to stdout. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbol { uint64_t at; char *name; };

int main(void)
{
    static struct symbol s[65536];
    size_t count = 0;
    uint64_t base = 0;
    char line[512], name[400], kind;
    uint64_t at;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%" SCNx64 " %c %399s", &at, &kind, name) != 3) continue;
        if (!strcmp(name, "__image_start")) base = at;
        bool is_end = !strcmp(name, "__rodata_start");
        if ((kind != 't' && kind != 'T' && !is_end) || name[0] == '$' || name[0] == '.') continue;
        if (count == sizeof s / sizeof s[0]) break;
        s[count].at = at;
        s[count++].name = strdup(name);
    }
    if (!base) {
        fprintf(stderr, "mksyms: no __image_start\n");
        return 1;
    }
    printf(".section .rodata.symbols,\"a\"\n.balign 8\n.globl hv_symbol_count, hv_symbols, hv_symbol_names\n"
           "hv_symbol_count: .long %zu\nhv_symbols:\n", count);
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        printf(".long %" PRIu64 ", %zu\n", s[i].at >= base ? s[i].at - base : 0, offset);
        offset += strlen(s[i].name) + 1;
    }
    printf("hv_symbol_names:\n");
    for (size_t i = 0; i < count; i++) printf(".asciz \"%s\"\n", s[i].name);
    printf(".section .note.GNU-stack,\"\",%%progbits\n");
    return 0;
}

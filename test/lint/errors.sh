#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One error type, and nobody may drop it: public functions that return struct vm_error, or false with a struct fault, are
# NODISCARD, and no public function says "failed" with an int. shows: R7 R142
set -u
functions=$(find hv drivers -name '*.h' | sort | xargs awk -f test/lint/declarations.awk | grep -E '^[^:]*:[0-9]*:[01]:[^(]*[a-z0-9_]+ ?\(' |
            grep -vE ':[01]:(typedef|_Static_assert|struct [a-z0-9_]+ \{\}|extern)') || exit 1
text() { sed 's/:[01]:/: /'; }
# the makers of errors are values, not calls that may fail
droppable=$(printf '%s\n' "$functions" | grep -E 'struct vm_error [a-z0-9_]+ ?\(' | grep -vE 'NODISCARD|struct vm_error vm_error_(at|because|fault)' | text)
quiet=$(printf '%s\n' "$functions" | grep -E '[: ]bool \*?[a-z0-9_]+ ?\(.*struct fault \*why' | grep -v NODISCARD |
        grep -vE 'rv_walk' | text)                       # a mmu_walk_fn: only called through its pointer
# int is a length (snprintf's), an index with -1 for "none", or C's own string functions
ints=$(printf '%s\n' "$functions" | grep -E ':[01]:(static inline |NODISCARD )*int [a-z0-9_]+ ?\(' |
       grep -vE 'int ([a-z0-9_]*_format|[a-z0-9_]*printf|[a-z0-9_]*_print|vm_stats_json|ir_dump|[a-z0-9_]*_disasm|vcpu_find_reg|memcmp|strn?cmp)[ (]' | text)
count=$(printf '%s\n' "$functions" | grep -cE 'NODISCARD struct vm_error')
failed=0
[ -z "$droppable" ] || { printf '%s\n' "$droppable" | sed 's/$/   <- an error that may be dropped/'; failed=1; }
[ -z "$quiet" ] || { printf '%s\n' "$quiet" | sed 's/$/   <- a fault that may be dropped/'; failed=1; }
[ -z "$ints" ] || { printf '%s\n' "$ints" | sed 's/$/   <- an int for success or failure/'; failed=1; }
[ "$count" -gt 50 ] || { echo "only $count functions that return struct vm_error: is the pattern right?"; failed=1; }
echo "$count public functions return a struct vm_error that must be looked at"
echo "$((1 - failed)) passed, $failed failed"
exit $failed

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# encodings.sh PROGRAM: what the back ends write is what binutils reads. Distances of jumps that are filled in later do not count.
set -u
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
passed=0 failed=0
"$1" "$out/code" || { echo "0 passed, 1 failed"; exit 1; }
check() { # NAME OBJDUMP MACHINE
    "$2" -D -b binary -m "$3" ${4:-} --no-show-raw-insn "$out/code.$1" | sed -nE 's/^ +[0-9a-f]+:\s+//p' |
        sed -E 's/\s*(\/\/|#|;) .*//; s/\s+/ /g; s/ +$//; s/^rex //; s/^(j[a-z]+|b\.[a-z]+|cbn?z [wx][0-9]+,) 0x[0-9a-f]+$/\1 0/' > "$out/got"
    while IFS= read -r want <&3 && IFS= read -r got <&4; do
        if [ "$got" = "$want" ]; then passed=$((passed + 1))
        else failed=$((failed + 1)); echo "FAIL $1: '$got', want '$want'"; fi
    done 3< "$out/code.$1.want" 4< "$out/got"
    if [ "$(wc -l < "$out/got")" != "$(wc -l < "$out/code.$1.want")" ]; then failed=$((failed + 1)); echo "FAIL $1: not as many instructions as wanted"; fi
}
check x64 objdump i386:x86-64 -Mintel
check a64 aarch64-linux-gnu-objdump aarch64
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]

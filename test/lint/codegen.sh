#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The wrapping operations cost what the machine's add costs: each compiles to one add or subtract (or lea) and nothing that
# branches, for both host CPUs. shows: R28
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
cat > "$tmp/ops.c" <<'END'
#include "hv/base/types.h"
guest_addr add(guest_addr a, uint64_t n);
guest_addr sub(guest_addr a, uint64_t n);
uint64_t diff(guest_addr a, guest_addr b);
guest_addr add(guest_addr a, uint64_t n) { return guest_addr_wrapping_add(a, n); }
guest_addr sub(guest_addr a, uint64_t n) { return guest_addr_wrapping_sub(a, n); }
uint64_t diff(guest_addr a, guest_addr b) { return guest_addr_diff(a, b); }
END
passed=0 failed=0
check() { # HOST COMPILER OBJDUMP FLAGS ARITHMETIC OTHERS
    command -v "${2%% *}" > /dev/null && command -v "$3" > /dev/null || { echo "no $2 here: $1 is not tried"; return; }
    $2 -std=gnu11 -O2 -ffreestanding -fcf-protection=none $4 -I. -c "$tmp/ops.c" -o "$tmp/ops.o" 2> "$tmp/log" ||
        $2 -std=gnu11 -O2 -ffreestanding $4 -I. -c "$tmp/ops.c" -o "$tmp/ops.o" || { failed=$((failed + 1)); return; }
    for f in add sub diff; do
        body=$("$3" -d --no-show-raw-insn "$tmp/ops.o" | sed -n "/<$f>:/,/^\$/p" | sed 1d | awk 'NF > 1 { print $2 }' | grep -vE '^(nop|nopw|xchg|cs|data16)')
        arithmetic=$(grep -cE "^($5)\$" <<< "$body") others=$(grep -vcE "^($5|$6)\$" <<< "$body")
        if [ "$arithmetic" = 1 ] && [ "$others" = 0 ]; then passed=$((passed + 1))
        else failed=$((failed + 1)); echo "FAIL $1 $f:" $body; fi
    done
}
check x86_64  "${CC_x86_64:-gcc}" objdump '-m64' 'lea|add|sub' 'mov|ret'
check aarch64 "${CC_aarch64:-aarch64-linux-gnu-gcc}" aarch64-linux-gnu-objdump '' 'add|sub' 'ret'
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]

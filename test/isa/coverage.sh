#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# coverage.sh PROGRAM...: runs the riscv64 instruction suites and then says which rows of the decode table no oracle has
# tried. A suite appends the rows it tried to the file in ISA_ROWS. Ends in `N passed, N failed` over all suites.
set -u
ISA_ROWS=$(mktemp)
export ISA_ROWS
out=$(mktemp)
trap 'rm -f "$ISA_ROWS" "$out"' EXIT
passed=0 failed=0 rows=0
for program; do
    "$program" >"$out"
    status=$?
    grep -v '^not tried here' "$out"
    last=$(tail -1 "$out")
    p=${last%% passed*}
    f=${last##*, }
    f=${f%% failed*}
    case $p$f in *[!0-9]*|'') p=0 f=1 ;; esac
    [ $status = 0 ] || [ "$f" != 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f))
    rows=$(sed -n 's,.*rows tried [0-9]* / \([0-9]*\).*,\1,p' "$out" | tail -1)
done
tried=$(sed -n 's/^tried //p' "$ISA_ROWS" | sort -u | wc -l)
echo "riscv64 decode table: rows tried $tried / $rows"
# a row that no suite tried, with the reason of the suites
sed -n 's/^tried //p' "$ISA_ROWS" | sort -u >"$out"
sed -n 's/^skipped //p' "$ISA_ROWS" | sort -u | while read -r row why; do
    grep -qxF "$row" "$out" || echo "not tried: $row: $why"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]

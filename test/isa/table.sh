#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# table.sh FOLDER [FILE]: runs the riscv64 suites in FOLDER and makes the coverage part of docs/isa-riscv64.md from the decode
# table and from what they say they tried. With FILE: that part of FILE must be this, else 1 failed. shows: R172
set -u
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for oracle in unicorn qemu; do
    ISA_ROWS=$work/$oracle "$folder/test-isa-riscv64_$oracle" > "$work/out" || { tail -3 "$work/out"; echo "0 passed, 1 failed"; exit 1; }
done
"$folder/test-isa-riscv64_objdump" > "$work/out" || { tail -3 "$work/out"; echo "0 passed, 1 failed"; exit 1; }
disassembled=$(sed -n 's,^disassembly: rows tried \([0-9]*\) / \1\, .*,\1,p' "$work/out")   # all of them, or nothing is said

awk -v all="$disassembled" '
FILENAME != table { if ($1 == "tried") tried[FILENAME, $2] = 1; else { $1 = ""; why[FILENAME, $2] = substr($0, 2 + length($2) + 1) } next }
/^[a-z][a-z0-9._]* / && $1 != "reserved" && $2 ~ /^[01.]+$/ {
    for (i = 2; $i ~ /^[01.]+$/; ) i++
    e = $1 == "mret" || $(i + 1) == "S" ? "privileged" : $(i + 1)
    if (!(e in rows)) order[++extensions] = e
    rows[e]++; rows_all++
    if (!(names[e] ~ "`" $1 "`")) names[e] = names[e] (names[e] ? " " : "") "`" $1 "`"
    if (tried[unicorn, $1]) by_unicorn[e]++
    if (tried[qemu, $1]) by_qemu[e]++
    if (tried[unicorn, $1] && tried[qemu, $1]) by_both[e]++
    if (!tried[unicorn, $1] && !tried[qemu, $1]) left = left sprintf("| `%s` | %s |\n", $1, why[qemu, $1])
}
END {
    printf "%d rows of the decode table, each compared with binutils (%s): encoding and text.\n\n", rows_all, all == rows_all ? "all of them" : "NOT ALL"
    print "| Extension | Rows | Executed like Unicorn | Executed like qemu-riscv64 | Instructions |\n|---|---|---|---|---|"
    for (n = 1; n <= extensions; n++) { e = order[n]; printf "| %s | %d | %d | %d | %s |\n", e, rows[e], by_unicorn[e], by_qemu[e], names[e] }
    print "\nExecuted by neither, and where they are tested instead:\n\n| Instruction | Why, and where |\n|---|---|"
    printf "%s", left
}' unicorn="$work/unicorn" qemu="$work/qemu" table=hv/isa/riscv64/riscv64.dec "$work/unicorn" "$work/qemu" hv/isa/riscv64/riscv64.dec > "$work/table"

if [ $# = 1 ]; then cat "$work/table"; exit 0; fi
sed -n '/^<!-- made by test\/isa\/table.sh -->$/,/^<!-- end -->$/p' "$2" | sed '1d;$d' | cmp -s - "$work/table" && { echo "1 passed, 0 failed"; exit 0; }
echo "$2 is not what the suites say: make docs-isa"
echo "0 passed, 1 failed"
exit 1

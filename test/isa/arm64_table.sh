#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# arm64_table.sh FOLDER [FILE]: runs the arm64 suites in FOLDER and makes the coverage part of docs/isa-arm64.md from the decode table
# and from what they say they tried. With FILE: that part of FILE must be this, else 1 failed.
set -u
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for engine in interpreter jit; do
    ISA_ROWS=$work/$engine UNIT_ENGINE=$engine "$folder/test-isa-arm64_unicorn" > "$work/out" || { tail -3 "$work/out"; echo "0 passed, 1 failed"; exit 1; }
done
"$folder/test-isa-arm64_objdump" > "$work/out" || { tail -3 "$work/out"; echo "0 passed, 1 failed"; exit 1; }
disassembled=$(sed -n 's,^arm64 disassembly: rows tried \([0-9]*\) / \1\, .*,\1,p' "$work/out")     # all of them, or nothing is said

awk -v all="$disassembled" '
$1 == "tried" { tried[$2]++; next }                             # once an engine
/^[a-z][a-z0-9._\/]* / && $1 != "reserved" && $2 ~ /^[01.]+$/ {
    for (i = 2; $i ~ /^[01.]+$/; ) i++
    e = $(i + 1)
    if (!(e in rows)) order[++extensions] = e
    rows[e]++
    name = $1; sub(/\/.*/, "", name)
    if (!(names[e] ~ "`" name "`")) names[e] = names[e] (names[e] ? " " : "") "`" name "`"
    if ($(i + 2) != "missing") { lifted[e]++; lifted_all++ } else missing = missing (missing ? " " : "") "`" $1 "`"
    if (tried[n + 0] == 2) { ran[e]++; ran_all++ }
    n++
}
END {
    printf "%d rows of the decode table, each compared with binutils (%s): encoding and text. %d lifted, %d tested, %d missing.\n\n", n, all == n ? "all of them" : "NOT ALL", lifted_all, ran_all, n - lifted_all
    print "| Extension | Rows | Lifted | Executed like Unicorn, on both engines | Instructions |\n|---|---|---|---|---|"
    for (k = 1; k <= extensions; k++) { e = order[k]; printf "| %s | %d | %d | %d | %s |\n", e, rows[e], lifted[e], ran[e], names[e] }
    if (missing) print "\nMissing: " missing
}' "$work/interpreter" "$work/jit" hv/isa/arm64/arm64.dec > "$work/table"

if [ $# = 1 ]; then cat "$work/table"; exit 0; fi
sed -n '/^<!-- made by test\/isa\/arm64_table.sh -->$/,/^<!-- end -->$/p' "$2" | sed '1d;$d' | cmp -s - "$work/table" && { echo "1 passed, 0 failed"; exit 0; }
echo "$2 is not what the suites say: make docs-isa"
echo "0 passed, 1 failed"
exit 1

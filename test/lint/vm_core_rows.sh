#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# docs/vm-core.md against the tests. A row is `| R7 | requirement | in C | shown by | what is missing |`; the fourth column is
# made from the sources (`--write`, make docs-rows): unit tests named TEST(R7_R142_sentence), and suites that say
# `shows: R7 R142` and are wired into a .mk. Fails when a row is missing, the column is stale, a row has neither a test nor
# a "not yet", or has both. Prints rows shown / all.
set -u
cd "$(dirname "$0")/../.." || exit 1
LC_ALL=C; export LC_ALL
page=docs/vm-core.md rows=174
new=$(mktemp) marks=$(mktemp); trap 'rm -f "$new" "$marks"' EXIT

# "7 `test`" for each row that a unit test or a suite shows
grep -hoE '^(TEST|CONTRACT)\(R[0-9]+[A-Za-z0-9_]*' test/unit/*.c | sed -E 's/^[A-Z]+\(//' | awk '{
    name = $0; rest = $0
    while (match(rest, /^R[0-9]+_/)) { print substr(rest, 2, RLENGTH - 2), "`" name "`"; rest = substr(rest, RLENGTH + 1) }
}' > "$marks"
unwired=
while IFS=: read -r file words; do
    name=${file##*/} name=${name%.*}
    grep -qE "(/|\b)$name\b" Makefile mk/*.mk test/*/*.mk || unwired+="$file is in no suite"$'\n'
    for row in ${words#*shows: }; do echo "${row#R} $file"; done
done < <(grep -roE 'shows: R[0-9]+( R[0-9]+)*' test --include='*.sh' --include='*.c' --include='*.py' | grep -v vm_core_rows.sh) >> "$marks"
sort -k1,1n -k2 -u "$marks" -o "$marks"

awk -v rows=$rows -v marks="$marks" -v counts="${counts:=$(mktemp)}" '
BEGIN {
    while ((getline line < marks) > 0) { split(line, f, " "); by[f[1]] = by[f[1]] (by[f[1]] == "" ? "" : "<br>") f[2] }
    FS = "|"
}
/^\| R[0-9]+ \|/ {
    row = $2; gsub(/[ R]/, "", row); row += 0
    missing = $6; gsub(/^ +| +$/, "", missing)
    if (NF != 7) say("R" row ": not five columns")
    if (seen[row]++) say("R" row " stands there twice")
    if (row <= last) say("R" row " is out of order")
    last = row
    is_not_yet = missing ~ /^not yet/
    if (by[row] == "" && !is_not_yet) say("R" row ": no test, and the page does not say \"not yet\"")
    if (by[row] != "" && is_not_yet) say("R" row ": a test exists, and the page says \"not yet\"")
    if (is_not_yet && missing !~ /^not yet: ./) say("R" row ": not yet, but no reason")
    if (is_not_yet) none++; else if (missing != "") part++; else full++
    print "|" $2 "|" $3 "|" $4 "| " by[row] " | " missing (missing == "" ? "|" : " |")
    next
}
{ print }
function say(what) { print what > "/dev/stderr"; bad = 1 }
END {
    for (r = 1; r <= rows; r++) if (!seen[r]) say("R" r " is missing")
    for (r in by) if (!seen[r]) say("a test shows R" r ", which the page does not have")
    printf "%d shown, %d in part, %d not yet / %d\n", full, part, none, rows > counts
    exit bad
}' "$page" > "$new"
failed=$?
[ -z "$unwired" ] || { printf '%s' "$unwired"; failed=1; }
sum=$(cat "$counts"); rm -f "$counts"
# the sum stands in the page as well
sed -i "s|^Rows: .*|Rows: $sum.|" "$new"
if [ "${1:-}" = --write ]; then
    cmp -s "$new" "$page" || cat "$new" > "$page"
elif ! cmp -s "$new" "$page"; then
    diff "$page" "$new" | grep '^[<>]' | cut -c1-160 | head -20
    echo "$page is stale: make docs-rows"
    failed=1
fi
echo "rows: $sum"
echo "$((1 - failed)) passed, $failed failed"
exit $failed

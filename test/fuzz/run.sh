#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SECONDS [TARGET] - each libFuzzer target: SECONDS long, or with 0 its seeds and a fixed number of mutations of
# them, the same every time. Seeds are made by test/fuzz/seeds.py; what a long run adds stays in BUILD/fuzz. Ends in
# `N passed, N failed`.
set -u
build=$1 seconds=$2 only=${3:-}
here=$(dirname "$(realpath "$0")")
out=$build/fuzz passed=0 failed=0
python3 "$here/seeds.py" "$build" "$out/seeds" || exit 1
# runs of the short form: what costs about three seconds
declare -A runs=([decode]=1500 [ir]=1000 [config]=20000 [image]=10000 [bundle]=40000 [virtio]=600 [disk]=200 [monitor]=1500 [boot]=20000 [gic]=400 [pl011]=5000 [arm64]=500 [x86_64]=300)
for program in "$out"/fuzz-*; do
    target=${program##*/fuzz-}
    [ -x "$program" ] || continue
    [ -z "$only" ] || [ "$only" = "$target" ] || continue
    seeds=$out/seeds/$target corpus=$out/corpus/$target log=$out/$target.log
    mkdir -p "$seeds" "$corpus"
    set -- -rss_limit_mb=4096 -timeout=60 -print_final_stats=1 -verbosity=0 -artifact_prefix="$out/$target-"
    if [ "$seconds" = 0 ]; then set -- "$@" -seed=1 -runs="${runs[$target]:-5000}" "$seeds"
    else set -- "$@" -max_total_time="$seconds" "$corpus" "$seeds"; fi
    if "$program" "$@" > "$log" 2>&1; then
        echo "ok   $target: $(sed -nE 's/^stat::number_of_executed_units: *//p' "$log") inputs"; passed=$((passed + 1))
    else
        echo "FAIL $target: $(ls -t "$out/$target-"* 2> /dev/null | head -n 1)"; grep -aE 'ERROR|runtime error|: fuzz_|\.c:[0-9]+' "$log" | head -n 12 | sed 's/^/    /'
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]

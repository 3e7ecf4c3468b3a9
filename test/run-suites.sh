#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-suites.sh NAME=COMMAND... - runs each, adds up their closing lines "N passed, N failed", prints the sum last.
# A suite that ends without such a line, or fails without saying how often, counts as one failure.
passed=0 failed=0
log=$(mktemp); trap 'rm -f "$log"' EXIT
for suite; do
    name=${suite%%=*} start=$SECONDS
    echo "== $name"
    bash -c "${suite#*=}" 2>&1 < /dev/null | tee "$log"
    status=${PIPESTATUS[0]}
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    if [ -n "$line" ]; then
        p=${line%% passed*} f=${line#*, } f=${f%% failed*}
    else
        p=$((status == 0)) f=$((status != 0))
    fi
    [ "$status" = 0 ] || [ "$f" != 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f))
    echo "   $name: $p passed, $f failed, $((SECONDS - start)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

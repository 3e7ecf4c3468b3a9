#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# hosted.sh PROGRAM - the host contract as a process of four cores, under the thread sanitizer. Ends in `N passed, N failed`.
set -u
. "$(dirname "$0")/judge.sh"
for round in 1 2 3; do
    timeout 60 "$1" > "$out" 2>&1
    judge "process, 4 cores, round $round" 'selftest: 0 failed' 'cores 4' 'every core arrives'
    ! grep -q 'WARNING: ThreadSanitizer' "$out" || fail "no data race" "a report in"
done
timeout 60 "$1" fault=panic > "$out" 2>&1
judge "fault panic" "panic on cpu 0: on purpose, 42" "#1 +0x[0-9a-f]+" halted
finish

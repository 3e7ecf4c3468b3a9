#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# commands.sh BUILD HOST - commands.script: every command with good and bad arguments. What the monitor answers is
# commands.expected, with what differs by host and by moment covered; ACCEPT=1 writes that file anew. And every row of
# `help` is in the script (reboot: in test/boot/guests.sh). Ends in `N passed, N failed`.
set -u
. "$(dirname "$0")/play.sh"
begin "$1" "$2" commands
printf '[vm a]\nmemory = 16M\nfirmware = %s\ncmdline = hostile=sleep\n' "$(realpath "$build/test/vm/hostile.elf")" > "$dir/vm.conf"
printf '[vm good]\nmemory = 16M\nvcpus = 2\nkernel = %s\ncmdline = autotest\ndisk = ram:1M\n' \
    "$(realpath "$build/guests/demo-riscv64/kernel")" >> "$dir/vm.conf"
play test/monitor/commands.script
[ "$status" = 7 ] || bad "status $status, want 7"

# Guests' lines, the log and the process's own are left out; times, counters and code are covered.
cover() {
    grep -avE '^(good|a|b)\| |^hospes: |^autoexec: |^$' "$text" |
    awk '/^hospes> / { on = 1; answered = $0; host = 0; print; next }
         !on { next }
         /^\[ *[0-9]+\.[0-9]+\] / && !/ (vm|memory|execution|device|snapshot)\.[a-z_]+ / { next }
         answered ~ /> (version|info (cpus|disks|time))$/ { if (!host++) print "(of this host)"; next }
         answered ~ /> info exits/ && /^(host|budget) / { next }
         answered ~ /> info memory$/ { gsub(/[0-9]+/, "N") }
         { sub(/ +$/, ""); print }' |
    sed -E 's/^\[ *[0-9]+\.[0-9]+\]/[TIME]/
            s/"exits":\[[^]]*\]/"exits":[ROWS]/g
            s/^( +[0-9]+ [a-z]+ +[a-z]+ +riscv64 +interpreter +[0-9]+ +[0-9]+M) +[0-9]+\.[0-9]s +[0-9]+/\1 TIME MIPS/
            s/(":)[0-9]+(,"(reboots|mem_accesses|exec_time_ns|tlb_hits|tlb_misses|jit_[a-z_]+|kind|executed_insns)")/\1N\2/g
            s/("[a-z_]*(insns|accesses|_ns|hits|misses)":)[0-9]+/\1N/g; s/("seq":)[0-9]+/\1N/g
            s/^( +[0-9]+)( +[0-9]+){5}$/\1 COUNTERS/
            s/^address space.*/(address space)/; s/^TLB: .*/(TLB)/
            /^0000000080e8/!s/^[0-9a-f]{16}  ([0-9a-f]{4}|[0-9a-f]{8}) +[a-z].*/ADDRESS  BITS  INSTRUCTION/
            s/^(00000000800000[01]0) .*\|$/\1  BYTES/
            s/(the bundle has no file nofile[.conf]*|nofile[.conf]*: No such file or directory)/NO FILE/'
}
cover > "$dir/covered"
[ -z "${ACCEPT:-}" ] || cp "$dir/covered" test/monitor/commands.expected
if ! diff -u test/monitor/commands.expected "$dir/covered" > "$dir/diff"; then
    bad "another transcript (ACCEPT=1 makes it the expected one)"
    cp "$dir/diff" "$text"
fi
rows=$(sed -n '/^hospes> help$/,/^Keys/s/^  \([a-z]* \{0,1\}[a-z]*\) .*/\1/p' "$dir/covered" | sed 's/ *$//')
[ "$(grep -c . <<< "$rows")" -gt 25 ] || bad "help lists too little"
while read -r row; do
    [ "$row" = reboot ] || [ "$(grep -cE "(^|; )$row( |;|\$)" test/monitor/commands.script)" -ge 2 ] || bad "the script tries '$row' less than twice"
done <<< "$rows"
while IFS= read -r row; do
    grep -qxF -- "    $row" docs/monitor.md || bad "docs/monitor.md has no line '    $row'"
done < <(sed -n '/^hospes> help$/,/^Keys/p' "$dir/covered" | sed '1d;$d')
end "$(grep -c '^hospes> ' "$dir/covered") lines"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# torture.sh BUILD HOST SECONDS - a guest that does what no guest must, part by part (test/vm/hostile/torture.c), reset by
# itself and every five seconds by the operator, beside one that does its work: that one ends well, the first still runs
# after so many seconds, the monitor answers, and every page comes back. Ends in `N passed, N failed`.
set -u
. "$(dirname "$0")/../monitor/play.sh"
begin "$1" "$2" torture
name="torture on $2"
{ printf '[vm torture]\nmemory = 16M\nfirmware = %s\ncmdline = hostile=torture:1\n' "$(realpath "$build/test/vm/hostile.elf")"
  printf '[vm good]\nmemory = 16M\nkernel = %s\ncmdline = autotest\n' "$(realpath "$build/guests/demo-riscv64/kernel")"; } > "$dir/vm.conf"
cat > "$dir/script" <<END
log error
vm stop torture; vm destroy torture; vm stop good; vm destroy good
vm create torture firmware=0-hostile.elf memory=16M vcpus=2 disk=ram:64K cmdline=hostile=torture:1
vm create good kernel=0-kernel memory=16M vcpus=2 disk=ram:1M cmdline=autotest
info exits torture
vm destroy torture; vm destroy good
echo before; info memory
vm create torture firmware=0-hostile.elf memory=16M vcpus=2 disk=ram:64K cmdline=hostile=torture:1
vm create good kernel=0-kernel memory=16M vcpus=2 disk=ram:1M cmdline=autotest
vm start torture; vm start good
wait good stopped 300
repeat $((($3 + 4) / 5)); sleep 5; vm reset torture
vm list
wait torture running 1
info stats torture
info exits torture
vm stop torture; vm destroy torture; vm destroy good
echo after; info memory
END
TIMEOUT=$(($3 + 600)) play "$dir/script"
[ "$status" = 0 ] || bad "status $status"
grep -aqE '^autoexec: [0-9]+ commands, 0 failed' "$text" || bad "a command has failed"
grep -aq 'DEMO-OK' "$text" || bad "the good guest has not done its work"
resets=$(sed -nE 's/^torture: running, ([0-9]+) reboots.*/\1/p' "$text")
[ "$(grep -ac '^torture is as new' "$text")" = $((($3 + 4) / 5)) ] || bad "the operator's resets are missing"
[ "$(grep -ac 'torture: [a-z-]* [0-9]*$' "$text")" -ge 3 ] || bad "fewer than three parts"
same_memory
end "$3 s, ${resets:-0} resets, $(grep -ao 'torture: [a-z-]* [0-9]*$' "$text" | cut -d' ' -f2 | sort | uniq -c | tr -s ' \n' ' ')"

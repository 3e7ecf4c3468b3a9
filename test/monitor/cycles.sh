#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cycles.sh BUILD HOST N [GUEST WORDS] - a VM with two vCPUs and a disk is created, started, stopped and destroyed N times: no page and no
# byte of the heap stays away, after 10 on one core alone. GUEST: demo-riscv64, or another one that runs with these WORDS, as "arch=x86_64 mode=hardware". Ends in `N passed, N failed`.
set -u
. "$(dirname "$0")/play.sh"
begin "$1" "$2" "cycles${4:+-$4}"
guest=${4:-demo-riscv64} words=${5:-}
sed 's/^\[.*/[vm first]/' "$build/guests/$guest/vm.conf" > "$dir/vm.conf"
sed -i "s|^kernel *= *|&$(realpath "$build/guests/$guest")/|" "$dir/vm.conf"
sed -i '/^\[vm first/a cpus = 0' "$dir/vm.conf"
cycle="vm start x; vm stop x; vm destroy x" make="vm create x $words kernel=0-kernel memory=8M vcpus=2 disk=ram:1M"
cat > "$dir/script" <<END
vm stop first; vm destroy first
repeat 10; $make cpus=0; $cycle
echo before; info memory
repeat $3; $make; $cycle
echo after; info memory
END
play "$dir/script"
[ "$status" = 0 ] || bad "status $status"
grep -aqE '^autoexec: [0-9]+ commands, 0 failed' "$text" || bad "a command has failed"
[ "$(grep -ac '^x is no more' "$text")" = $(($3 + 10)) ] || bad "not $3 cycles"
same_memory
end "$3 cycles, $(memory_after after)"

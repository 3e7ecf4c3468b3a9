#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scene.sh BUILD HOST GUEST - scene.script: one guest spins with interrupts off, one is in a storm of illegal instructions,
# one hammers virtio devices with malformed rings, and GUEST (demo, linux) beside them does its whole work. The operator is
# obeyed all the while, and every page comes back. Ends in `N passed, N failed`.
set -u
. "$(dirname "$0")/play.sh"
begin "$1" "$2" "scene-$3"
guest=$(realpath "$build/guests/$3-riscv64")
for vm in spin/spin storm/hopeless-handler rings/rings-for-ever; do
    printf '[vm %s]\nmemory = 16M\nfirmware = %s\ncmdline = hostile=%s\ndisk = ram:64K\n' "${vm%/*}" "$(realpath "$build/test/vm/hostile.elf")" "${vm#*/}"
done > "$dir/vm.conf"
case $3 in
demo)  done='DEMO-OK'
       printf '[vm good]\nmemory = 16M\nvcpus = 2\nkernel = %s/kernel\ncmdline = autotest\ndisk = ram:1M\n' "$guest" ;;
linux) done='GUEST-WORK-OK fails=0'
       sed -E "s|^\[.*|[vm good]|; /^cmdline/d; s|^((kernel\|initrd) *= *)|\1$guest/|" "$guest/vm.conf"
       echo 'cmdline = console=ttyS0 hv.work=light hv.poweroff' ;;
esac >> "$dir/vm.conf"
play test/monitor/scene.script
[ "$status" = 0 ] || bad "status $status"
grep -aqE '^autoexec: [0-9]+ commands, 0 failed' "$text" || bad "a command has failed"
grep -aqE "^good\| $done" "$text" || bad "no $done"
[ "$(grep -aEc '^ +[0-9]+ (spin|storm|rings) +running' "$text")" -ge 7 ] || bad "the three do not run to the end"
same_memory
end "$(memory_after after)"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tsan.sh BUILD [linux] - the hypervisor under the thread sanitizer with four vCPUs on four core threads: the demo's self-test,
# and guests that hammer devices, interrupts and timers, whose lives are paused, resumed, reset and ended meanwhile; or Linux
# to the end of its light work. Silence is wanted. Ends in `N passed, N failed`.
set -u
build=$1 what=${2:-}
hospes=$build/tsan/hospes demo=$build/guests/demo-riscv64/kernel hostile=$build/test/vm/hostile.elf linux=$build/guests/linux-riscv64
export TSAN_OPTIONS="halt_on_error=0 exitcode=66"
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

# silent NAME PATTERN ARGUMENT...
silent() {
    local name=$1 want=$2 status=0; shift 2
    timeout -k 10 "${TIMEOUT:-400}" "$hospes" run --cores 4 "$@" > "$tmp/out" 2>&1 < /dev/null || status=$?
    if [ "$status" != 0 ] || grep -aq ThreadSanitizer "$tmp/out" || ! grep -aqE "$want" "$tmp/out"; then
        echo "FAIL $name: status $status"; grep -aA25 -m 2 ThreadSanitizer "$tmp/out" | sed 's/^/    /'; tail -n 5 "$tmp/out" | sed 's/^/    /'
        failed=$((failed + 1))
    else
        echo "ok   $name"; passed=$((passed + 1))
    fi
}

if [ "$what" = linux ]; then
    silent "Linux, 4 vCPUs" 'GUEST-WORK-OK fails=0' --kernel "$linux/kernel" --initrd "$linux/initrd" --memory 256M --vcpus 4 --disk ram:4M \
        --cmdline 'console=ttyS0 hv.work=light hv.poweroff'
else
    silent "demo, 4 vCPUs" DEMO-OK --kernel "$demo" --memory 32M --vcpus 4 --disk ram:1M --cmdline autotest
    cat > "$tmp/script" <<END
vm create mmio firmware=$hostile memory=16M vcpus=2 disk=ram:64K cmdline=hostile=mmio
vm create ipis firmware=$hostile memory=16M vcpus=2 cmdline=hostile=ipi-storm
vm create timers firmware=$hostile memory=16M vcpus=2 cmdline=hostile=timer-past
vm create good kernel=$demo memory=16M vcpus=4 disk=ram:1M cmdline=autotest
vm start mmio; vm start ipis; vm start timers; vm start good
sleep 1
repeat 5; vm pause ipis; info regs ipis 0 all; info exits ipis; vm resume ipis; stats json; vm reset timers; sleep 1
wait good stopped 200
vm list; events list
vm stop ipis; vm stop timers; vm destroy ipis; vm destroy timers; vm destroy good
wait mmio stopped 200
vm destroy mmio
END
    silent "devices, interrupts, timers and lives" 'script: [0-9]+ commands, 0 failed' --script "$tmp/script"
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]

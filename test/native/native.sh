#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# native.sh [WORD...] - guests of the host's own kind, mode = hardware, through tools/boot.sh and judged by console and status.
# Only rows whose name has all WORDs; FULL=1: the slow ones too; JOBS=n: so many machines at a time. Ends in `N passed, N failed`.
# shows: R35 R43 R63 R64 R67
set -u
cd "$(dirname "$0")/../.." || exit 1
. test/boot/judge.sh
export BUILD=${BUILD:-build}
jobs=${JOBS:-$(nproc)}

# name | words for boot.sh | what; names that begin with - are slow
rows() {
    cat <<'END'
aarch64 a53 GICv2 Linux, 1 vCPU             | HOST=aarch64 CPU=cortex-a53 GIC=2 VCPUS=1                 | linux light
aarch64 a72 GICv3 Linux whole, 2 vCPUs      | HOST=aarch64 CPU=cortex-a72 GIC=3 VCPUS=2 CORES=2         | linux
aarch64 max GICv3 Linux, 2 vCPUs, 1 core    | HOST=aarch64 CPU=max GIC=3 VCPUS=2 CORES=1                | linux light
aarch64 a57 Debian kernel, 2 vCPUs          | HOST=aarch64 CPU=cortex-a57 VCPUS=2                       | debian light
aarch64 UEFI Linux, 1 vCPU                  | HOST=aarch64 FIRMWARE=uefi VCPUS=1                        | linux light
aarch64 U-Boot answers version              | HOST=aarch64                                              | uboot
aarch64 hostile guests beside a foreign one | HOST=aarch64 GIC=3                                        | hostile
aarch64 guests that loop beside a foreign one | HOST=aarch64 GIC=3                                      | loops
aarch64 native and foreign side by side     | HOST=aarch64 GIC=2                                        | beside
aarch64 GICv2 timers, nested interrupts     | HOST=aarch64 GIC=2                                        | good
aarch64 GICv3 timers, nested interrupts     | HOST=aarch64 GIC=3                                        | good
aarch64 two consoles, typed at in turn      | HOST=aarch64                                              | consoles
aarch64 registers, steps, breakpoints       | HOST=aarch64                                              | debug
aarch64 lives                               | HOST=aarch64                                              | lives 20
aarch64 round trips within their marks      | HOST=aarch64                                              | trips
aarch64 EL1 says why not                    | HOST=aarch64 EL=1                                         | absent the hypervisor was started at EL1
aarch64 raspi3b says why not                | HOST=aarch64 MACHINE=raspi3b                              | absent there is no GIC
-aarch64 GICv2 hostile guests               | HOST=aarch64 GIC=2                                        | hostile
-aarch64 GICv2 guests that loop             | HOST=aarch64 GIC=2                                        | loops
-aarch64 1000 lives                         | HOST=aarch64                                              | lives 1000
-aarch64 zcu102 Linux, 2 vCPUs, 2 cores     | HOST=aarch64 MACHINE=zcu102 VCPUS=2 CORES=2               | linux
-aarch64 zcu102 Linux, 4 vCPUs, 4 cores     | HOST=aarch64 MACHINE=zcu102 VCPUS=4 CORES=4               | linux
-aarch64 zcu102 Debian kernel, 1 vCPU       | HOST=aarch64 MACHINE=zcu102 VCPUS=1 CORES=1               | debian light
END
    for cpu in cortex-a53 cortex-a72 max; do
        for gic in 2 3; do
            for shape in 1/1 2/1 2/2 4/2 4/4; do
                echo "-aarch64 matrix $cpu GICv$gic Linux $shape | HOST=aarch64 CPU=$cpu GIC=$gic VCPUS=${shape%/*} CORES=${shape#*/} | linux"
            done
        done
    done
}

# boots NAME GUEST PATTERN...: ends with status 0, and every pattern in the console
boots() {
    local name=$1 guest=$2 status=0; shift 2
    TIMEOUT=${TIMEOUT:-900} tools/boot.sh boot "$guest" > "$out" 2>&1 || status=$?
    [ "$status" = 0 ] || { fail "$name" "status $status"; return; }
    judge "$name" '^hospes: status 0' "$@"
}

# bundle NAME: a folder of guests of this test's own, for boot.sh; $bundle is where its vm.conf goes
bundle() { bundle=$BUILD/test/native/$1.$BASHPID; rm -rf "$bundle"; mkdir -p "$bundle"; }
program() { printf '[vm %s]\narch = arm64\nmode = hardware\nmemory = 32M\nvcpus = %s\nkernel = %s\ncmdline = run=%s\ndisk = ram:64K\n' \
            "$1" "$2" "$(realpath "$BUILD/test/native/arm64.elf")" "$1" >> "$bundle/vm.conf"; }
good() { printf '[vm good]\nmemory = 32M\nvcpus = 2\nkernel = %s\ncmdline = autotest\ndisk = ram:1M\n' "$(realpath "$BUILD/guests/demo-riscv64/kernel")" >> "$bundle/vm.conf"; }
# plays NAME SCRIPT PATTERN...: the bundle with that autoexec; no command of it may fail
plays() {
    local name=$1 script=$2 status=0; shift 2
    AUTOEXEC=$script TIMEOUT=${TIMEOUT:-300} tools/boot.sh boot "../test/native/${bundle##*/}" > "$out" 2>&1 < /dev/null || status=$?
    rm -rf "$bundle"
    [ "$status" = 0 ] || { fail "$name" "status $status"; return; }
    judge "$name" '^autoexec: [0-9]+ commands, 0 failed' "$@"
}

# Programs of test/native/arm64/hostile.c. Those that come to an end do so beside some that do not, and a foreign guest at work.
ends='calls wild-memory undefined gic-registers sgi-storm timer-storm odd-accesses rings cores'
goes_on='spin sleep wild-jumps sgi-loop call-storm device-storm timer-always-due tables-in-themselves tables-in-devices tables-nowhere reset-storm'
# hostile NAME BESIDE PROGRAM...
hostile() {
    local name=$1 beside=$2 p patterns=(); shift 2
    bundle hostile
    good
    for p in $beside; do program "$p" 1; echo 'cap = 20%' >> "$bundle/vm.conf"; done
    for p; do program "$p" $([ "$p" = cores ] && echo 4 || echo 1); done
    sed -i 's/^\[vm .*/&\nautostart = no/' "$bundle/vm.conf"
    { for p in $beside; do echo "vm start $p"; done
      echo "vm start good"
      for p; do echo "vm start $p"; echo "wait $p stopped 120"; done
      echo "wait good stopped 120"
      for p in $beside; do echo "vm stop $p; vm destroy $p"; done; } > "$out.script"
    for p; do patterns+=("$p OK"); done
    plays "$name" "$out.script" 'DEMO-OK' "${patterns[@]}"
}

# Programs of test/native/arm64/good.c, one after the other, beside one that takes a core.
good_programs='timers nested apart'
well() {
    local name=$1 p patterns=()
    bundle good
    program spin 1
    for p in $good_programs; do program "$p" 1; patterns+=("$p OK"); done
    sed -i 's/^\[vm .*/&\nautostart = no/' "$bundle/vm.conf"
    { echo "vm start spin"
      for p in $good_programs; do echo "vm start $p"; echo "wait $p stopped 60"; done
      echo "vm stop spin; vm destroy spin"; } > "$out.script"
    plays "$name" "$out.script" "${patterns[@]}"
    if grep -aq 'FAIL:' "$out"; then fail "$name" "failures in"; fi
}

# A native and a foreign guest, each answers at its own console.
consoles() {
    bundle consoles
    printf '[vm foreign]\nmemory = 32M\nkernel = %s\n' "$(realpath "$BUILD/guests/demo-riscv64/kernel")" >> "$bundle/vm.conf"
    printf '[vm native]\narch = arm64\nmode = hardware\nmemory = 128M\nkernel = %s\ninitrd = %s\ncmdline = console=ttyAMA0\n' \
        "$(realpath "$BUILD/guests/linux-arm64/kernel")" "$(realpath "$BUILD/guests/linux-arm64/initrd")" >> "$bundle/vm.conf"
    types "$1" tools/boot.sh run "../test/native/${bundle##*/}" -- 'hospes> ' 'attach foreign\r' 'demo> ' 'echo [one]\r' '\n\[one\]' '\x1d2' '/ # ' 'uname -m\r' 'aarch64' 'echo $((6*7))\r' \
        '\n42' '\x1d1' 'demo> ' 'echo [two]\r' '\n\[two\]' '\x1d2' '# ' 'echo $((7*8))\r' '\n56' '\x01x'
    rm -rf "$bundle"
}

beside() {
    local name=$1
    bundle beside
    good
    printf '[vm native]\narch = arm64\nmode = hardware\nmemory = 128M\nvcpus = 2\nkernel = %s\ninitrd = %s\ncmdline = console=ttyAMA0 hv.work=light hv.poweroff\ndisk = ram:16M\n' \
        "$(realpath "$BUILD/guests/linux-arm64/kernel")" "$(realpath "$BUILD/guests/linux-arm64/initrd")" >> "$bundle/vm.conf"
    printf 'wait native stopped 200\nwait good stopped 100\n' > "$out.script"
    plays "$name" "$out.script" 'good *[|] DEMO-OK' 'native *[|] GUEST-WORK-OK fails=0'
}

# A guest that does nothing is looked into and changed; its program's start is where its image's entry is.
debug() {
    bundle debug
    program sleep 1
    sed -i 's/^\[vm .*/&\nautostart = no/' "$bundle/vm.conf"
    cat > "$out.script" <<'END'
break add sleep 0x40200010
vm start sleep
wait sleep paused 20
reg sleep 0 pc
reg sleep 0 x5 0x1234
step sleep 0 3
info regs sleep
break delete sleep 0x40200010
vm resume sleep
wait sleep "begins" 20
sleep 1
vm pause sleep
info regs sleep 0 all
x sleep 0x40200000 16
disas sleep 0 0x40200020 1
trans sleep 0x40200000
info exits sleep
vm resume sleep
vm stop sleep; vm destroy sleep
END
    plays "$1" "$out.script" '^pc += 0x40200010' 'pc +000000004020001c' 'x5 +0000000000001234' 'exit +wfi' 'exit +mmio' 'exit +step +[3-9]' 'vbar_el1'
}

# As many lives as that, made from the same description, and no page is lost.
lives() {
    local name=$1 count=$2 kernel
    bundle lives
    program sleep 2
    kernel=0-arm64.elf
    local cycle="vm create x arch=arm64 mode=hardware kernel=$kernel memory=8M vcpus=2 cmdline=run=sleep disk=ram:1M; vm start x; vm stop x; vm destroy x"
    printf 'vm stop sleep; vm destroy sleep\nrepeat 10; %s\necho before; info memory\nrepeat %s; %s\necho after; info memory\n' "$cycle" "$count" "$cycle" > "$out.script"
    plays "$name" "$out.script"
    [ "$(sed -n '/^before/,/^hospes/p' "$out" | grep -a free)" = "$(sed -n '/^after/,/^hospes/p' "$out" | grep -a free)" ] || fail "$name" "memory is lost in"
}

# Counted, not timed: the same on every run.
trips() {
    local name=$1 status=0
    test/bench/native.py "$BUILD" --check --host aarch64 > "$out" 2>&1 || status=$?
    [ "$status" = 0 ] || { fail "$name" "status $status"; return; }
    judge "$name" '^hypercall +[0-9]+'
}

absent() {
    local name=$1 why=$2
    bundle absent
    program sleep 1
    good
    AUTOEXEC= TIMEOUT=120 tools/boot.sh boot "../test/native/${bundle##*/}" > "$out" 2>&1 < /dev/null
    rm -rf "$bundle"
    judge "$name" "vm sleep: .*no hardware virtualization here: $why" 'DEMO-OK'
}

types() {
    local name=$1 status=0; shift
    test/boot/type.exp 200 "$@" > "$out" 2>&1 || status=$?
    [ "$status" = 0 ] || { fail "$name" "status $status"; return; }
    judge "$name"
}

one() {
    local name=$1 what=$2; shift 2
    out=$out.$BASHPID
    case $what in
    linux|debian)
        export CMDLINE='console=ttyAMA0 hv.work hv.poweroff'
        [ "${1:-}" != light ] || CMDLINE='console=ttyAMA0 hv.work=light hv.poweroff'
        boots "$name" "$what-arm64" "GUEST-READY aarch64 $VCPUS " 'GUEST-WORK-OK fails=0' 'ok +blk' ;;
    uboot)   types "$name" tools/boot.sh run uboot-arm64 -- 'Hit any key' ' ' '=> ' 'version\r' 'aarch64-linux-gnu-gcc.*=> ' '\x01x' ;;
    hostile) hostile "$name" 'spin sgi-loop timer-always-due' $ends ;;
    loops)   hostile "$name" "$goes_on" ;;
    beside)  beside "$name" ;;
    debug)   debug "$name" ;;
    lives)   lives "$name" "$1" ;;
    good)    well "$name" ;;
    consoles) consoles "$name" ;;
    trips)   trips "$name" ;;
    absent)  absent "$name" "$*" ;;
    esac
}

begin=$SECONDS number=0
while IFS='|' read -r name words what; do
    name=$(echo $name)
    [[ $name != -* || $# -gt 0 || -n ${FULL:-} ]] || continue
    for word; do case $name in *"$word"*) ;; *) continue 2 ;; esac; done
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    number=$((number + 1))
    { ( from=$SECONDS; for word in $words; do export "${word?}"; done
        one "${name#-}" $what; echo "     $((SECONDS - from)) s" ) > "$tmp/verdict.$number" 2>&1
      cat "$tmp/verdict.$number"; } < /dev/null &
done <<< "$(rows)"
wait
passed=$(cat "$tmp"/verdict.* | grep -c '^ok ') failed=$((number - passed))
finish

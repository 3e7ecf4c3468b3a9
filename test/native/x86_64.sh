#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# x86_64.sh BUILD [slow] [WORD...] - guests of the host's own kind on x86_64: AMD-V in QEMU, VT-x and AMD-V in Bochs; the demo kernel, Linux,
# firmware, other kernels, guests that mean ill beside a good one, refusals, lives. Only rows whose name has all WORDs; `slow` adds the rest of
# the matrix. Ends in `N passed, N failed`. shows: R36 R61 R63 R64 R67
set -u
shopt -s extglob
cd "$(dirname "$0")/../.." || exit 1
. test/boot/judge.sh
export BUILD=$1 CMDLINE; shift
all=; [ "${1:-}" != slow ] || { all=1; shift; }

# name | words for boot.sh | what
rows() {
    cat <<'END'
AMD-V q35 demo, 1 vCPU                 | VCPUS=1 CORES=1                                    | demo
AMD-V q35 demo, 2 vCPUs                | VCPUS=2 CORES=2                                    | demo
AMD-V q35 demo, 4 vCPUs, 2 cores       | VCPUS=4 CORES=2                                    | demo slow
AMD-V microvm demo, 2 vCPUs, EPYC      | MACHINE=microvm VCPUS=2 CPU=EPYC                   | demo
AMD-V Bochs demo, ryzen                | EMULATOR=bochs CORES=1 VCPUS=2 CPU=ryzen           | demo
VT-x Bochs demo, haswell               | EMULATOR=bochs CORES=1 VCPUS=2 CPU=corei7_haswell_4770 | demo
VT-x Bochs demo, 2 cores               | EMULATOR=bochs CORES=2 VCPUS=2 CPU=corei7_haswell_4770 | demo slow
VT-x Bochs demo, sandy bridge          | EMULATOR=bochs CORES=1 VCPUS=2 CPU=corei7_sandy_bridge_2600k | demo slow
VT-x Bochs demo, skylake               | EMULATOR=bochs CORES=1 VCPUS=2 CPU=corei7_skylake_x | demo slow
AMD-V q35 Linux, 2 vCPUs               | VCPUS=2 CORES=2                                    | linux
AMD-V q35 Linux whole, 1 vCPU          | VCPUS=1 CORES=1                                    | linux whole slow
AMD-V q35 Linux whole, 2 vCPUs         | VCPUS=2 CORES=2                                    | linux whole slow
AMD-V q35 Linux whole, 4 vCPUs         | VCPUS=4 CORES=4                                    | linux whole slow
AMD-V q35 Linux, 4 vCPUs, 1 core       | VCPUS=4 CORES=1                                    | linux slow
AMD-V microvm Linux, 2 vCPUs, 1 core   | MACHINE=microvm VCPUS=2 CORES=1                    | linux slow
VT-x Bochs Linux, sandy bridge         | EMULATOR=bochs CORES=1 VCPUS=1 CPU=corei7_sandy_bridge_2600k TIMEOUT=1500 | linux slow
VT-x Bochs Linux, haswell              | EMULATOR=bochs CORES=1 VCPUS=1 CPU=corei7_haswell_4770 TIMEOUT=1500 | linux slow
VT-x Bochs Linux, skylake              | EMULATOR=bochs CORES=1 VCPUS=1 CPU=corei7_skylake_x TIMEOUT=1500 | linux slow
AMD-V Bochs Linux, ryzen               | EMULATOR=bochs CORES=1 VCPUS=1 CPU=ryzen TIMEOUT=1500 | linux slow
AMD-V q35 Debian, 2 vCPUs              | VCPUS=2 CORES=2                                    | debian slow
AMD-V q35 Debian, 1 vCPU               | VCPUS=1 CORES=1                                    | debian slow
AMD-V q35 Debian, 4 vCPUs              | VCPUS=4 CORES=4                                    | debian slow
VT-x Bochs Debian, haswell             | EMULATOR=bochs CORES=1 VCPUS=1 CPU=corei7_haswell_4770 TIMEOUT=1500 | debian slow
AMD-V Bochs Debian, ryzen              | EMULATOR=bochs CORES=1 VCPUS=1 CPU=ryzen TIMEOUT=1500 | debian slow
AMD-V q35 demo by multiboot            | VCPUS=2                                            | multiboot
VT-x Bochs demo by multiboot           | EMULATOR=bochs CORES=1 VCPUS=2 CPU=corei7_haswell_4770 | multiboot slow
AMD-V q35 SeaBIOS                      | CORES=1                                            | says:seabios:SeaBIOS (version 1:Booting from Hard Disk
AMD-V q35 memtest86+                   | CORES=1                                            | says:memtest:Memtest86+ v6:Pass
AMD-V q35 Xen                          | CORES=1                                            | says:xen:(XEN) Xen version 4:dom0 kernel not specified
VT-x Bochs SeaBIOS                     | EMULATOR=bochs CORES=1 CPU=corei7_haswell_4770     | says:seabios:SeaBIOS (version 1:Booting from Hard Disk slow
VT-x Bochs memtest86+                  | EMULATOR=bochs CORES=1 CPU=corei7_haswell_4770     | says:memtest:Memtest86+ v6:Pass slow
VT-x Bochs Xen                         | EMULATOR=bochs CORES=1 CPU=corei7_haswell_4770     | says:xen:(XEN) Xen version 4:dom0 kernel not specified slow
AMD-V q35 beside riscv64               | CORES=2                                            | both slow
VT-x Bochs beside riscv64              | EMULATOR=bochs CORES=1                             | both slow
AMD-V q35 hostile guests               | CORES=2                                            | hostile
AMD-V q35 hostile guests, 1 core       | CORES=1                                            | hostile slow
AMD-V q35 steps, breakpoint, registers |                                                    | steps
VT-x Bochs steps, breakpoint, registers | EMULATOR=bochs CORES=1                            | steps slow
AMD-V q35 lives                        |                                                    | lives
AMD-V q35 round trips within their marks |                                                  | trips
refusal: no AMD-V                      | CPU=qemu64,-svm                                    | refused:neither AMD-V nor VT-x
refusal: no AMD-V, mode auto           | CPU=qemu64,-svm MODE=auto                          | refused:neither AMD-V nor VT-x
refusal: AMD-V without nested paging   | CPU=qemu64,+svm                                    | refused:no nested paging
refusal: VT-x without EPT              | EMULATOR=bochs CORES=1 CPU=core2_penryn_t9600      | refused:no nested paging .EPT. slow
END
}

# describe NAME KERNEL CMDLINE [LINE...]: one VM of a description
describe() {
    local name=$1 kernel=$2 cmdline=$3; shift 3
    printf '[vm %s]\nkernel = %s\ncmdline = %s\ndisk = ram:1M\n' "$name" "$(realpath "$kernel")" "$cmdline"
    printf '%s\n' "$@"
}
native=('arch = x86_64' 'mode = hardware')
foreign=('arch = riscv64' 'vcpus = 2' 'memory = 32M')

# boots NAME GUEST STATUS PATTERN...
boots() {
    local name=$1 guest=$2 want=$3 status=0; shift 3
    TIMEOUT=${TIMEOUT:-400} tools/boot.sh boot "$guest" > "$out" 2>&1 || status=$?
    [ "$status" = "$want" ] || { fail "$name" "status $status"; return; }
    judge "$name" "$@"
}

# end PID: it and all that it started
end() {
    local child
    for child in $(pgrep -P "$1"); do end "$child"; done
    kill -TERM "$1" 2> /dev/null
}

# says NAME GUEST TEXT...: a guest that never ends has said all of it
says() {
    local name=$1 guest=$2 pid n text; shift 2
    TIMEOUT=300 tools/boot.sh boot "$guest" > "$out" 2>&1 & pid=$!
    for ((n = 0; n < 290; n++)); do
        for text; do grep -aqF -- "$text" "$out" || break; done
        ! grep -aqF -- "$text" "$out" || break      # the last one missing, or there
        kill -0 $pid 2> /dev/null || break
        sleep 1
    done
    end $pid; wait $pid 2> /dev/null
    for text; do grep -aqF -- "$text" "$out" || { fail "$name" "no \"$text\" in"; return; }; done
    judge "$name"
}

# The demo kernel without its note: then its multiboot header counts.
multiboot() {
    local dir=$BUILD/guests/demo-multiboot
    mkdir -p "$dir"
    objcopy -R .note "$BUILD/guests/demo-x86_64/kernel" "$dir/kernel"
    cp "$BUILD/guests/demo-x86_64/vm.conf" "$dir/vm.conf"
    boots "$1" demo-multiboot 0 'started by multiboot' '^DEMO-OK' 'powered off'
}

# The bad ones never end: when the good one has done its work they get a while more, and the machine must still be well.
hostile() {
    local name=$1 dir=$BUILD/guests/.hostile-native word pid n
    mkdir -p "$dir"
    describe good "$BUILD/guests/demo-riscv64/kernel" autotest "${foreign[@]}" > "$dir/vm.conf"
    for word in hypercalls apic ipis timer wild ports msrs registers rings Spin Triple Jump Paging; do
        describe "$word" "$BUILD/test/native/hostile-x86_64" "$word" "${native[@]}" 'memory = 8M' >> "$dir/vm.conf"
    done
    TIMEOUT=300 tools/boot.sh boot .hostile-native > "$out" 2>&1 & pid=$!
    for ((n = 0; n < 280; n++)); do
        ! grep -aq '^good| DEMO-' "$out" || break
        kill -0 $pid 2> /dev/null || break
        sleep 1
    done
    sleep 5
    n=$(grep -ac reboots "$out")
    sleep 5                                 # it goes on: the one that reboots says so
    end $pid; wait $pid 2> /dev/null
    [ "$(grep -ac reboots "$out")" -gt "$n" ] || { fail "$name" "nothing more is heard after the good one's end in"; return; }
    if grep -aqE 'panic|crashed' "$out"; then fail "$name" "the hypervisor is hurt in"; return; fi
    for word in apic ipis timer wild ports msrs registers rings Spin; do       # a line may come in two pieces
        tr -d '\r' < "$out" | grep -aq "^$word| .*$word" || grep -aq "^vm $word: failed" "$out" || { fail "$name" "no word of $word in"; return; }
    done
    judge "$name" '^good\| DEMO-OK' 'Jump: failed|vm Jump' 'vm Triple reboots'
}

# The first instructions of the demo kernel one by one, then on to the C function that tests; where those are its symbols say.
steps() {
    local name=$1 dir=$BUILD/guests/.steps elf=$BUILD/guests/demo-x86_64/kernel start test status=0
    start=$(nm "$elf" | awk '$3 == "start" { print $1 }') test=$(nm "$elf" | awk '$3 == "selftest" { print $1 }')
    mkdir -p "$dir"
    describe a "$elf" x "${native[@]}" 'memory = 32M' 'autostart = no' > "$dir/vm.conf"
    cat > "$dir/script" <<END
reg a 0 rip
step a
break add a 0x$test
vm start a
wait a paused 60
reg a 0 rip
step a
reg a 0 r15 0x1234567890
reg a 0 r15
reg a 0 cr0
break delete a 0x$test
vm resume a
wait a stopped 60
info exits a
END
    AUTOEXEC=$dir/script TIMEOUT=200 tools/boot.sh boot .steps > "$out.raw" 2>&1 || status=$?
    sed 's/\r\x1b\[K//g; s/\r//g' "$out.raw" > "$out"
    judge "$name" "^rip = 0x${start##*(0)}" "vCPU 0 at $(printf %016x $((0x$start + 1)))" "^rip = 0x${test##*(0)}" '^r15 = 0x1234567890' '^cr0 = 0x80000033' '^DEMO-OK' \
        'CPUID +[1-9][0-9]* +[0-9]+ +[1-9][0-9]* +[1-9]' 'port I/O +[1-9][0-9]* +[0-9]+ +[1-9][0-9]* +[1-9]' 'step +[1-9]' ' 0 failed'
}

lives() {
    local count=20
    [ -z "$all" ] || count=1000
    if TIMEOUT=1500 test/monitor/cycles.sh "$BUILD" x86_64 $count demo-x86_64 'arch=x86_64 mode=hardware' > "$out" 2>&1; then
        judge "$1, $count" '^1 passed'
    else
        fail "$1" "$count"
    fi
}

# Counted, not timed: the same on every run.
trips() {
    local status=0
    test/bench/native.py "$BUILD" --check --host x86_64 > "$out" 2>&1 || status=$?
    [ "$status" = 0 ] || { fail "$1" "status $status"; return; }
    judge "$1" '^hypercall +[0-9]+' '^mmio-virtio +[0-9]+'
}

one() {
    local name=$1 what=$2
    CMDLINE=                                # no row's words are the next one's
    case $what in
    demo*)   boots "$name" demo-x86_64 0 'started by PVH' '^DEMO-OK' 'powered off' "other CPUs: $((VCPUS - 1))" ;;
    linux*)  CMDLINE='console=ttyS0 hv.work=light hv.poweroff'
             [[ $what != *whole* ]] || CMDLINE='console=ttyS0 hv.work hv.poweroff'
             boots "$name" linux-x86_64 0 "GUEST-READY x86_64 $VCPUS " 'GUEST-WORK-OK fails=0' 'ok +blk' 'linux-x86_64: powered off' ;;
    debian*) CMDLINE='console=ttyS0 hv.work=light hv.poweroff'
             boots "$name" debian-x86_64 0 "GUEST-READY x86_64 $VCPUS " 'GUEST-WORK-OK fails=0' 'ok +blk' 'debian-x86_64: powered off' ;;
    both*)   mkdir -p "$BUILD/guests/.both"
             cp "$BUILD/guests/demo-x86_64/kernel" "$BUILD/guests/.both/native"
             { describe native "$BUILD/guests/.both/native" x "${native[@]}" 'memory = 32M'
               describe foreign "$BUILD/guests/demo-riscv64/kernel" autotest "${foreign[@]}"; } > "$BUILD/guests/.both/vm.conf"
             boots "$name" .both 0 '^native\| DEMO-OK' '^foreign\| DEMO-OK' ;;
    multiboot*) multiboot "$name" ;;
    says:*)  IFS=: read -r what guest one two <<< "${what% slow}"
             says "$name" "$guest-x86_64" "$one" "$two" ;;
    hostile*) hostile "$name" ;;
    steps*)  steps "$name" ;;
    lives)   lives "$name" ;;
    trips)   trips "$name" ;;
    refused:*) what=${what% slow}
             VCPUS=1 boots "$name" demo-x86_64 1 "hardware virtualization (here|alone): .*${what#refused:}" ;;
    esac
}

while IFS='|' read -r name words what; do
    name=$(echo $name) what=$(echo $what)
    [[ $what != *slow || -n $all || $# -gt 0 ]] || continue
    for word; do case $name in *"$word"*) ;; *) continue 2 ;; esac; done
    from=$SECONDS
    { set -a; eval "$(printf '%s\n' $words | sed 's/^\([A-Z]*\)=\(.*\)$/\1='"'"'\2'"'"'/')"; set +a; one "$name" "$what"; } < /dev/null
    for word in $words; do unset "${word%%=*}"; done
    echo "     $((SECONDS - from)) s"
done <<< "$(rows)"
finish

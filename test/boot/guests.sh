#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# guests.sh [WORD...] - whole images with guests, on every machine and by every way in, through tools/boot.sh and judged by
# its console and status. Only rows whose name has all WORDs; FULL=1: Linux does its whole work in every row, slow ones
# (which WORDs may choose as well) included; JOBS=n: so many machines at a time. On the interpreter where a row
# does not say otherwise; MODE=jit turns that round. Ends in `N passed, N failed`. shows: R3 R42 R45
set -u
cd "$(dirname "$0")/../.." || exit 1
. test/boot/judge.sh
PATH=$PATH:/usr/sbin # sfdisk
export BUILD=${BUILD:-build} CMDLINE VCPUS MODE=${MODE:-interpreter}
jobs=${JOBS:-$(nproc)}
persist='console=ttyS0 hv.disk=keep:over-the-reboot hv.poweroff'

# name | words for boot.sh | what
rows() {
    cat <<'END'
x86_64 q35 ELF demo, 1 vCPU               | MACHINE=q35 VCPUS=1                            | demo
x86_64 q35 ELF demo, 4 vCPUs, 1 core      | MACHINE=q35 VCPUS=4 CORES=1                    | demo
x86_64 pc ELF demo, 2 vCPUs               | MACHINE=pc VCPUS=2                             | demo
x86_64 microvm ELF demo, 2 vCPUs          | MACHINE=microvm VCPUS=2                        | demo
x86_64 microvm ELF demo, 4 vCPUs, 4 cores | MACHINE=microvm VCPUS=4 CORES=4                | demo
x86_64 q35 ELF demo, plain CPU, 3G        | MACHINE=q35 VCPUS=2 CPU=qemu64 HOSTMEM=3G      | demo
x86_64 q35 ISO BIOS demo, 1 vCPU          | MACHINE=q35 IMAGE=iso VCPUS=1                  | demo
x86_64 pc ISO BIOS demo, 4 vCPUs          | MACHINE=pc IMAGE=iso VCPUS=4                   | demo
x86_64 q35 ISO UEFI demo, 2 vCPUs         | MACHINE=q35 IMAGE=iso FIRMWARE=uefi VCPUS=2    | demo
x86_64 Bochs ISO demo, 2 vCPUs, 1 core    | EMULATOR=bochs VCPUS=2 CORES=1                 | demo
x86_64 q35 ELF demo, JIT, 4 vCPUs, 2 cores | MACHINE=q35 VCPUS=4 CORES=2 MODE=jit            | demo
aarch64 GICv3 demo, JIT, 4 vCPUs, 2 cores | HOST=aarch64 GIC=3 VCPUS=4 CORES=2 MODE=jit    | demo
aarch64 EL1 demo, JIT, 2 vCPUs            | HOST=aarch64 GIC=2 EL=1 VCPUS=2 MODE=jit       | demo
aarch64 EL2 GICv2 demo, 1 vCPU            | HOST=aarch64 GIC=2 VCPUS=1                     | demo
aarch64 EL2 GICv3 demo, 4 vCPUs, 1 core   | HOST=aarch64 GIC=3 VCPUS=4 CORES=1             | demo
aarch64 EL1 GICv2 demo, 4 vCPUs           | HOST=aarch64 GIC=2 EL=1 VCPUS=4 CORES=4        | demo
aarch64 EL1 GICv3 demo, 2 vCPUs           | HOST=aarch64 GIC=3 EL=1 VCPUS=2 CPU=max        | demo
aarch64 zcu102 demo, 4 vCPUs, 4 cores     | HOST=aarch64 MACHINE=zcu102 VCPUS=4 CORES=4    | demo
aarch64 zcu102 EL1 demo, 2 vCPUs, 1 core  | HOST=aarch64 MACHINE=zcu102 EL=1 VCPUS=2 CORES=1 | demo
aarch64 raspi3b demo, 4 vCPUs, 4 cores    | HOST=aarch64 MACHINE=raspi3b VCPUS=4           | demo
aarch64 UEFI ACPI demo, 2 vCPUs           | HOST=aarch64 FIRMWARE=uefi TABLES=acpi VCPUS=2 CORES=4 | demo
aarch64 UEFI ACPI GICv2 EL1 demo, 1 core  | HOST=aarch64 FIRMWARE=uefi TABLES=acpi GIC=2 EL=1 VCPUS=2 CORES=1 CPU=max | demo
aarch64 UEFI device tree demo, 4 vCPUs    | HOST=aarch64 FIRMWARE=uefi TABLES=dtb GIC=2 VCPUS=4 CORES=2 | demo
aarch64 UEFI device tree EL1 demo, 3 cores | HOST=aarch64 FIRMWARE=uefi TABLES=dtb EL=1 VCPUS=2 CORES=3 IMAGE=img | demo
x86_64 q35 ELF conformance, 4 harts       | MACHINE=q35 VCPUS=4                            | conform
aarch64 GICv3 conformance, 2 harts        | HOST=aarch64 GIC=3 VCPUS=2                     | conform
x86_64 q35 ELF Linux whole, 2 vCPUs       | MACHINE=q35 VCPUS=2                            | full
aarch64 GICv3 Linux whole, 2 vCPUs        | HOST=aarch64 GIC=3 VCPUS=2                     | full
x86_64 q35 ELF Linux, 1 vCPU              | MACHINE=q35 VCPUS=1                            | light
x86_64 q35 ISO Linux, 1 vCPU              | MACHINE=q35 IMAGE=iso VCPUS=1                  | light
x86_64 q35 ISO UEFI Linux, 2 vCPUs        | MACHINE=q35 IMAGE=iso FIRMWARE=uefi VCPUS=2    | light
x86_64 microvm ELF Linux, 1 vCPU          | MACHINE=microvm VCPUS=1                        | light
x86_64 microvm ELF Linux, 2 vCPUs         | MACHINE=microvm VCPUS=2                        | light
aarch64 GICv2 Linux, 1 vCPU               | HOST=aarch64 GIC=2 VCPUS=1                     | light
aarch64 GICv2 Linux, 2 vCPUs, 1 core      | HOST=aarch64 GIC=2 VCPUS=2 CORES=1             | light
aarch64 GICv3 Linux, 1 vCPU               | HOST=aarch64 GIC=3 VCPUS=1                     | light
aarch64 UEFI ACPI Linux, 1 vCPU           | HOST=aarch64 FIRMWARE=uefi VCPUS=1             | light
aarch64 UEFI tree Linux, 2 vCPUs          | HOST=aarch64 FIRMWARE=uefi TABLES=dtb VCPUS=2  | slow
aarch64 zcu102 Linux, 1 vCPU              | HOST=aarch64 MACHINE=zcu102 VCPUS=1            | slow
aarch64 raspi3b Linux, 1 vCPU             | HOST=aarch64 MACHINE=raspi3b VCPUS=1           | slow
x86_64 q35 ELF Linux, JIT, 1 vCPU         | MACHINE=q35 VCPUS=1 MODE=jit                   | slow
aarch64 GICv3 Linux, JIT, 1 vCPU          | HOST=aarch64 GIC=3 VCPUS=1 MODE=jit            | slow
x86_64 q35 disk over a reboot             | MACHINE=q35 VCPUS=1                            | disk
x86_64 microvm disk image over a reboot   | MACHINE=microvm VCPUS=1                        | overlay
aarch64 disk over a reboot                | HOST=aarch64 VCPUS=1                           | disk
x86_64 q35 Linux on host:0p2, PCI         | MACHINE=q35 VCPUS=1 HOSTBUS=pci                | partition
x86_64 microvm Linux on host:0p2, MMIO    | MACHINE=microvm VCPUS=2                        | slow-partition
aarch64 Linux on host:0p2, PCI            | HOST=aarch64 VCPUS=1 HOSTBUS=pci               | slow-partition
aarch64 Linux on host:0p2, MMIO           | HOST=aarch64 VCPUS=1 HOSTBUS=mmio              | partition
x86_64 U-Boot answers version             | VCPUS=1                                        | uboot
x86_64 ISO U-Boot answers version         | IMAGE=iso VCPUS=1                              | uboot
aarch64 U-Boot answers version            | HOST=aarch64 VCPUS=1                           | uboot
x86_64 OpenSBI starts U-Boot              | VCPUS=1                                        | opensbi
aarch64 OpenSBI starts U-Boot             | HOST=aarch64 VCPUS=1                           | opensbi
x86_64 run: a prompt, help, Ctrl-A x      | MACHINE=q35                                    | prompt
x86_64 microvm run: prompt                | MACHINE=microvm                                | prompt
aarch64 run: a prompt, help, Ctrl-A x     | HOST=aarch64                                   | prompt
aarch64 UEFI run: a prompt, Ctrl-A x      | HOST=aarch64 FIRMWARE=uefi                     | prompt
aarch64 zcu102 run: a prompt, Ctrl-A x    | HOST=aarch64 MACHINE=zcu102                    | prompt
aarch64 raspi3b run: a prompt, Ctrl-A x   | HOST=aarch64 MACHINE=raspi3b                   | prompt
x86_64 no module: monitor, demo guests    |                                               | embedded
aarch64 no module: monitor, demo guests   | HOST=aarch64                                   | embedded
aarch64 raspi3b no module: monitor        | HOST=aarch64 MACHINE=raspi3b                   | embedded
x86_64 monitor: every command             | MACHINE=q35                                    | commands
aarch64 monitor: every command            | HOST=aarch64                                   | commands
x86_64 monitor: events, reboot            | MACHINE=q35                                    | reboot
aarch64 monitor: events, reboot           | HOST=aarch64                                   | reboot
x86_64 monitor beside hostile guests      | MACHINE=q35                                    | scene
aarch64 monitor beside hostile guests     | HOST=aarch64                                   | scene
x86_64 20 lives                           | MACHINE=q35                                    | cycles
aarch64 20 lives                          | HOST=aarch64                                   | cycles
END
}

# boots NAME GUEST PATTERN...: ends with status 0, and every pattern in the console
boots() {
    local name=$1 guest=$2 status=0; shift 2
    TIMEOUT=${TIMEOUT:-900} tools/boot.sh boot "$guest" > "$out" 2>&1 || status=$?
    [ "$status" = 0 ] || { fail "$name" "status $status"; return; }
    judge "$name" '^hospes: status 0' "$@"
}

# gpt FILE: 8 MiB of the letter h, over it a table with two partitions; the second is 2 MiB of zeroes at 4 MiB
gpt() {
    head -c 8M /dev/zero | tr '\0' h > "$1"
    printf 'label: gpt\nunit: sectors\n1 : start=2048, size=2048, name=other\n2 : start=8192, size=4096, name=guest\n' | sfdisk -q "$1"
    dd if=/dev/zero of="$1" bs=1M seek=4 count=2 conv=notrunc status=none
}
# only_partition FILE: nothing but the second partition was written, and that was
only_partition() {
    local fresh=$1.fresh
    gpt "$fresh"
    # the headers' own identifiers differ from disk to disk: what lies between the tables counts
    cmp <(dd if="$1" bs=1M skip=1 count=3 status=none) <(dd if="$fresh" bs=1M skip=1 count=3 status=none) &&
        cmp <(dd if="$1" bs=1M skip=6 count=1 status=none) <(dd if="$fresh" bs=1M skip=6 count=1 status=none) &&
        ! cmp -s <(dd if="$1" bs=1M skip=4 count=2 status=none) <(head -c 2M /dev/zero)
}
# types NAME COMMAND... -- {PATTERN KEYS}...: test/boot/type.exp comes through
types() {
    local name=$1 status=0; shift
    test/boot/type.exp 200 "$@" > "$out" 2>&1 || status=$?
    [ "$status" = 0 ] || { fail "$name" "status $status"; return; }
    judge "$name"
}
# plays NAME SUITE WORD...: a suite of test/monitor is content
plays() {
    local name=$1 suite=$2; shift 2
    if test/monitor/"$suite" "$@" > "$out" 2>&1; then judge "$name" '^1 passed, 0 failed'; else fail "$name" "$suite"; fi
}
at_prompt=('demo> ' 'help\r' 'the virtio disk.*demo> ' 'echo [keys]\r' '\n\[keys\].*demo> ' '\x01x')
at_monitor=('hospes> ' 'vm li\t\r' 'demo3 +running.*hospes> ' 'attach demo2\r' 'demo> ' 'echo [keys]\r' '\n\[keys\].*demo> ' '\x1dm'
            'hospes> ' 'vm pause demo1\r' 'demo1 is paused.*hospes> ' 'poweroff\r')
until_reboot=('hospes> ' 'events follow\r' 'hospes> ' 'vm pause demo3\r' 'demo3 +[0-9]+ vm.paused.*hospes> ' 'reboot\r')
in_uboot=('Hit any key' ' ' '=> ' 'version\r' 'riscv64-linux-gnu-gcc.*=> ' '\x01x')

one() {
    local name=$1 what=$2 host=${HOST:-x86_64} verdict
    out=$out.$BASHPID
    what=${what#slow-}
    [ "$what" != slow ] || what=light
    [ "$what" != light ] || [ -z "${FULL:-}" ] || what=full
    case $what in
    demo)    boots "$name" demo-riscv64 '^DEMO-OK' ;;
    conform) boots "$name" conform-riscv64 '^CONFORM-OK' ;;
    light)   CMDLINE='console=ttyS0 hv.work=light hv.poweroff'
             boots "$name" linux-riscv64 "GUEST-READY riscv64 $VCPUS " 'GUEST-WORK-OK fails=0' 'ok +blk' ;;
    full)    CMDLINE='console=ttyS0 hv.work hv.poweroff'
             boots "$name" linux-riscv64 "GUEST-READY riscv64 $VCPUS " 'GUEST-WORK-OK fails=0' 'ok +blk' ;;
    disk)    CMDLINE=$persist
             boots "$name" linux-riscv64 'GUEST-DISK-WRITTEN over' 'vm linux-riscv64 reboots' 'GUEST-DISK-OK over' ;;
    overlay) CMDLINE=$persist
             dd if=/dev/zero of="$out.image" bs=1M count=2 status=none
             DISK=image:$out.image boots "$name" linux-riscv64 'GUEST-DISK-WRITTEN over' 'vm linux-riscv64 reboots' 'GUEST-DISK-OK over' ;;
    partition) CMDLINE=$persist
             gpt "$out.disk"
             verdict=$(HOSTDISK=$out.disk DISK=host:0p2 boots "$name" linux-riscv64 'GUEST-DISK-WRITTEN over' 'vm linux-riscv64 reboots' 'GUEST-DISK-OK over')
             [[ $verdict != ok* ]] || only_partition "$out.disk" || { fail "$name" 'written outside host:0p2, or not at all'; return; }
             echo "$verdict" ;;
    uboot)   types "$name" tools/boot.sh run uboot-riscv64 -- "${in_uboot[@]}" ;;
    opensbi) types "$name" tools/boot.sh run opensbi-riscv64 -- 'OpenSBI v' '' "${in_uboot[@]}" ;;
    commands) plays "$name" commands.sh "$BUILD" "$host" ;;
    reboot)  types "$name" tools/boot.sh run demo -- "${until_reboot[@]}" ;;
    scene)   plays "$name" scene.sh "$BUILD" "$host" demo ;;
    cycles)  plays "$name" cycles.sh "$BUILD" "$host" 20 ;;
    prompt)  types "$name" tools/boot.sh run demo-riscv64 -- "${at_prompt[@]}" ;;
    embedded)
        case $host in
        x86_64)  set -- qemu-system-x86_64 -M q35 -cpu max -kernel "$BUILD/x86_64/hospes.elf" ;;
        aarch64) set -- qemu-system-aarch64 -M virt,virtualization=on -cpu cortex-a57 -kernel "$BUILD/aarch64/hospes.elf" ;;
        esac
        set -- "$@" -smp 2 -m 512
        [ "${MACHINE:-}" != raspi3b ] || set -- qemu-system-aarch64 -M raspi3b -kernel "$BUILD/aarch64/hospes.img"
        types "$name" "$@" -display none -serial mon:stdio -net none -no-reboot -- "${at_monitor[@]}" ;;
    esac
}

begin=$SECONDS number=0
while IFS='|' read -r name words what; do
    name=$(echo $name)
    [[ $what != *slow* || $# -gt 0 || -n ${FULL:-} ]] || continue
    for word; do case $name in *"$word"*) ;; *) continue 2 ;; esac; done
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    number=$((number + 1))
    { ( from=$SECONDS; for word in $words; do export "${word?}"; done
        one "$name" $what; echo "     $((SECONDS - from)) s" ) > "$tmp/verdict.$number" 2>&1
      cat "$tmp/verdict.$number"; } < /dev/null &
done <<< "$(rows)"
wait
passed=$(cat "$tmp"/verdict.* | grep -c '^ok ') failed=$((number - passed))
finish

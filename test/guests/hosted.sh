#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hosted.sh BUILD [WORD] - real guests in the hypervisor as a process, judged by their consoles and exit statuses: the demo
# kernel, the conformance firmware, Linux (ours and Debian's), U-Boot, OpenSBI. With WORD only the tests whose name has it.
# Ends in `N passed, N failed`. shows: R3 R42 R44 R45
set -u
. "$(dirname "$0")/../boot/judge.sh"
build=$(realpath "$1") only=${2:-}
hospes=$build/hosted/hospes talk=$build/test/talk guests=$build/guests
linux=$guests/linux-riscv64 debian=$guests/debian-riscv64 demo=$guests/demo-riscv64 conform=$guests/conform-riscv64
uboot=$guests/uboot-riscv64/kernel opensbi=$guests/opensbi-riscv64/firmware
seconds=120

wanted() { [[ $1 == *$only* ]]; }

# run NAME STATUS ARGUMENT... [-- PATTERN...]: a run without keys; its exit status, the patterns on its console
run() {
    local name=$1 want=$2 arguments=() status
    wanted "$name" || return 0
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do arguments+=("$1"); shift; done
    [ $# = 0 ] || shift
    timeout -k 5 $((seconds + 10)) "$hospes" run --timeout "$seconds" "${arguments[@]}" < /dev/null > "$out" 2>&1
    status=$?
    if [ $status = "$want" ]; then judge "$name" "$@"; else fail "$name" "status $status, not $want"; fi
}

# typed NAME STATUS ARGUMENT... -- {PATTERN KEYS}... [-- PATTERN...]: the same at a terminal
typed() {
    local name=$1 want=$2 before=() status
    wanted "$name" || return 0
    shift 2
    while [ "$1" != -- ]; do before+=("$1"); shift; done
    before+=("$1"); shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do before+=("$1"); shift; done
    [ $# = 0 ] || shift
    timeout -k 5 $((seconds + 10)) "$talk" "$seconds" "$hospes" run "${before[@]}" > "$out" 2>&1
    status=$?
    if [ $status = "$want" ]; then judge "$name" "$@"; else fail "$name" "status $status, not $want"; fi
}

# A program for the bare machine that writes WORD to the test finisher: lui t0,0x100; lui t1; addi t1; sw t1,(t0); j .
finisher_program() {
    local high=$((($1 + 0x800) >> 12 & 0xfffff)) low=$(($1 & 0xfff)) word
    for word in 0x001002b7 $((high << 12 | 0x337)) $((low << 20 | 0x30313)) 0x0062a023 0x0000006f; do
        printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((word & 255)) $((word >> 8 & 255)) $((word >> 16 & 255)) $((word >> 24 & 255)))"
    done
}

# ---- the demo kernel, and the machine seen from M-mode ----------------------------------------------------------------
for vcpus in 1 2 4 8; do
    run "demo, $vcpus vCPUs" 0 "$demo/vm.conf" --mode interpreter --vcpus $vcpus --cmdline autotest -- "riscv64: $vcpus harts?," DEMO-OK 'powered off'
done
run "demo, 8 vCPUs on one core" 0 "$demo/vm.conf" --mode interpreter --vcpus 8 --cores 1 --cmdline autotest -- 'riscv64: 8 harts' DEMO-OK
run "demo, ELF, no disk" 0 --kernel "$demo/kernel.elf" --memory 32M --cmdline autotest -- DEMO-OK
typed "demo at the prompt" 0 "$demo/vm.conf" -- 'demo> ' 'help\r' 'switch the machine off' 'disk write 7 salve\r' 'demo> ' 'disk read 7\r' \
    'salve.*' 'trap ill\r' 'illegal' 'reboot\r' 'Type help' '' 'demo> ' 'poweroff\r' -- 'powered off'
typed "demo, Ctrl-] q ends everything" 130 "$demo/vm.conf" -- 'demo> ' '\x1dq' -- 'demo: stopped'
for vcpus in 1 2 4; do
    run "conformance, $vcpus harts" 0 "$conform/vm.conf" --vcpus $vcpus -- '^CONFORM-OK' '^ok harts.online'
    ! wanted "conformance, $vcpus harts" || ! grep -a tolerated "$out" || fail "conformance, $vcpus harts" "a deviation from the specification in"
done
run "conformance, ELF" 0 --firmware "$conform/firmware.elf" --memory 64M -- '^CONFORM-OK'

# ---- ends ------------------------------------------------------------------------------------------------------------
finisher_program $((42 << 16 | 0x3333)) > "$tmp/forty-two"
finisher_program $((0x5555)) > "$tmp/pass"
printf '\x6f\0\0\0' > "$tmp/spin"
run "the finisher's code, M-mode" 42 --firmware "$tmp/forty-two" --memory 16M -- 'guest: .*42'
run "the finisher's code, S-mode" 42 --kernel "$tmp/forty-two" --memory 16M -- 'guest: .*42'
run "the finisher's pass" 0 --firmware "$tmp/pass" --memory 16M -- 'guest: powered off'
run "a guest that spins meets the timeout" 124 --kernel "$tmp/spin" --memory 16M --timeout 1 -- 'not done after 1 s'
printf '[vm one]\nkernel = %s\nmemory = 16M\n[vm two]\nkernel = %s\nmemory = 16M\n' "$tmp/forty-two" "$tmp/pass" > "$tmp/two.conf"
run "two VMs, the one that fails decides" 42 "$tmp/two.conf" -- 'one: .*42' 'two: powered off'
run "stats are written" 0 --firmware "$tmp/pass" --memory 16M --stats "$tmp/stats.json" --
! wanted "stats are written" || grep -q '"vcpus"' "$tmp/stats.json" || fail "stats are written" "no vcpus in stats.json"

# ---- refusals: status 1 and one line that says why --------------------------------------------------------------------
gzip -c "$demo/kernel" > "$tmp/kernel.gz"
run "refused: no such file" 1 --kernel "$tmp/nothing" -- 'No such file'
run "refused: a compressed kernel" 1 --kernel "$tmp/kernel.gz" -- 'compressed with gzip'
run "refused: an ELF of this machine" 1 --kernel "$hospes" -- 'another architecture'
run "refused: a kernel larger than RAM" 1 --kernel "$linux/kernel" --memory 4M -- 'does not fit'
run "refused: an unknown option" 2 --kernal x -- "--kernal: no such option"
printf '[vm bad]\nkernel = kernel\nvcpus = many\n' > "$tmp/bad.conf"
run "refused: a wrong value, with its line" 1 "$tmp/bad.conf" -- 'bad.conf:3: vcpus.*many'

# ---- Linux -----------------------------------------------------------------------------------------------------------
ready() { echo "^GUEST-READY riscv64 $1 "; }
work='^GUEST-WORK-OK'
base=(--kernel "$linux/kernel" --initrd "$linux/initrd" --memory 128M)
for vcpus in 1 2; do
    run "linux, $vcpus vCPUs, whole workload" 0 "$linux/vm.conf" --mode interpreter --vcpus $vcpus -- "$(ready $vcpus)" "$work" 'ok   blk' 'ok   rng' 'powered off'
done
for vcpus in 1 2 4; do
    run "linux, JIT, $vcpus vCPUs, whole workload" 0 "$linux/vm.conf" --vcpus $vcpus --mode jit -- "$(ready $vcpus)" "$work" 'ok   blk' 'ok   rng' 'powered off'
done
run "linux, audit" 0 "${base[@]}" --audit --stats "$tmp/audit.json" --cmdline "console=ttyS0 hv.poweroff" -- "$(ready 1)" 'powered off'
! wanted "linux, audit" || grep -q '"audit":{"pieces":[0-9]\{6,\},' "$tmp/audit.json" || fail "linux, audit" "no count of pieces in stats.json"
run "conformance, audit" 0 "$conform/vm.conf" --vcpus 1 --audit -- '^CONFORM-OK'
run "conformance, JIT, 4 harts" 0 "$conform/vm.conf" --vcpus 4 --mode jit -- '^CONFORM-OK' '^ok harts.online'
run "linux, 4 vCPUs" 0 "${base[@]}" --vcpus 4 --cmdline "console=ttyS0 hv.work=light hv.poweroff" --disk ram:16M -- "$(ready 4)" "$work"
run "linux, 8 vCPUs on one core" 0 "${base[@]}" --vcpus 8 --cores 1 --cmdline "console=ttyS0 hv.work=light hv.poweroff" -- "$(ready 8)" "$work"
run "linux, vmlinux (ELF)" 0 --kernel "$linux/vmlinux" --initrd "$linux/initrd" --cmdline "console=ttyS0 hv.work=light hv.poweroff" -- "$(ready 1)" "$work"
run "linux, 32 MiB" 0 "${base[@]}" --memory 32M --cmdline "console=ttyS0 hv.poweroff" -- "$(ready 1)" 'powered off'
run "linux, Svade, no Sstc" 0 "${base[@]}" --vcpus 2 --option ad=svade --option sstc=off --cmdline "console=ttyS0 hv.work=light hv.poweroff" -- "$(ready 2)" "$work"
run "linux reboots, a RAM disk keeps" 0 "${base[@]}" --disk ram:2M --cmdline "console=ttyS0 hv.disk=keep:ave hv.poweroff" \
    -- '^GUEST-DISK-WRITTEN ave' '^GUEST-REBOOT' '^GUEST-DISK-OK ave' 'powered off'

truncate -s 8M "$tmp/disk"
run "a disk file is written" 0 "${base[@]}" --disk "file:$tmp/disk" --cmdline "console=ttyS0 hv.disk=write:vale hv.poweroff" -- '^GUEST-DISK-WRITTEN vale'
run "a disk file is found by the next process" 0 "${base[@]}" --disk "$tmp/disk" --cmdline "console=ttyS0 hv.disk=check:vale hv.poweroff" -- '^GUEST-DISK-OK vale'
before=$(sha256sum < "$tmp/disk")
unchanged() { ! wanted "$1" || [ "$(sha256sum < "$tmp/disk")" = "$before" ] || fail "$1" "the file has changed under"; }
run "a read-only disk refuses" 0 "${base[@]}" --disk "$tmp/disk,ro" --cmdline "console=ttyS0 hv.disk=write:no hv.disk=check:vale hv.poweroff" \
    -- '^GUEST-DISK-FAIL no' '^GUEST-DISK-OK vale'
unchanged "a read-only disk refuses"
run "a disk image's overlay takes writes" 0 "${base[@]}" --disk "image:$tmp/disk" \
    --cmdline "console=ttyS0 hv.disk=check:vale hv.disk=write:over hv.disk=check:over hv.poweroff" -- '^GUEST-DISK-OK vale' '^GUEST-DISK-OK over'
unchanged "a disk image's overlay takes writes"

# Two machines on the switch: echoes both ways, a text of 1.3 MB by TCP; one of them with several queues.
if wanted "two Linux guests on the switch" || wanted "two Linux guests in two processes"; then
    printf '[vm %s]\nmemory = 64M\nmode = jit\nkernel = %s\ninitrd = %s\ncmdline = console=ttyS0 %s\nnet = switch%s\n' \
        one "$linux/kernel" "$linux/initrd" 'hv.give hv.ping=10.0.0.1/10.0.0.2' '' > "$tmp/net.conf"
    printf '[vm %s]\nmemory = 64M\nvcpus = 2\nmode = jit\nkernel = %s\ninitrd = %s\ncmdline = console=ttyS0 %s\nnet = switch%s\n' \
        two "$linux/kernel" "$linux/initrd" 'hv.ping=10.0.0.2/10.0.0.1 hv.take=10.0.0.1' ',queues=2' >> "$tmp/net.conf"
    printf 'wait %s "GUEST-%s" 300\n' one PING two PING two TAKE > "$tmp/net.script"
    printf 'info net\npoweroff\n' >> "$tmp/net.script"
fi
run "two Linux guests on the switch" 0 "$tmp/net.conf" --monitor --script "$tmp/net.script" --timeout 600 \
    -- 'GUEST-PING-OK 10.0.0.1' 'GUEST-PING-OK 10.0.0.2' 'GUEST-TAKE-OK 10.0.0.1' '^one.0 .* 0 +0$' '^two.0 .* 0 +0$' 'commands, 0 failed'

# The same two in two processes, joined by a socket.
if wanted "two Linux guests in two processes"; then
    sed '/^net/q' "$tmp/net.conf" > "$tmp/net1.conf"
    sed -n '/^.vm two/,$p' "$tmp/net.conf" > "$tmp/net2.conf"
    printf 'wait two "GUEST-TAKE" 300\npoweroff\n' > "$tmp/net2.script"
    timeout -k 5 700 "$hospes" run "$tmp/net1.conf" --monitor --uplink listen:0 < /dev/null > "$tmp/net1.out" 2>&1 &
    first=$! port=
    for _ in {1..300}; do
        port=$(sed -n 's/.*uplink: at 127.0.0.1:\([0-9]*\).*/\1/p' "$tmp/net1.out")
        [ -z "$port" ] || break
        sleep 0.2
    done
fi
run "two Linux guests in two processes" 0 "$tmp/net2.conf" --monitor --script "$tmp/net2.script" --uplink connect:${port:-1} --timeout 600 \
    -- 'GUEST-PING-OK 10.0.0.1' 'GUEST-TAKE-OK 10.0.0.1'
[ -z "${first:-}" ] || { kill $first; wait $first; } 2> /dev/null

# No initrd: the root is an ext2 file system on the disk.
if wanted "linux, root on a disk, no initrd"; then
    mkdir "$tmp/root"
    (cd "$tmp/root" && gzip -dc "$linux/initrd" | cpio -idm --quiet --no-absolute-filenames --no-preserve-owner 'bin*' init proc sys tmp dev lib)
    PATH=$PATH:/sbin mke2fs -q -t ext2 -d "$tmp/root" "$tmp/root.ext2" 8M > "$tmp/mke2fs.log" 2>&1 || { cp "$tmp/mke2fs.log" "$out"; fail "an ext2 image" "mke2fs"; }
fi
run "linux, root on a disk, no initrd" 0 --kernel "$linux/kernel" --disk "$tmp/root.ext2" --cmdline "console=ttyS0 root=/dev/vda init=/init hv.poweroff" \
    -- 'VFS: Mounted root \(ext2' "$(ready 1)" 'powered off'

for mode in sv39 sv48 sv57; do
    typed "linux with $mode page tables" 0 "${base[@]}" --cmdline console=ttyS0 --option mmu=$mode -- 'ends the guest' '\r' '# ' 'grep mmu /proc/cpuinfo\r' \
        "mmu.*: $mode" 'poweroff -f\r' -- 'powered off'
done
typed "linux at the shell, 2 vCPUs" 0 "$linux/shell.conf" --vcpus 2 -- 'ends the guest' '\r' '# ' 'echo sal""ve $((6 * 7))\r' 'salve 42' 'poweroff -f\r' -- 'powered off'

run "Debian's stock kernel, 2 vCPUs" 0 "$debian/vm.conf" --mode interpreter --vcpus 2 -- "$(ready 2)" "$work" 'ok   rng' 'powered off'
for pair in no4lvl:sv39 no5lvl:sv48; do
    typed "Debian's stock kernel, ${pair%:*}" 0 --kernel "$debian/kernel" --initrd "$debian/initrd" --memory 256M --cmdline "console=ttyS0 ${pair%:*}" \
        -- 'ends the guest' '\r' '# ' 'grep mmu /proc/cpuinfo\r' "mmu.*: ${pair#*:}" 'poweroff -f\r' -- 'powered off'
done

# ---- firmware --------------------------------------------------------------------------------------------------------
run "OpenSBI starts Linux, 2 harts" 0 --firmware "$opensbi" "${base[@]}" --vcpus 2 --disk ram:16M --cmdline "console=ttyS0 hv.work=light hv.poweroff" \
    -- '^OpenSBI v' "$(ready 2)" "$work" 'powered off'
typed "U-Boot answers version" 0 "$guests/uboot-riscv64/vm.conf" --mode interpreter -- 'Hit any key' ' ' '=> ' 'version\r' 'U-Boot 20[0-9]+.*' 'poweroff\r' -- 'powered off'
typed "OpenSBI starts U-Boot" 0 "$guests/opensbi-riscv64/vm.conf" --mode interpreter -- '^OpenSBI v' '' 'Hit any key' ' ' '=> ' 'version\r' 'U-Boot 20[0-9]+.*' 'poweroff\r' -- 'powered off'
finish

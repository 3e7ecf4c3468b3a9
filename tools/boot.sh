#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# boot.sh run|boot|words GUEST - starts a guest under Hospes: firmware in QEMU or Bochs, or the hosted process. `run` has
# the keyboard, `boot` needs none and ends with the guests' status, `words` only checks the words, which come from the
# environment (`make help` lists them). What was built is in $BUILD; GUESTS are those that make can build.
set -eu
how=$1 guest=$2
B=${BUILD:-build} HOST=${HOST:-x86_64} EMULATOR=${EMULATOR:-qemu}
dir=$B/guests/$guest
die() { echo "boot: $*" >&2; exit 1; }

# word NAME PATTERN HOSTS WHAT: the value must match, and the word must mean something on this host
word() {
    [ -n "${!1:-}" ] || return 0
    [[ " $3 " == *" $HOST "* ]] || die "$1 means nothing with HOST=$HOST (only: $3)"
    [[ ${!1} =~ ^($2)$ ]] || die "$1=${!1}? $4"
}
case $HOST in
x86_64)  machines='q35|pc|microvm' images='elf|iso' ;;
aarch64) machines='virt|zcu102|raspi3b' images='img|fat' ;;
*)       machines= images= ;;
esac
word HOST     'x86_64|aarch64|hosted' "$HOST" "One of x86_64, aarch64, hosted."
word EMULATOR 'qemu|bochs' 'x86_64 aarch64 hosted' "qemu or bochs."
word MACHINE  "$machines" 'x86_64 aarch64' "One of ${machines//|/, }."
word IMAGE    "$images" 'x86_64 aarch64' "One of ${images//|/, }."
firmwares='bios|uefi'; [ "$HOST" != aarch64 ] || firmwares=uefi
word FIRMWARE "$firmwares" 'x86_64 aarch64' "${firmwares/|/ or }."
word TABLES   'acpi|dtb' 'aarch64' "acpi or dtb: what firmware describes the machine by."
word CPU      '[a-z0-9A-Z].*' 'x86_64 aarch64' "A CPU model of the emulator."
word HOSTMEM  '[1-9][0-9]*[MG]?' 'x86_64 aarch64' "The machine's memory in MiB, or with M or G."
word GIC      '2|3' 'aarch64' "2 or 3."
word EL       '1|2' 'aarch64' "1 or 2: the exception level that the machine starts us at."
word CORES    '[1-9][0-9]*' 'x86_64 aarch64 hosted' "How many cores the host has."
word VCPUS    '[1-9][0-9]*' 'x86_64 aarch64 hosted' "How many vCPUs the guest has."
word TIMEOUT  '[1-9][0-9]*' 'x86_64 aarch64 hosted' "Seconds."
word MEMORY   '[1-9][0-9]*[KMG]?' 'x86_64 aarch64 hosted' "The guest's memory, as 256M."
word HOSTBUS  'pci|mmio' 'x86_64 aarch64' "pci or mmio: where the host's disks are."
word SCREEN   'none|gtk.*|sdl.*|curses|vnc=.*' 'x86_64 aarch64' "A display of QEMU's: gtk, sdl, curses, vnc=:1."
word MODE     'interpreter|auto|jit|hardware' 'x86_64 aarch64 hosted' "One of interpreter, auto, jit, hardware."
if [ "${FIRMWARE:-}" = uefi ] && [ "$HOST" = x86_64 ]; then
    [ "${IMAGE:-iso}" = iso ] || die "FIRMWARE=uefi starts an image for GRUB: not IMAGE=$IMAGE"
    IMAGE=iso
fi
if [ "$HOST" = aarch64 ]; then
    [ -z "${TABLES:-}" ] || [ "${FIRMWARE:-}" = uefi ] || die "TABLES are firmware's: only with FIRMWARE=uefi"
    [ "${IMAGE:-img}" = img ] || [ "${FIRMWARE:-}" = uefi ] || die "IMAGE=fat is what firmware boots: only with FIRMWARE=uefi"
    [ -z "${FIRMWARE:-}" ] || [ "${MACHINE:-virt}" = virt ] || die "FIRMWARE=uefi is for MACHINE=virt"
    [ -z "${FIRMWARE:-}" ] || IMAGE=${IMAGE:-fat}
fi
case $HOST,${MACHINE:-virt} in
aarch64,zcu102)
    [ -z "${GIC:-}${CPU:-}" ] || die "MACHINE=zcu102 has Cortex-A53 cores and a GICv2: no CPU, no GIC"
    [[ ${CORES:-1} =~ ^[1-4]$ ]] || die "CORES=$CORES? MACHINE=zcu102 has 1 to 4" ;;
aarch64,raspi3b)
    [ -z "${GIC:-}${CPU:-}${EL:-}" ] || die "MACHINE=raspi3b has Cortex-A53 cores, starts at EL2 and has no GIC: no CPU, no EL, no GIC"
    [ "${CORES:-4}" = 4 ] || die "CORES=$CORES? MACHINE=raspi3b has 4"
    [ "${HOSTMEM:-1024}" = 1024 ] || [ "$HOSTMEM" = 1G ] || die "HOSTMEM=$HOSTMEM? MACHINE=raspi3b has 1024" ;;
esac
case ${MACHINE:-} in
zcu102|raspi3b) [ -z "${HOSTDISK:-}${HOSTBUS:-}" ] || die "HOSTDISK needs a bus that we know: not with MACHINE=$MACHINE" ;;
esac
if [ "$EMULATOR" = bochs ]; then
    [ "$HOST" = x86_64 ] || die "EMULATOR=bochs is an x86 PC: not with HOST=$HOST"
    [ "$how" != run ] || die "EMULATOR=bochs has no keyboard for us: use make boot"
    [ "${IMAGE:-iso}" = iso ] || die "EMULATOR=bochs starts IMAGE=iso only"
    [ -z "${MACHINE:-}${FIRMWARE:-}" ] || die "EMULATOR=bochs has one machine, a PC with a BIOS: no MACHINE, no FIRMWARE"
fi
case $how,\ ${GUESTS:-}\  in
words,*\ "$guest"\ *) exit 0 ;;
esac
[ -f "$dir/vm.conf" ] || die "GUEST=$guest? One of ${GUESTS:-}, or a folder of $B/guests with a vm.conf in it"
[ "$how" != words ] || exit 0

conf=$dir/vm.conf
[ "$how" = boot ] || [ ! -f "$dir/shell.conf" ] || conf=$dir/shell.conf
case $guest,$how in demo,boot | demo-*,boot) CMDLINE=${CMDLINE:-autotest} ;; esac
case ${DISK:-} in
ram:*|'') ;;
host:*)   [ -n "${HOSTDISK:-}" ] || die "DISK=$DISK: add HOSTDISK=FILE, the host's disk" ;;
image:*)  [ -f "${DISK#image:}" ] || die "DISK=$DISK: there is no such file"
          DISK=image:$(realpath "${DISK#image:}") ;;
*)        [ "$HOST" = hosted ] || die "DISK=$DISK: firmware has ram:SIZE and image:FILE"
          DISK=file:$(realpath "${DISK#file:}") ;;
esac
# HOSTDISK=FILE[:FILE...]: disks of the host, host:0, host:1, ...; HOSTBUS=mmio: as virtio-mmio on a machine that has PCI too
hostwords=()
IFS=: read -r -a hostdisks <<< "${HOSTDISK:-}"
for i in "${!hostdisks[@]}"; do
    [ -f "${hostdisks[i]}" ] || die "HOSTDISK=${HOSTDISK}: there is no file ${hostdisks[i]} (one line makes it: truncate -s 64M ${hostdisks[i]})"
    hostdisks[i]=$(realpath "${hostdisks[i]}")
    hostwords+=(--host-disk "${hostdisks[i]}")
done
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT

# The description with the words applied to every VM in it; file names become absolute.
dir=$(realpath "$dir") vcpus=${VCPUS:-} mode=${MODE:-} memory=${MEMORY:-} cmdline=${CMDLINE:-} disk=${DISK:-} awk '
    BEGIN { count = split("vcpus mode memory cmdline disk", word) }
    /^[ \t]*\[/ { print; for (i = 1; i <= count; i++) if (ENVIRON[word[i]] != "") print word[i] " = " ENVIRON[word[i]]; next }
    match($0, /^[ \t]*[a-z_]+[ \t]*=[ \t]*/) {
        key = $0; sub(/^[ \t]*/, "", key); sub(/[ \t]*=.*/, "", key); value = substr($0, RLENGTH + 1)
        for (i = 1; i <= count; i++) if (key == word[i] && ENVIRON[key] != "") next
        if (key ~ /^(kernel|firmware|initrd)$/ && value !~ /^\//) value = ENVIRON["dir"] "/" value
        if (key == "disk" && value ~ /^(image|file):[^\/]/) sub(/:/, ":" ENVIRON["dir"] "/", value)
        print key " = " value; next
    }
    { print }' "$conf" > "$tmp/vm.conf"

if [ "$HOST" = hosted ]; then
    [ "$how" = run ] || { TIMEOUT=${TIMEOUT:-300}; exec < /dev/null; }
    status=0
    "$B/hosted/hospes" run "$tmp/vm.conf" "${hostwords[@]}" ${CORES:+--cores "$CORES"} ${TIMEOUT:+--timeout "$TIMEOUT"} || status=$?
    exit $status
fi

# Firmware: the bundle is the loader's module.
tools/mkbundle.sh "$tmp/bundle.cpio" "$tmp/vm.conf"
words=${HOSTWORDS:-}
[ "$how" = run ] || words="$words exit"
cores=${CORES:-2}

case $HOST,$EMULATOR in
*,bochs)
    GFXMODE=text tools/mkiso.sh "$B/x86_64/hospes.elf" "$tmp/boot.iso" "$words debug-exit" "$tmp/bundle.cpio"
    set -- tools/bochs.sh "${TIMEOUT:-300}" "$tmp/boot.iso" "$cores" "${HOSTMEM:-512}" ${CPU:+"$CPU"} ;;
x86_64,*)
    tools/need.sh qemu-system-x86_64
    set -- qemu-system-x86_64 -M "${MACHINE:-q35}" -accel tcg -cpu "${CPU:-max}" -smp "$cores" -m "${HOSTMEM:-1024}"
    if [ "${IMAGE:-elf}" = iso ]; then
        tools/mkiso.sh "$B/x86_64/hospes.elf" "$tmp/boot.iso" "$words" "$tmp/bundle.cpio"
        set -- "$@" -cdrom "$tmp/boot.iso" -boot d
        if [ "${FIRMWARE:-}" = uefi ]; then
            tools/need.sh ovmf
            set -- "$@" -bios /usr/share/ovmf/OVMF.fd
        fi
    else
        set -- "$@" -kernel "$B/x86_64/hospes.elf" -initrd "$tmp/bundle.cpio" -append "$words"
    fi ;;
aarch64,*)
    tools/need.sh qemu-system-aarch64
    level=on; [ "${EL:-2}" = 2 ] || level=off
    case ${MACHINE:-virt} in
    virt)    acpi=; [ "${TABLES:-acpi}" = acpi ] || acpi=,acpi=off
             set -- -M "virt,virtualization=$level,gic-version=${GIC:-3}$acpi" -cpu "${CPU:-cortex-a57}" -smp "$cores" -m "${HOSTMEM:-1024}" ;;
    zcu102)  set -- -M "xlnx-zcu102,virtualization=$level" -audiodev none,id=silent -smp "$cores" -m "${HOSTMEM:-1024}" ;;
    raspi3b) set -- -M raspi3b -smp 4 -m 1024 ;;
    esac
    set -- qemu-system-aarch64 "$@"
    if [ "${FIRMWARE:-}" = uefi ]; then
        tools/need.sh aavmf
        set -- "$@" -bios /usr/share/qemu-efi-aarch64/QEMU_EFI.fd
        case ${SCREEN:-none} in none) ;; *) set -- "$@" -device ramfb ;; esac
    fi
    if [ "${IMAGE:-img}" = fat ]; then                    # as SCSI: our own disks are virtio-blk, and keep their numbers
        tools/mkefi.sh "$B/aarch64/hospes.img" "$tmp/boot.fat" "$words" "$tmp/bundle.cpio"
        set -- "$@" -device virtio-scsi-pci -drive "if=none,id=boot,format=raw,readonly=on,file=$tmp/boot.fat" -device scsi-hd,drive=boot
    else
        set -- "$@" -kernel "$B/aarch64/hospes.img" -initrd "$tmp/bundle.cpio" -append "$words"
    fi ;;
esac
case $1 in qemu-*) set -- "$@" -display "${SCREEN:-none}" -serial mon:stdio -no-reboot ;; esac
case $1,${MACHINE:-} in qemu-*,zcu102) ;; qemu-*) set -- "$@" -net none ;; esac      # that board's network is soldered on
if [ -n "${HOSTDISK:-}" ]; then
    case $1 in qemu-*) ;; *) die "HOSTDISK means nothing with EMULATOR=$EMULATOR" ;; esac
    bus=${HOSTBUS:-pci} device=virtio-blk-pci
    [ "${MACHINE:-}" != microvm ] || bus=mmio
    [ "$bus" = pci ] || set -- "$@" -global virtio-mmio.force-legacy=false
    for i in "${!hostdisks[@]}"; do
        [ "$bus" = pci ] || device=virtio-blk-device,bus=virtio-mmio-bus.$((i + 1))    # 0: QEMU raises another pin than it says
        set -- "$@" -drive "if=none,id=hd$i,format=raw,cache=writeback,discard=unmap,file=${hostdisks[i]}" -device "$device,drive=hd$i,serial=hostdisk$i"
    done
fi
if [ "$how" = run ]; then
    status=0
    "$@" || status=$?
    exit $status
fi
case $1 in qemu-*) set -- timeout --foreground "${TIMEOUT:-300}" "$@" ;; esac

# The firmware's last line tells how the guests ended: "hospes: status N".
set +e
"$@" < /dev/null | tee "$tmp/log"
status=${PIPESTATUS[0]}
said=$(tr -d '\r' < "$tmp/log" | sed -nE 's/^hospes: status ([0-9]+)$/\1/p' | tail -n 1)
[ -z "$said" ] || exit "$said"
[ "$status" != 124 ] || { echo "boot: timeout after ${TIMEOUT:-300} s" >&2; exit 124; }
die "the machine ended (status $status) without a word on its guests"

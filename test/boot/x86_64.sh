#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# x86_64.sh FOLDER - boots FOLDER/selftest.{elf,iso} on QEMU's PC machines in several shapes, and on Bochs, which has what
# QEMU's emulation lacks: x2APIC and TSC deadline. Ends in `N passed, N failed`.
set -u
. "$(dirname "$0")/judge.sh"
folder=$1

# boot SECONDS QEMU-ARGUMENT...
boot() {
    seconds=$1; shift
    keys | timeout "$seconds" qemu-system-x86_64 -display none -serial stdio -monitor none -no-reboot -net none \
        -device isa-debug-exit,iobase=0xf4,iosize=4 "$@" > "$out" 2>&1
}
# bare SECONDS WORDS QEMU-ARGUMENT...: without a way to end but the machine's own, and with what is on stdin typed
bare() {
    seconds=$1 words=$2; shift 2
    ended=0
    timeout "$seconds" qemu-system-x86_64 -display none -serial mon:stdio -no-reboot -net none \
        -kernel "$folder/selftest.elf" -append "$words" "$@" > "$out" 2>&1 || ended=$?
}
# elf SECONDS WORDS QEMU-ARGUMENT...
elf() {
    seconds=$1 words=$2; shift 2
    boot "$seconds" -kernel "$folder/selftest.elf" -append "debug-exit $words" "$@"
}

whole='selftest: 0 failed'
for machine in q35 pc microvm; do
    elf 60 input -M $machine -cpu max -smp 4 -m 512 -initrd "$module"
    judge "$machine, ELF by PVH, 4 cores, module, input" "$whole" 'by PVH' 'cores 4' 'MODULE-o' 'input arrives' 'random source'
    elf 60 "" -M $machine -cpu qemu64 -smp 1 -m 128
    judge "$machine, plain CPU, 1 core, 128 MiB" "$whole" 'cores 1'
done
GFXMODE=text tools/mkiso.sh "$folder/selftest.elf" "$tmp/bochs.iso" debug-exit     # its terminal draws no graphics
tools/bochs.sh 120 "$tmp/bochs.iso" 2 256 > "$out" 2>&1
judge "Bochs, ISO by GRUB on BIOS, x2APIC, TSC deadline" "$whole" 'cores 2' ', x2APIC, ' 'TSC-deadline timer' 'VMX'
tools/bochs.sh 120 "$tmp/bochs.iso" 1 128 core2_penryn_t9600 > "$out" 2>&1
judge "Bochs, an old CPU, 1 core" "$whole" 'cores 1' ', xAPIC, ' 'APIC timer'
elf 60 "" -M q35 -cpu Haswell-v4,-x2apic -smp 2 -m 512
judge "q35, no x2APIC" "$whole" 'cores 2' 'xAPIC'
elf 90 "" -M q35 -cpu max -smp 8 -m 6G
judge "q35, 8 cores, 6 GiB: RAM above 4 GiB" "$whole" 'cores 8'
elf 60 "" -M microvm,pit=on,rtc=on,acpi=off -cpu max -smp 2 -m 512
judge "microvm without ACPI: the MP table" "$whole" 'cores 2'
for machine in q35 pc microvm; do
    bare 60 reboot -M $machine -cpu max -smp 1 -m 256 < /dev/null
    judge "$machine, reset" "$whole"
    is "$machine, reset ends the machine" "$ended" 0
    bare 60 "" -M $machine -cpu max -smp 2 -m 256 < /dev/null
    judge "$machine, power off by ACPI" "$whole"
    is "$machine, power off ends the machine" "$ended" 0
done
bare 10 "" -M q35 -cpu pentium3 -m 128 < /dev/null
judge "a CPU of 32 bits is told" 'Hospes needs a 64-bit CPU'
for machine in q35 pc; do
    boot 90 -M $machine -cpu max -smp 2 -m 512 -cdrom "$folder/selftest.iso" -boot d
    judge "$machine, ISO by GRUB on BIOS" "$whole" 'by Multiboot2' 'cores 2' 'MODULE-o'
done
boot 120 -M q35 -cpu max -smp 2 -m 512 -bios /usr/share/ovmf/OVMF.fd -cdrom "$folder/selftest.iso" -boot d
judge "q35, ISO by GRUB on UEFI" "$whole" 'by Multiboot2' 'cores 2' 'MODULE-o'
boot 120 -M q35 -cpu max -smp 2 -m 512 -bios /usr/share/ovmf/OVMF.fd -drive "file=$folder/selftest.iso,format=raw,if=virtio,readonly=on"
judge "q35, ISO as a USB-stick-like disk on UEFI" "$whole" 'by Multiboot2' 'cores 2'

# typed at the machine's monitor while the selftest waits for a key
while read -r name reason command; do
    { sleep 3; printf '\001c%s\n' "$command"; sleep 5; } | bare 30 "input" -M q35 -cpu max -smp 2 -m 256
    judge "$name in the middle of work" "panic on cpu [01]: $(echo "$reason" | tr _ ' ')" '#0 +0x[0-9a-f]+ [a-z_0-9]+[+]0x' halted
done <<EOF
NMI             NMI                 nmi
machine-check   #MC_machine_check   mce 0 1 0xb200000000000000 0x4 0 0
EOF

# word, first line of the panic, innermost function
while read -r word reason frame; do
    elf 30 "fault=$word" -M q35 -cpu max -smp 2 -m 256 < /dev/null
    judge_panic "fault $word" "$reason" "$frame"
done <<EOF
read        #PF_page_fault,_read,_not_present,_null_pointer     #0.*(fault|hospes_main)
write-code  #PF_page_fault,_write,_forbidden                    #0.*(fault|hospes_main)
write-const #PF_page_fault,_write,_forbidden                    #0.*(fault|hospes_main)
run-const   #PF_page_fault,_execute,_forbidden                  #0
run-stack   #PF_page_fault,_execute,_forbidden                  #0
run-data    #PF_page_fault,_execute,_forbidden                  #0
stack       #DF_double_fault                                    stack.overflow
undefined   #UD_invalid_opcode                                  #0
null-call   #PF_page_fault,_execute,_not_present,_null_pointer  0x0000000000000000
panic       on_purpose,_42                                      panic
EOF
finish

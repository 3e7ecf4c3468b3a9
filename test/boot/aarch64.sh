#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# aarch64.sh FOLDER - boots FOLDER/selftest.{elf,img} on QEMU's virt machine in several shapes, and on boards. Ends in `N passed, N failed`.
set -u
. "$(dirname "$0")/judge.sh"
folder=$1

# machine SECONDS QEMU-ARGUMENT...; boot SECONDS IMAGE QEMU-ARGUMENT...
machine() {
    seconds=$1; shift
    keys | timeout "$seconds" qemu-system-aarch64 -display none -serial stdio -monitor none -no-reboot "$@" > "$out" 2>&1
}
boot() {
    seconds=$1 image=$2; shift 2
    machine "$seconds" -kernel "$folder/$image" "$@"
}

whole='selftest: 0 failed'
for gic in 2 3; do
    boot 60 selftest.img -M virt,virtualization=on,gic-version=$gic -cpu cortex-a57 -smp 4 -m 512 -append input -initrd "$module"
    judge "EL2, GICv$gic, Image, 4 cores, module" "$whole" 'cores 4' "GICv$gic" 'running at EL2' 'MODULE-o' 'input arrives'
    boot 60 selftest.img -M virt,gic-version=$gic -cpu cortex-a57 -smp 2 -m 512
    judge "EL1, GICv$gic, Image" "$whole" 'cores 2' 'hardware virtualization off'
    boot 60 selftest.elf -M virt,virtualization=on,gic-version=$gic -cpu max -smp 2 -m 512
    judge "EL2, GICv$gic, ELF, newest CPU" "$whole" 'cores 2' 'by ELF' 'random source'
    boot 8 selftest.elf -M virt,virtualization=on,secure=on,gic-version=$gic -cpu cortex-a57 -smp 2 -m 512
    judge "EL3, GICv$gic, ELF, no firmware" "$whole" 'cores 1' 'running at EL2'
done
boot 60 selftest.img -M virt,virtualization=on -cpu cortex-a53 -smp 8 -m 4G
judge "8 cores, 4 GiB" "$whole" 'cores 8'
boot 60 selftest.img -M virt,virtualization=on -cpu cortex-a53 -smp 1 -m 128 -append reboot
judge "1 core, 128 MiB, reboot" "$whole" 'cores 1'

# By UEFI: tables of both kinds, words and module from the loader or from the volume.
uefi() {
    seconds=$1; shift
    machine "$seconds" -bios /usr/share/qemu-efi-aarch64/QEMU_EFI.fd -net none "$@"
}
volume="-device virtio-scsi-pci -drive if=none,id=boot,format=raw,readonly=on,file=$tmp/fat -device scsi-hd,drive=boot"
for gic in 2 3; do
    uefi 90 -M virt,virtualization=on,gic-version=$gic -cpu cortex-a57 -smp 4 -m 512 -kernel "$folder/selftest.img" -append input -initrd "$module"
    judge "UEFI, ACPI, EL2, GICv$gic, 4 cores, module" "$whole" 'cores 4' "GICv$gic" 'running at EL2, by UEFI' 'MODULE-o' 'input arrives'
    uefi 90 -M virt,acpi=off,gic-version=$gic -cpu max -smp 2 -m 3G -kernel "$folder/selftest.img" -append 'input reboot'
    judge "UEFI, device tree, EL1, GICv$gic, newest CPU, 3 GiB, reboot" "$whole" 'cores 2' 'started at EL1, by UEFI' 'on linux,dummy-virt' 'input arrives'
done
tools/mkefi.sh "$folder/selftest.img" "$tmp/fat" input "$module"
uefi 90 -M virt -cpu cortex-a57 -smp 1 -m 512 $volume
judge "UEFI, ACPI, from a volume" "$whole" 'cores 1' 'MODULE-o' 'input arrives'
uefi 20 -M virt -cpu cortex-a57 -m 512 -kernel "$folder/selftest.img" -append 'initrd=not.there' < /dev/null
judge "UEFI, the bundle that was named is missing" 'Hospes cannot start: the file that initrd= names is not there'
uefi 20 -M virt,virtualization=on -cpu cortex-a57 -m 512 -kernel "$folder/selftest.img" -append 'fault=write-const' < /dev/null
judge_panic "UEFI, fault write-const" 'data abort, write, permission' hospes_main

# Boards that bring no device tree.
for cores in 1 4; do
    boot 60 selftest.img -M xlnx-zcu102,virtualization=on -smp $cores -m 1G -append 'input reboot' -initrd "$module"
    judge "zcu102, $cores cores, EL2, module" "$whole" "cores $cores\>" 'on zcu102' GICv2 'running at EL2' 'MODULE-o' 'input arrives'
done
boot 60 selftest.img -M xlnx-zcu102 -smp 2 -m 512 -append input
judge "zcu102, 2 cores, EL1" "$whole" 'cores 2' 'hardware virtualization off' 'input arrives'
boot 60 selftest.img -M raspi3b -append 'input reboot no-clock' -initrd "$module"
judge "raspi3b, module" "$whole" 'cores 4' 'on raspi3b' 'running at EL2' 'random source' 'MODULE-o' 'input arrives'

# Pointers are set right wherever a loader puts us.
for at in 0x40400000 0x4a613000 0x57e00000; do
    machine 60 -M virt,virtualization=on -cpu cortex-a57 -smp 2 -m 512 \
        -device "loader,file=$folder/selftest.img,addr=$at,force-raw=on" -device "loader,addr=$at,cpu-num=0"
    judge "the image put at $at" "$whole" 'cores 2' 'running at EL2'
done

# word, first line of the panic, innermost function
while read -r word reason frame; do
    for level in on off; do
        boot 20 selftest.img -M virt,virtualization=$level -cpu cortex-a57 -smp 2 -m 256 -append "fault=$word" < /dev/null
        judge_panic "fault $word, virtualization=$level" "$reason" "$frame"
    done
done <<EOF
read        data_abort,_read,_translation                fault|hospes_main
write-code  data_abort,_write,_permission                fault|hospes_main
write-const data_abort,_write,_permission                fault|hospes_main
run-const   instruction_abort,_permission                #0
run-stack   instruction_abort,_permission                #0
run-data    instruction_abort,_permission                #0
stack       data_abort,_write,_translation,_level_3      stack.overflow
undefined   (BRK|unknown_instruction)                    #0
null-call   instruction_abort,_translation               0x0000000000000000
panic       on_purpose,_42                               panic
EOF
# RAM at 0 is no excuse for a null pointer.
for machine in xlnx-zcu102,virtualization=on raspi3b; do
    boot 20 selftest.img -M $machine -append fault=null-call < /dev/null
    judge_panic "fault null-call, $machine" 'instruction abort, translation' 0x0000000000000000
done
finish

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mkiso.sh ELF OUT.iso [CMDLINE [MODULE...]] - a GRUB image that boots ELF by Multiboot2 at once and without a word, on
# BIOS and on UEFI, from a CD or a USB stick. Modules follow in order; each is named after its file. GFXMODE: a screen
# mode of GRUB's (`1280x1024x16`, `text`), else the one that ELF asks for.
set -eu
[ $# -ge 2 ] || { echo "usage: mkiso.sh ELF OUT.iso [CMDLINE [MODULE...]]" >&2; exit 2; }
elf=$1 iso=$2 words=${3:-}
shift 2; [ $# -eq 0 ] || shift
here=$(dirname "$0")
"$here/need.sh" grub-mkrescue grub-pc-bin grub-efi-amd64-bin xorriso mtools
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/iso/boot/grub"
cp "$elf" "$tmp/iso/boot/hospes.elf"
{
    echo 'set timeout=0'
    echo 'set pager=0'
    echo 'insmod all_video'
    echo 'menuentry hospes {'
    echo "    multiboot2 /boot/hospes.elf $words"
    for module; do
        name=$(basename "$module")
        cp "$module" "$tmp/iso/boot/$name"
        echo "    module2 /boot/$name $name"
    done
    [ -z "${GFXMODE:-}" ] || echo "    set gfxpayload=$GFXMODE"        # multiboot2 has set it to what the ELF asks for
    echo '    boot'
    echo '}'
} > "$tmp/iso/boot/grub/grub.cfg"
grub-mkrescue -o "$tmp/out.iso" "$tmp/iso" --fonts= --locales= --themes= > "$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
mv "$tmp/out.iso" "$iso"

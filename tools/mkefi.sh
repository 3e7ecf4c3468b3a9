#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mkefi.sh IMAGE OUT.fat [CMDLINE [BUNDLE]] - a volume that UEFI of an AArch64 machine boots at once: IMAGE under the name
# that firmware looks for on removable media, and beside it CMDLINE and BUNDLE where the image looks for them. For a USB
# stick as it is, or as the system partition of a disk.
set -eu
[ $# -ge 2 ] && [ $# -le 4 ] || { echo "usage: mkefi.sh IMAGE OUT.fat [CMDLINE [BUNDLE]]" >&2; exit 2; }
image=$1 out=$2 words=${3:-} bundle=${4:-}
"$(dirname "$0")/need.sh" mtools
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
printf '%s\n' "$words" > "$tmp/words"
bytes=$(cat "$image" ${bundle:+"$bundle"} | wc -c)
megabytes=$((bytes / 1048576 + 48))                       # FAT32 has 65,525 clusters at least
truncate -s "${megabytes}M" "$tmp/fat"
mformat -i "$tmp/fat" -F -v HOSPES ::
mmd -i "$tmp/fat" ::/EFI ::/EFI/BOOT
mcopy -i "$tmp/fat" "$image" ::/EFI/BOOT/BOOTAA64.EFI
[ -z "$words" ] || mcopy -i "$tmp/fat" "$tmp/words" ::/EFI/BOOT/hospes.cmdline
[ -z "$bundle" ] || mcopy -i "$tmp/fat" "$bundle" ::/EFI/BOOT/hospes.cpio
mv "$tmp/fat" "$out"

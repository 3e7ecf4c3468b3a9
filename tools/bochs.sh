#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bochs.sh SECONDS ISO [CORES [MEMORY-MIB [CPU-MODEL]]] - starts the ISO on Bochs's PC with a BIOS; what comes out of the
# first serial port goes to stdout. Ends with 124 when the time is up; else by Bochs's whim (1 for a power off).
set -eu
[ $# -ge 2 ] || { echo "usage: bochs.sh SECONDS ISO [CORES [MEMORY-MIB [CPU-MODEL]]]" >&2; exit 2; }
"$(dirname "$0")/need.sh" bochs
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
cat > "$tmp/rc" <<END
config_interface: textconfig
display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
memory: guest=${4:-512}, host=${4:-512}
cpu: model=${5:-corei7_haswell_4770}, count=${3:-1}, ips=100000000, reset_on_triple_fault=0
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$2, status=inserted
boot: cdrom
clock: sync=none
com1: enabled=1, mode=file, dev=/dev/fd/3
log: $tmp/log
panic: action=fatal
error: action=ignore
END
printf 'c\nq\n' > "$tmp/debugger"
status=0
TERM=${TERM:-xterm} timeout -k 5 "$1" bochs -q -f "$tmp/rc" -rc "$tmp/debugger" 3>&1 > "$tmp/screen" 2>&1 < /dev/null || status=$?
if [ -f "$tmp/log" ]; then grep -a '>>PANIC<<' "$tmp/log" | grep -av 'shutdown requested' >&2 || :
else tail -n 3 "$tmp/screen" >&2; fi
exit $status

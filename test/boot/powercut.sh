#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# powercut.sh - the emulator is killed at random moments while events are appended (a guest that reboots without end) and
# another guest writes numbers to its partition and flushes. After each cut: the event log that comes back holds at least
# what was said to be safe, unbroken, and the very frame that was said last has the checksum that was said; and every
# number that the guest called safe is on its partition. COUNT=cuts (4), HOST=x86_64|aarch64, MACHINE as for make boot.
# Ends in `N passed, N failed`. shows: R11
set -u
cd "$(dirname "$0")/../.." || exit 1
. test/boot/judge.sh
export BUILD=${BUILD:-build} HOST=${HOST:-x86_64} MACHINE TMPDIR=$tmp HOSTDISK=$tmp/disk HOSTWORDS=loglevel=debug TIMEOUT=${TIMEOUT:-60}
PATH=$PATH:/usr/sbin
count=${COUNT:-4} RANDOM=${SEED:-$$} names=
guest=$BUILD/guests/powercut
stamp_at=2048 stamp_sectors=257 events_at=4096 events_sectors=2048

truncate -s 4M "$tmp/disk"
sfdisk -q "$tmp/disk" << END || exit 1
label: gpt
unit: sectors
1 : start=$stamp_at, size=$stamp_sectors, name=stamps
2 : start=$events_at, size=$events_sectors, name=events
END
mkdir -p "$guest"
# lui a7, 0x53525; addi a7, a7, 0x354; li a6, 0; li a0, 1; li a1, 0; ecall: SBI's cold reboot
printf '\xb7\x58\x52\x53\x93\x88\x48\x35\x13\x08\x00\x00\x13\x05\x10\x00\x93\x05\x00\x00\x73\x00\x00\x00\x6f\x00\x00\x00' > "$guest/storm"
cat > "$guest/vm.conf" << END
[host]
events = host:0p2
[vm stamps]
memory = 32M
kernel = $(realpath "$BUILD")/guests/demo-riscv64/kernel
cmdline = stamp
disk = host:0p1
[vm storm]
memory = 8M
kernel = storm
END

# numbers SAFE: are all stamps up to this one there, as far as they were not overwritten by later ones?
numbers() {
    od -An -v -t u8 -w512 -j $((stamp_at * 512)) -N $((stamp_sectors * 512)) "$tmp/disk" | awk -v safe="$1" -v places=$((stamp_sectors - 1)) '
        { for (i = 2; i <= NF; i++) if ($i != $1) { print "sector " NR - 1 " is torn"; exit bad = 1 } at[NR - 1] = $1 }
        END { if (!bad) for (n = safe; n > 0 && n > safe - places; n--) if (at[n % places] < n) { print "stamp " n " is not there"; exit 1 } exit bad }'
}
last() { tr -d '\r' < "$out" 2>/dev/null | sed -nE "$1" | tail -n 1; }

stamp=0 frame=0 sum=
for ((round = 1; round <= count + 1; round++)); do
    : > "$out"
    setsid tools/boot.sh boot powercut > "$out" 2>&1 < /dev/null & group=$!
    # as soon as both work, after a while by chance
    until grep -aq 'stamp [0-9]* safe' "$out" && grep -aq 'frame [0-9]* is safe' "$out" || ! kill -0 $group 2>/dev/null; do sleep 0.05; done
    sleep "$((RANDOM % 2)).$((RANDOM % 10))$((RANDOM % 10))"
    { kill -KILL -- -$group; wait $group; } 2>/dev/null
    found=$(last 's/.*events: host:0p2, .*up to frame ([0-9]+), checksum ([0-9a-f]{8})$/\1 \2/p')
    new_stamp=$(last 's/^(stamps[|])? *stamp ([0-9]+) safe$/\2/p') 
    read -r new_frame new_sum <<< "$(last 's/.*event log: frame ([0-9]+) is safe, checksum ([0-9a-f]{8})$/\1 \2/p')" # a whole line only
    why=
    [ -n "$found" ] || why="no event log came back"
    [ -z "$found" ] || [ "${found% *}" -ge "$frame" ] || why="frame $frame was safe, the log ends with ${found% *}"
    [ "${found% *}" != "$frame" ] || [ -z "$sum" ] || [ "${found#* }" = "$sum" ] || why="frame $frame has another checksum"
    ! grep -aqE 'segments are left out|kept in memory|STAMP-FAIL|panic' "$out" || why="complaints"
    ! grep -aq 'error: vm' "$out" || why="a VM does not start"
    [ -n "$new_stamp" ] && [ -n "$new_frame" ] || why="nothing was said to be safe"
    wrong=$(numbers "${new_stamp:-0}") || why=$wrong
    if [ -n "$why" ]; then
        { grep -av ' safe' "$out"; tail -n 5 "$out"; } > "$tmp/short"; out=$tmp/short
        fail "cut $((round - 1))" "$why"
        break
    fi
    stamp=$new_stamp frame=$new_frame sum=$new_sum
    passed=$round
done
echo "$HOST ${MACHINE:-}: $((passed - 1)) cuts, up to frame $frame and stamp $stamp"
finish

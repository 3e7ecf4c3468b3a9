#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hostile.sh BUILD [WORD...] - guests that mean ill (test/vm/hostile) beside a good one, in one process under ASan and UBSan.
# The good one does its work, every bad one ends as its row says, the hypervisor ends by itself, or when it is told to, and
# says for each in one line how it ended. Only rows that contain all WORDs. Ends in `N passed, N failed`.
set -u
build=$1; shift
hospes=$build/${HOSPES:-san/hospes} demo=$(realpath "$build/guests/demo-riscv64/kernel") hostile=$(realpath "$build/test/vm/hostile.elf")
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

# Ends that a row may ask for: off, code, failed (no handler for its fault), stopped (by SIGTERM, some
# seconds after the good one's end), any. One process a row; bad VMs: program/vcpus/end,...
rows() {
    cat <<'END'
cpu       | illegal-storm/2/failed trap-loop/1/stopped hopeless-handler/1/stopped spin/2/stopped wiped/1/stopped pmp/1/stopped,off
interrupt | ipi-storm/2/stopped timer-past/2/stopped sleep/4/stopped reset-storm/2/stopped
registers | csrs/1/off sbi/2/off
code      | rewritten/1/off rewritten-unfenced/2/off
random    | random:1/1/any random:2/2/any random:3/1/any random:4/2/any random:5/1/any random:6/2/any
memory    | page-tables/1/off jumps/1/off pmp-games/1/off
devices   | mmio/2/off rings/2/off finisher/1/code
flood     | uart-flood/2/stopped uart-lines/1/stopped
END
}

# describe NAME VCPUS PROGRAM
describe() {
    local way=firmware
    case $3 in sbi*) way=kernel ;; esac
    printf '[vm %s]\nmemory = 16M\nvcpus = %s\n%s = %s\ncmdline = hostile=%s\ndisk = ram:64K\n' "$1" "$2" $way "$hostile" "$3"
}

bad() { echo "FAIL $name: $*"; is_good=0; }

check_end() {
    local line; line=$(grep -a "^hospes: $1: " "$tmp/err")
    case ,$2, in *,any,*) [ -n "$line" ] || bad "no word about $1"; return ;; esac
    case $line in
    *": powered off")                  case ,$2, in *,off,*) return ;; esac ;;
    *": powered off with code 4660")   case ,$2, in *,code,*) return ;; esac ;;
    *": failed: vcpu "*)               case ,$2, in *,failed,*) return ;; esac ;;
    *": stopped: signal 15 "*)     case ,$2, in *,stopped,*) return ;; esac ;;
    esac
    bad "$1 ends with \"$line\", want $2"
}

run_row() {
    name=${1%% *} is_good=1
    local vm program vcpus end start=$SECONDS status=0 count pid
    printf '[vm good]\nmemory = 16M\nvcpus = 2\nkernel = %s\ncmdline = autotest\ndisk = ram:1M\n' "$demo" > "$tmp/vm.conf"
    for vm in $2; do
        IFS=/ read -r program vcpus end <<< "$vm"
        describe "${program/:/-}" "$vcpus" "$program" >> "$tmp/vm.conf"
    done
    : > "$tmp/out"; : > "$tmp/err"
    timeout -k 10 300 "$hospes" run "$tmp/vm.conf" --cores 2 --timeout 200 --stats "$tmp/stats" > "$tmp/out" 2> "$tmp/err" < /dev/null & pid=$!
    if [[ "$2" =~ stopped|any ]]; then
        for ((n = 0; n < 400; n++)); do
            kill -0 $pid 2> /dev/null || break
            ! grep -aq '^hospes: \|^good| DEMO-OK' "$tmp/out" "$tmp/err" || break
            sleep 0.5
        done
        sleep 4                             # the bad ones have the machine for themselves
        kill -TERM $pid 2> /dev/null        # timeout(1) hands it on
    fi
    wait $pid || status=$?
    grep -aq '^good| DEMO-OK' "$tmp/out" || bad "the good guest has not done its work"
    check_end good off
    for vm in $2; do
        IFS=/ read -r program vcpus end <<< "$vm"
        check_end "${program/:/-}" "$end"
    done
    if grep -aqE 'Sanitizer|runtime error|panic|crashed|not waited for' "$tmp/err"; then bad "the hypervisor is hurt"; fi
    count=$(grep -ac '' "$tmp/err")
    [[ "$2" != *reset-storm* ]] || python3 -c 'import json, sys
sys.exit(not [v for v in json.load(open(sys.argv[1]))["vms"] if v["name"] == "reset-storm" and v["reboots"] > 10])' "$tmp/stats" || bad "reboots are not counted"
    set -- $2
    [ "$count" = $(($# + 1)) ] || bad "$count lines for $(($# + 1)) machines"
    case $(grep -av ': powered off$' "$tmp/err" | head -n 1) in             # the first that did not end well decides
    *'stopped: signal 15'*) [ "$status" = 143 ] || [ "$status" = 124 ] || bad "status $status, want 143" ;;   # timeout(1): 124
    ?*)                    [ "$status" = 1 ] || bad "status $status, want 1" ;;
    *)                     [ "$status" = 0 ] || bad "status $status, want 0" ;;
    esac
    python3 -m json.tool "$tmp/stats" > /dev/null || bad "statistics are no JSON"
    if [ $is_good = 1 ]; then
        echo "ok   $name: $*, $((SECONDS - start)) s"; passed=$((passed + 1))
    else
        failed=$((failed + 1)); sed 's/^/    /' "$tmp/err" | head -60
    fi
}

while IFS='|' read -r head vms; do
    for word; do case "$head|$vms" in *"$word"*) ;; *) continue 2 ;; esac; done
    run_row "$head" "$vms"
done < <(rows)
echo "$passed passed, $failed failed"
[ $failed = 0 ]

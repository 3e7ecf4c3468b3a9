# SPDX-License-Identifier: Apache-2.0
# Sourced by the boot suites: console text is judged by patterns. $out holds the console of the boot before.
passed=0 failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
out=$tmp/console module=$tmp/module
echo 'MODULE-of-ours' > "$module"

# keys: what a patient typist sends
keys() { { sleep 0.5; while :; do printf k; sleep 0.3; done; } 2>/dev/null; }

fail() { echo "FAIL $1: $2:"; sed 's/^/    /' "$out"; failed=$((failed + 1)); }

# judge NAME PATTERN...: every pattern must be there, and no line of FAIL
judge() {
    name=$1; shift
    for pattern; do
        grep -aqE -- "$pattern" "$out" || { fail "$name" "no \"$pattern\" in"; return; }
    done
    if grep -aq '^FAIL' "$out"; then fail "$name" "failures in"; return; fi
    echo "ok   $name"; passed=$((passed + 1))
}

# is NAME GOT WANT
is() {
    if [ "$2" = "$3" ]; then echo "ok   $1"; passed=$((passed + 1)); else fail "$1" "got $2, want $3"; fi
}

# judge_panic NAME REASON FRAME: reason with _ for blanks; registers, two frames with symbols, and the end
judge_panic() { judge "$1" "panic on cpu 0: $(echo "$2" | tr _ ' ')" "$3" '#1 +0x[0-9a-f]+ [a-z_0-9]+[+]0x' 'halted'; }

finish() { echo "$passed passed, $failed failed"; [ "$failed" = 0 ]; }

# SPDX-License-Identifier: Apache-2.0
# What the guests' recipes share (sourced by make-guest.sh; the current folder is guests/): pinned packages, parts
# cached by a hash of all that goes into them, and a command with its progress shown.

cache=${HOSPES_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp/hospes-$(id -u)}/.cache}/hospes}/guests
mkdir -p "$cache"

die() { printf 'guest %s: %s\n' "$guest" "$*" >&2; exit 1; }
say() { printf '  %-7s %s\n' "$1" "$2" >&2; }
need() { ../tools/need.sh "$@"; }

# pin ID: its row, joined to one line: id suite arch package path sha256
pin() {
    awk -v id="$1" '$1 == id { row = $0; getline; print row, $1; found = 1 } END { exit !found }' pins ||
        die "no pin named $1"
}

# unpack_deb ID DIR [PATTERN...]: a pinned package's files (those that match) into DIR
unpack_deb() {
    local row dir deb
    row=$(pin "$1") || exit 1
    dir=$2
    shift 2
    # suite arch package path sha256
    deb=$(set -- $row; ../tools/fetch-deb.sh "$2" "$3" "$4" "$5" "$6") || exit 1
    mkdir -p "$dir"
    dpkg-deb --fsys-tarfile "$deb" | tar -xf - -C "$dir" --no-same-owner ${1:+--wildcards} "$@"
}

# fingerprint WORD...: 16 digits over words and the contents of files; `pin:ID` stands for that pin's row
fingerprint() {
    local word
    for word; do
        case $word in
        pin:*) pin "${word#pin:}" || exit 1;;
        *) if [ -f "$word" ]; then cat "$word"; else echo "$word"; fi;;
        esac
    done | sha256sum | cut -c1-16
}

# part NAME FINGERPRINT COMMAND...: sets $part to the cached folder of that name and fingerprint; if there is none,
# `COMMAND... DIR` makes it in a folder beside it that is renamed when whole. One maker at a time per name.
part() {
    part=$cache/$1-$2
    [ ! -d "$part" ] || return 0
    local name=$1
    shift 2
    exec 8>"$cache/$name.lock"
    flock -n 8 || { say WAIT "another build of $name is under way"; flock 8; }
    if [ ! -d "$part" ]; then
        rm -rf "$cache/$name"-????????????????.tmp       # a fingerprint: what begins with the same words is another part
        trap 'rm -rf "$part.tmp"' EXIT
        trap 'exit 130' INT TERM HUP
        mkdir "$part.tmp"
        # not under `if` or `||`: sh would ignore errors inside the command
        "$@" "$part.tmp"
        mv "$part.tmp" "$part"
        trap - EXIT INT TERM HUP
    fi
    exec 8>&-
}

# progress LABEL LOG PATTERN TOTAL COMMAND...: runs it with its output in LOG; shows the seconds and the count of
# LOG's lines that match PATTERN: one line kept up to date on a terminal, a line each 30 s elsewhere.
progress() {
    local label=$1 log=$2 pattern=$3 total=$4 pid start shown now
    shift 4
    say BUILD "$label (log: $log)"
    : > "$log"
    setsid "$@" >"$log" 2>&1 </dev/null 8>&- &
    pid=$!
    trap 'kill -s TERM -- -$pid; wait $pid || :; exit 130' INT TERM HUP
    start=$(date +%s) shown=0
    while kill -0 $pid 2>/dev/null; do
        sleep 1
        now=$(($(date +%s) - start))
        if [ -t 2 ]; then
            printf '\r  BUILD   %s: %d s, %d of about %d objects ' "$label" $now \
                "$(grep -cE "$pattern" "$log")" "$total" >&2
        elif [ $((now - shown)) -ge 30 ]; then
            shown=$now
            say BUILD "$label: $now s, $(grep -cE "$pattern" "$log") of about $total objects"
        fi
    done
    [ ! -t 2 ] || echo >&2
    wait $pid || { tail -n 20 "$log" >&2; die "$label failed"; }
}

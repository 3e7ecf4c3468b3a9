#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# process.sh BUILD [WORD...] - the hypervisor as a process, under ASan and UBSan: what it refuses and in which one line, how
# it ends, what it does with signals, closed and full streams, a terminal. Only checks whose name has all WORDs. Ends in
# `N passed, N failed`.
set -u
build=$(realpath "$1"); shift
words=("$@")
here=$(dirname "$(realpath "$0")")
export hospes=$build/${HOSPES:-san/hospes} demo=$build/guests/demo-riscv64/kernel
hostile=$(realpath "$build/test/vm/hostile.elf")
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
passed=0 failed=0

wanted() { local w; for w in ${words[@]+"${words[@]}"}; do case $1 in *"$w"*) ;; *) return 1 ;; esac; done; }
ok()  { echo "ok   $1"; passed=$((passed + 1)); }
bad() { echo "FAIL $1: $2"; sed 's/^/    /' err | head -n 20; failed=$((failed + 1)); }
hurt() { grep -aqE 'Sanitizer|runtime error|panic|crashed|not waited for' err; }

# check NAME STATUS LINE ARGUMENT...: the whole of standard error is that one line (a pattern; none: nothing)
check() {
    local name=$1 want=$2 line=$3 status=0; shift 3
    wanted "$name" || return 0
    timeout 60 "$hospes" "$@" > out 2> err < /dev/null || status=$?
    if [[ "|$want|" != *"|$status|"* ]]; then bad "$name" "status $status, want $want"
    elif hurt; then bad "$name" "hurt"
    elif [ "$(wc -l < err)" != "$([ -z "$line" ] && echo 0 || echo 1)" ]; then bad "$name" "more or less than one line"
    elif [ -n "$line" ] && ! grep -qE "^hospes: $line\$" err; then bad "$name" "another line than \"$line\""
    else ok "$name"; fi
}

# ---- words ----
check "no words"               2 'nothing to do .*'                                             
check "unknown command"        2 'walk: no such command .*'                                     walk
check "help"                   0 ''                                                             --help
check "version"                0 ''                                                             --version
check "help of run"            0 ''                                                             run --help
check "nothing to run"         2 'nothing to run .*'                                            run
check "unknown option"         2 '--frobnicate: no such option \(hospes --help lists them\)'    run --frobnicate
check "misspelt key"           2 '--kernle: no such option \(did you mean --kernel\?\)'         run --kernle x
check "misspelt option"        2 '--timeuot: no such option \(did you mean --timeout\?\)'       run --timeuot 3
check "option without value"   2 '--kernel: wants a value'                                      run --kernel
check "empty value"            2 '--kernel: has no value'                                       run --kernel ''
check "two descriptions"       2 'b.conf: one description at a time'                            run <(echo '[vm a]') b.conf
check "cores are a number"     2 "--cores: '2x' is not 1 to 64"                                 run --kernel x --cores 2x
check "cores 0"                2 "--cores: '0' is not 1 to 64"                                  run --kernel x --cores 0
check "timeout 0"              2 "--timeout: '0' is not 1 to 1000000"                           run --kernel x --timeout 0
check "vcpus 0"                2 "--vcpus: '0' must be 1 to 64"                                 run --kernel x --vcpus 0
check "vcpus 65"               2 "--vcpus: '65' must be 1 to 64"                                run --kernel x --vcpus 65
check "vcpus 9999"             2 "--vcpus: '9999' must be 1 to 64"                              run --kernel x --vcpus 9999
check "memory too large"       2 "--memory: '2048G' is more than 1024G"                         run --kernel x --memory 2048G
check "memory beyond the host" 1 'guest: memory: wants 1048576 MiB with its RAM disks, this host has [0-9]+ MiB for it' run --kernel "$demo" --memory 1024G
check "memory too small"       1 'guest: memory: a riscv64 machine has 4M to 1024G'             run --kernel "$demo" --memory 4K
check "another architecture"   1 'guest: arm64 .*'                                              run --kernel "$demo" --arch arm64
check "mode hardware"          1 'guest: .*'                                                    run --kernel "$demo" --mode hardware
check "unknown machine option" 1 'guest: .*'                                                    run --kernel "$demo" --option colour=red

# ---- files ----
head -c 100000 /dev/zero | tr '\0' 'A' > text; : > empty; mkdir folder; ln -s nowhere dangling; mkfifo pipe
head -c 300 "$hostile" > half.elf; head -c 20 "$hostile" > headless.elf
head -c 4M /dev/zero > zeroes; head -c 40 "$demo" > short.image
# patch FILE OUT OFFSET HEX: little-endian bytes as they stand
patch() { cp "$1" "$2"; printf "$(sed 's/../\\x&/g' <<< "$4")" | dd of="$2" bs=1 seek="$3" conv=notrunc status=none; }
patch "$hostile" other-machine.elf 18 3e00;             patch "$hostile" class32.elf 4 01;          patch "$hostile" big-endian.elf 5 02
patch "$hostile" far-headers.elf 32 f0ffffffffffffff;   patch "$hostile" many-headers.elf 56 ffff;  patch "$hostile" odd-headers.elf 54 0100
patch "$hostile" far-entry.elf 24 0000000000000070
cp "$hostile" a.elf; at=$(od -An -tu8 -j32 -N8 a.elf | tr -d ' ')
for n in 0 1 2 3; do
    [ "$(od -An -tu4 -j$((at + 56 * n)) -N4 a.elf | tr -d ' ')" != 1 ] || { at=$((at + 56 * n)); break; }
done
patch a.elf far-offset.elf $((at + 8)) f0ffffffffffffff;   patch a.elf low-address.elf $((at + 24)) 0010000000000000
patch a.elf wrapping.elf $((at + 24)) 00f0ffffffffffff;    patch a.elf huge-file.elf $((at + 32)) ffffffffffffff7f
patch a.elf huge-memory.elf $((at + 40)) ffffffffffffff7f; patch a.elf file-over-memory.elf $((at + 40)) 0100000000000000
for way in kernel firmware; do
    check "$way: no file"          1 "guest: $way: nofile: No such file or directory"     run --$way nofile
    check "$way: a folder"         1 "guest: $way: folder: is not a file"                 run --$way folder
    check "$way: a dangling link"  1 "guest: $way: dangling: No such file or directory"   run --$way dangling
    check "$way: a pipe"           1 "guest: $way: pipe: is not a file"                   run --$way pipe
    check "$way: a device"         1 "guest: $way: /dev/zero: is not a file"              run --$way /dev/zero
    check "$way: empty"            1 "guest: $way: the file is empty"                     run --$way empty
    check "$way: larger than RAM"  1 "guest: .*(does not fit|need more memory).*"                        run --$way zeroes --memory 4M
    for f in half headless other-machine class32 big-endian far-headers many-headers odd-headers far-entry far-offset low-address wrapping huge-file huge-memory file-over-memory; do
        check "$way: ELF $f"       1 'guest: .+'                                          run --$way $f.elf --memory 16M
    done
done
check "initrd: no file"            1 'guest: initrd: nofile: No such file or directory'   run --kernel "$demo" --initrd nofile
check "initrd: empty"              1 'guest: initrd: the file is empty'                   run --kernel "$demo" --initrd empty
check "initrd: larger than RAM"    1 'guest: initrd: does not fit.*'                      run --kernel "$demo" --initrd zeroes --memory 4M
check "disk: no image"             1 'guest: disk: nofile: No such file or directory'     run --kernel "$demo" --disk image:nofile
check "disk: empty image"          1 'guest: disk: the file is empty'                     run --kernel "$demo" --disk image:empty
check "disk: no file"              1 'guest: .*'                                          run --kernel "$demo" --disk nofile
check "disk: a folder"             1 'guest: .*'                                          run --kernel "$demo" --disk folder
if [ "$(id -u)" != 0 ]; then
    : > secret; chmod 0 secret
    check "kernel: unreadable"     1 'guest: kernel: secret: Permission denied'           run --kernel secret
fi
# What no header gives away starts, and does what such bytes do: nothing that ends.
for f in text short.image; do
    check "starts anyhow: $f"      '1|124' 'guest: .+' run --firmware $f --memory 16M --timeout 1
done

# ---- descriptions ----
conf() { printf "$1" > vm.conf; }
check "conf: no file"              1 'no.conf: No such file or directory'                 run no.conf
check "conf: a folder"             1 'folder: Is a directory'                             run folder
check "conf: empty"                1 'empty: no \[vm NAME\] in it'                        run empty
check "conf: not text"             1 'zeroes: is no description.*'                        run zeroes
conf '[vm a]\nkernl = x\n'
check "conf: misspelt key"         1 'vm.conf:2: kernl: no such key \(did you mean kernel\?\)' run vm.conf
conf '[vm a]\nkernel = x\n[vm b]\nkernel = x\n'
check "conf: which machine"        2 '--memory: which of the 2 machines of vm.conf\?'     run vm.conf --memory 4M
mkdir -p deep; cp "$demo" deep/k; conf '[vm here]\nkernel = k\nmemory = 16M\ncmdline = autotest\n'; mv vm.conf deep/
check "conf: files are beside it"  0 'here: powered off'                                  run deep/vm.conf
check "conf: words win over it"    1 'here: kernel: k2: No such file or directory'        run --kernel k2 deep/vm.conf

# ---- ends ----
run=(run --kernel "$demo" --memory 16M)
check "end: power-off"             0 'guest: powered off'                                 "${run[@]}" --cmdline autotest
check "end: quiet"                 0 ''                                                   "${run[@]}" --cmdline autotest --quiet
check "end: timeout"               124 'guest: stopped: not done after 1 s \(--timeout\)' "${run[@]}" --timeout 1
check "end: timeout, quiet"        124 'guest: stopped: not done after 1 s \(--timeout\)' "${run[@]}" --timeout 1 --quiet
check "end: a code too large"      1 'guest: powered off with code 4660'                  run --firmware "$hostile" --memory 16M --cmdline hostile=finisher
check "end: a fault"               1 'guest: failed: vcpu 0 at 0x[0-9a-f]+: .*InvalidOpcode.*' run --firmware "$hostile" --memory 16M --cmdline hostile=illegal-storm
conf "[vm good]\nkernel = $demo\nmemory = 16M\ncmdline = autotest\n[vm bad]\nfirmware = $hostile\nmemory = 16M\ncmdline = hostile=finisher\n"
mv vm.conf two.conf
check "end: the odd one of two"    1 'bad: powered off with code 4660'                    run two.conf --quiet
check "stats: cannot be written"   0 'cannot write /nowhere/s.json: No such file or directory' "${run[@]}" --cmdline autotest --quiet --stats /nowhere/s.json

if wanted "stats: complete and summed"; then
    status=0; timeout 60 "$hospes" run two.conf --cores 2 --stats s.json > out 2> err < /dev/null || status=$?
    if python3 "$here/stats.py" s.json 2>> err; then ok "stats: complete and summed"; else bad "stats: complete and summed" "status $status"; fi
fi

# ---- signals and streams ----
# signal NAME NUMBER STATUS
signal() {
    local name="signal $1" status=0
    wanted "$name" || return 0
    # a shell ignores SIGINT for its background jobs: a new process with the defaults
    timeout 60 python3 -c 'import os, signal, subprocess, sys
for s in (signal.SIGINT, signal.SIGQUIT): signal.signal(s, signal.SIG_DFL)
p = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open("err", "wb"))
while b"demo>" not in p.stdout.read1(4096): pass
p.send_signal(int(sys.argv[1]))
p.stdout.read()
sys.exit(p.wait() % 256)' "$2" "$hospes" "${run[@]}" || status=$?
    if [ $status != "$3" ]; then bad "$name" "status $status, want $3"
    elif hurt || [ "$(wc -l < err)" != 1 ] || ! grep -qE "^hospes: guest: stopped: signal $2 " err; then bad "$name" "no such line"
    else ok "$name"; fi
}
signal INT 2 130; signal QUIT 3 131; signal TERM 15 143; signal HUP 1 129

# streams NAME STATUS LINE COMMAND...: with err as its standard error
streams() {
    local name=$1 want=$2 line=$3 status=0; shift 3
    wanted "$name" || return 0
    timeout 60 bash -c "$*" 2> err || status=$?
    if [ $status != "$want" ]; then bad "$name" "status $status, want $want"
    elif hurt || ! grep -qE "^hospes: $line\$" err; then bad "$name" "no line \"$line\""
    else ok "$name"; fi
}
d="--kernel $demo --memory 16M"
streams "closed standard input"     0   'guest: powered off'                            "$hospes run $d --cmdline autotest <&- > out"
streams "all closed but errors"     0   'guest: powered off'                            "$hospes run $d --cmdline autotest <&- >&-"
streams "closed output, a disk"     0   'guest: powered off'                            "head -c 64K /dev/zero > disk; $hospes run $d --cmdline autotest --disk disk >&-; s=\$?; ! grep -aq demo disk && exit \$s"
streams "nobody reads the output"   1   'guest: stopped: nobody reads standard output'  "{ $hospes run --firmware $hostile --memory 16M --cmdline hostile=uart-lines --timeout 20 < /dev/null; echo \$? > st; } | head -c 10 > out; exit \$(cat st)"
streams "nobody empties the output" 124 'guest: stopped: not done after 2 s \(--timeout\)' "{ $hospes run --firmware $hostile --memory 16M --cmdline hostile=uart-lines --timeout 2 < /dev/null; echo \$? > st; } | { while [ ! -s st ]; do sleep 0.2; done; cat > out; }; exit \$(cat st)"
streams "full device"               1   'guest: stopped: nobody reads standard output'  "$hospes run $d --timeout 20 < /dev/null > /dev/full"
streams "keys through a pipe"       0   'guest: powered off'                            "{ sleep 2; echo poweroff; } | $hospes run $d --timeout 30 > out"
streams "more keys than it takes"   124 'guest: stopped: not done after 2 s \(--timeout\)' "head -c 100000 /dev/zero | $hospes run --firmware $hostile --memory 16M --cmdline hostile=spin --timeout 2 > out"

if wanted "terminal"; then
    timeout 120 expect "$here/terminal.exp" > out 2> err || true
    n=$(grep -ac '^ok ' out); grep -a '^ok \|^FAIL ' out | tr -d '\r'
    passed=$((passed + n)) f=$(grep -ac '^FAIL ' out); [ "$n" != 0 ] || f=$((f + 1)); failed=$((failed + f))
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]

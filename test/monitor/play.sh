# SPDX-License-Identifier: Apache-2.0
# Sourced by the monitor's suites: a script of commands is played on one host, in the same bundle everywhere; the hosted
# build (under ASan and UBSan) runs in a folder where it is unpacked.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
passed=0 failed=0

# begin BUILD HOST NAME: $dir is empty and wants a vm.conf
begin() {
    build=$1 host=$2 name="monitor $3 on $2"
    dir=$build/test/monitor-$3-$2
    rm -rf "$dir"; mkdir -p "$dir"
    text=$dir/text
}
# play SCRIPT: the console becomes $text, without the monitor's moves on a terminal; $status
play() {
    local script at=$dir/bundle hospes
    script=$(realpath "$1") status=0
    if [ "$host" = hosted ]; then
        AUTOEXEC=$script tools/mkbundle.sh "$dir/bundle.cpio" "$dir/vm.conf" || return
        hospes=$(realpath "$build/${HOSPES:-san/hospes}")
        mkdir "$at"
        (cd "$at" && cpio -id --quiet < ../bundle.cpio && timeout -k 10 "${TIMEOUT:-300}" "$hospes" run hospes.conf --cores 2 --script autoexec) \
            > "$dir/out" 2>&1 < /dev/null || status=$?
    else
        HOST=$host BUILD=$build TIMEOUT=${TIMEOUT:-900} AUTOEXEC=$script tools/boot.sh boot "../test/${dir##*/}" > "$dir/out" 2>&1 < /dev/null || status=$?
    fi
    sed 's/\r\x1b\[K//g; s/\r//g' "$dir/out" > "$text"
    if grep -aqE 'Sanitizer|runtime error|panic|crashed' "$text"; then bad "the hypervisor is hurt"; fi
}
# what `info memory` said after `echo WORD`
memory_after() { awk -v word="$1" '$0 == word { on = 1 } on && /^(pages|heap)/ { print } /^heap/ { on = 0 }' "$text" | tr '\n' ' '; }
same_memory() {
    local was is
    was=$(memory_after before) is=$(memory_after after)
    [[ $was == *pages*heap* && $was == "$is" ]] || bad "memory before: $was, after: $is"
}
bad() { echo "FAIL $name: $*"; failed=$((failed + 1)); }
# end [WORDS]: one verdict; the transcript's end if it is bad
end() {
    if [ "$failed" = 0 ]; then echo "ok   $name${1:+, $1}"; passed=1; else tail -n 60 "$text" | sed 's/^/    /'; failed=1; fi
    echo "$passed passed, $failed failed"
    exit $failed
}

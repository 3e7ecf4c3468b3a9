#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# need.sh TOOL... - makes sure that tools are on this machine, and installs the Debian packages of those that are
# not: all in one apt-get, no question asked, as root or through a password-less sudo. Costs nothing when all
# are there. Otherwise ends with one line that says what to install. A tool is a command, or a name below.
#   NEED_NOINSTALL=1   only check
set -eu

# tool                      package(s)                          found by (- is: the command is in PATH)
table='
gcc                         gcc,libc6-dev                       -
cc                          gcc,libc6-dev                       -
ld                          binutils                            -
objcopy                     binutils                            -
clang                       clang                               -
clang-format                clang-format                        -
clang-rt                    libclang-rt-14-dev                  /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.asan*.a
lld                         lld                                 -
llvm-mc                     llvm                                -
llvm-objdump                llvm                                -
gdb                         gdb-multiarch                       /usr/bin/gdb-multiarch
libc-dev                    libc6-dev                           /usr/include/stdlib.h
aarch64-linux-gnu-gcc       gcc-aarch64-linux-gnu               -
aarch64-linux-gnu-ld        binutils-aarch64-linux-gnu          -
aarch64-libc-dev            libc6-dev-arm64-cross               /usr/aarch64-linux-gnu/include/stdlib.h
x86_64-linux-gnu-gcc        gcc-x86-64-linux-gnu                -
riscv64-linux-gnu-gcc       gcc-riscv64-linux-gnu               -
riscv64-linux-gnu-objdump   binutils-riscv64-linux-gnu          -
riscv64-libc-dev            libc6-dev-riscv64-cross             /usr/riscv64-linux-gnu/include/stdlib.h
powerpc64le-linux-gnu-gcc   gcc-powerpc64le-linux-gnu           -
powerpc64-linux-gnu-gcc     gcc-powerpc64-linux-gnu             -
qemu-system-x86_64          qemu-system-x86                     -
qemu-system-aarch64         qemu-system-arm                     -
qemu-system-riscv64         qemu-system-misc                    -
qemu-system-ppc64           qemu-system-ppc                     -
qemu-riscv64                qemu-user                           -
qemu-aarch64                qemu-user                           -
qemu-x86_64                 qemu-user                           -
qemu-ppc64le                qemu-user                           -
ovmf                        ovmf                                /usr/share/OVMF/OVMF_CODE*.fd
aavmf                       qemu-efi-aarch64                    /usr/share/qemu-efi-aarch64/QEMU_EFI.fd
bochs                       bochs,bochs-term,bochsbios,vgabios  -
grub-mkrescue               grub-common                         -
grub-pc-bin                 grub-pc-bin                         /usr/lib/grub/i386-pc/multiboot2.mod
grub-efi-amd64-bin          grub-efi-amd64-bin                  /usr/lib/grub/x86_64-efi/multiboot2.mod
xorriso                     xorriso                             -
mformat                     mtools                              -
mtools                      mtools                              -
sfdisk                      fdisk                               /usr/sbin/sfdisk
dtc                         device-tree-compiler                -
libunicorn                  libunicorn-dev                      /usr/include/unicorn/unicorn.h
libzydis                    libzydis-dev                        /usr/include/Zydis/Zydis.h
libssl-dev                  libssl-dev                          /usr/include/openssl/opensslv.h
libelf-dev                  libelf-dev                          /usr/include/libelf.h
flex                        flex                                -
bison                       bison                               -
bc                          bc                                  -
cpio                        cpio                                -
mke2fs                      e2fsprogs                           /sbin/mke2fs
xz                          xz-utils                            -
gzip                        gzip                                -
zstd                        zstd                                -
patch                       patch                               -
python3                     python3                             /usr/lib/python3*/json/__init__.py
expect                      expect                              -
socat                       socat                               -
git                         git                                 -
flock                       util-linux                          -
gcovr                       gcovr                               -
debian-keyring              debian-archive-keyring              /usr/share/keyrings/debian-archive-keyring.gpg
'

# any of the comma-separated patterns matches a file
there() {
    for p in $(printf '%s' "$1" | tr ',' ' '); do
        [ ! -e "$p" ] || return 0
    done
    return 1
}

# missing TOOL...: the packages of the tools that are not here
missing() {
    for tool; do
        row=$(printf '%s' "$table" | while read -r name packages test; do
            [ "$name" != "$tool" ] || { echo "$packages $test"; break; }
        done)
        test=${row#* }
        if [ "$test" = - ] || [ -z "$row" ]; then
            command -v "$tool" >/dev/null 2>&1 && continue
            [ -n "$row" ] || { echo "need.sh: $tool: not found, and not in the table of tools/need.sh" >&2; exit 1; }
        else
            there "$test" && continue
        fi
        printf '%s\n' "${row%% *}" | tr ',' '\n'
    done | sort -u
}
[ $# -gt 0 ] || { echo "usage: need.sh TOOL..." >&2; exit 2; }
list=$(missing "$@") || exit 1
[ -n "$list" ] || exit 0

words=$(echo $list)
remedy="missing package(s): $words - run: sudo apt-get install -y --no-install-recommends $words"
fail() { echo "need.sh: $*" >&2; exit 1; }
[ -z "${NEED_NOINSTALL:-}" ] || fail "$remedy"
command -v apt-get >/dev/null || fail "missing tools, and no apt-get here; the Debian packages are: $words"
if [ "$(id -u)" = 0 ]; then
    as_root=
    locks=/run/lock
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null ||
    # on a terminal, sudo may ask for its password
    { [ -t 2 ] && (: </dev/tty) 2>/dev/null && id -nG | grep -qwE 'sudo|wheel|admin' && echo "  INSTALL $words needs sudo" >&2 && sudo -v; }; }; then
    as_root='sudo -n'
    locks=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}
else
    fail "$remedy"
fi

# two at once: the second waits, and mostly finds that the first has done it
mkdir -p "$locks"
exec 9>"$locks/hospes-need.lock"
flock 9
list=$(missing "$@")
[ -n "$list" ] || exit 0
words=$(echo $list)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Runs apt-get; says every 20 s what it is at.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -y -q -o DPkg::Lock::Timeout=600 \
        -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 "$@" </dev/null >"$log" 2>&1 9>&- &
    pid=$! waited=0
    while kill -0 $pid 2>/dev/null; do
        sleep 0.2
        waited=$((waited + 1))
        [ $((waited % 100)) != 0 ] || echo "  INSTALL $((waited / 5)) s: $(tail -n 1 "$log" | tr -d '\r' | cut -c1-90)" >&2
    done
    wait $pid
}
# the lock of the lists has no timeout of its own in apt
update() {
    for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
        ! apt update || return 0
        grep -q 'Could not get lock' "$log" || return 1
        sleep 5
    done
    return 1
}
echo "  INSTALL $words" >&2
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then update || :; fi
if ! apt install --no-install-recommends $words; then
    # stale lists name files that are gone
    update || :
    if ! apt install --no-install-recommends $words; then
        grep -E '^(E|Err|W):?' "$log" | tail -5 >&2
        fail "apt-get could not install: $remedy"
    fi
fi
list=$(missing "$@")
[ -z "$list" ] || fail "installed, and still not found: $(echo $list)"

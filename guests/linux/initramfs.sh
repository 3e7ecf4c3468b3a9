# SPDX-License-Identifier: Apache-2.0
# Makes the Linux guests' initramfs (sourced by recipes): Debian's busybox for that architecture, our init, and kernel
# modules if the kernel needs some. Byte for byte reproducible: a cpio (newc) written here with fixed inode numbers,
# owners and times, packed by gzip -9n.

applets='[ awk cat chmod clear cmp cp cttyhack cut date dd devmem df dmesg echo env expr false free grep gunzip gzip
    halt head hexdump ifconfig insmod ip kill less ln ls md5sum mkdir mknod mount mv nc nproc ping poweroff ps reboot rm
    route sed seq setsid sh sha256sum sleep sort stty sync tail taskset test time top touch tr true umount uname vi wc
    wget yes'
mtime=1767225600 # 2026-01-01

# linux_initramfs ARCH [MODULE-FILES-NAME MODULE-DIR]: sets $part, whose folder gets initrd; MODULE-DIR/*.ko go in,
# and are loaded in the order of their names
linux_initramfs() {
    part "initramfs-$1${2:+-$2}" "$(fingerprint linux/initramfs.sh linux/init "pin:busybox-$1" "${3:-}")" \
        build_initramfs "$1" "${3:-}"
}

# build_initramfs ARCH MODULE-DIR DIR
build_initramfs() {
    need gzip xz
    unpack_deb "busybox-$1" "$3/bb" '*bin/busybox'
    say CPIO "initramfs for $1"
    make_cpio "$(ls "$3"/bb/bin/busybox "$3"/bb/usr/bin/busybox 2>/dev/null)" "$2" | gzip -9n > "$3/initrd"
    rm -rf "$3/bb"
}

# make_cpio BUSYBOX MODULE-DIR
make_cpio() {
    local inode=0 d applet module
    for d in bin dev etc lib lib/modules proc root sys tmp; do
        cpio_head "$d" 40755 0
    done
    cpio_head dev/console 20600 0 5 1
    cpio_head dev/null 20666 0 1 3
    cpio_file init 100755 linux/init
    cpio_file bin/busybox 100755 "$1"
    for applet in $applets; do
        cpio_head "bin/$applet" 120777 7
        printf busybox
        cpio_pad 7
    done
    for module in ${2:+"$2"/*.ko}; do
        cpio_file "lib/modules/$(basename "$module")" 100644 "$module"
    done
    cpio_head TRAILER!!! 0 0
}

# cpio_pad COUNT: zeros up to a multiple of four
cpio_pad() {
    case $(($1 % 4)) in 1) printf '\0\0\0';; 2) printf '\0\0';; 3) printf '\0';; esac
}

# cpio_head NAME OCTAL-MODE SIZE [MAJOR MINOR]: fields in the order of the newc format, eight digits each
cpio_head() {
    inode=$((inode + 1))
    local name_bytes=$((${#1} + 1))
    printf '070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\0' \
        $inode "0$2" 0 0 1 $mtime "$3" 0 0 "${4:-0}" "${5:-0}" $name_bytes 0 "$1"
    cpio_pad $((110 + name_bytes))
}

# cpio_file NAME OCTAL-MODE PATH
cpio_file() {
    local bytes
    bytes=$(wc -c < "$3")
    cpio_head "$1" "$2" "$bytes"
    cat "$3"
    cpio_pad "$bytes"
}

# SPDX-License-Identifier: Apache-2.0
# Builds a small Linux from Debian's linux-source for one row of `arches` (sourced by recipes). The config is
# `allnoconfig` plus the fragments, and a fragment line that does not stick is an error. Reproducible: no host name,
# user or date goes in. Takes 400 CPU seconds; the part's folder gets kernel, vmlinux (with symbols), config.

# linux_kernel ARCH: sets $part
linux_kernel() {
    local row
    row=$(grep "^$1 " linux/arches) || die "no row for $1 in guests/linux/arches"
    part "kernel-$1" "$(fingerprint linux/kernel.sh linux/frag/common.frag "linux/frag/$1.frag" "$row" \
        pin:linux-source)" build_kernel $row
}

# build_kernel NAME ARCH CROSS TARGETS IMAGE TOOLS DIR
build_kernel() {
    local name=$1 karch=$2 cross=$3 targets=$(echo "$4" | tr , ' ') image=$5 tools=$(echo "$6" | tr , ' ') dir=$7 work=$7/work
    need gcc make "${cross}gcc" xz $tools
    unpack_deb linux-source "$work/deb" '*/linux-source-*.tar.xz'
    say UNPACK "linux-source"
    mkdir "$work/src" "$work/obj"
    # not what no kernel of ours reads: the manuals, device trees, the sources of the largest families of drivers
    tar -xf "$work"/deb/usr/src/linux-source-*.tar.xz -C "$work/src" --strip-components=1 --exclude='*.rst' --exclude='*.dts*' \
        --exclude='*/Documentation/devicetree/*' --exclude='*/tools/testing/*' --exclude='*/sound/*.[ch]' \
        $(printf -- '--exclude=*/drivers/%s/*.[ch] ' gpu media staging infiniband scsi usb net/ethernet net/wireless)
    cat linux/frag/common.frag "linux/frag/$name.frag" > "$work/obj/all.frag"
    # the build sees nothing of the caller's make or environment (CC, ARCH, V, ...)
    set -- env -i PATH="$PATH" LC_ALL=C KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026' \
        KBUILD_BUILD_USER=hospes KBUILD_BUILD_HOST=hospes KBUILD_BUILD_VERSION=1 \
        make -C "$work/src" O="$work/obj" ARCH="$karch" CROSS_COMPILE="$cross"
    "$@" KCONFIG_ALLCONFIG="$work/obj/all.frag" allnoconfig >"$work/config.log" 2>&1 ||
        { tail "$work/config.log" >&2; die "configuring the kernel failed"; }
    stuck "$work/obj/all.frag" "$work/obj/.config" || die "some lines of the config fragments did not stick"
    progress "linux $name" "$cache/kernel-$name.log" '^  (CC|AS) ' 730 "$@" -j"$(nproc)" $targets
    cp "$work/obj/$image" "$dir/kernel"
    cp "$work/obj/vmlinux" "$dir/vmlinux"
    cp "$work/obj/.config" "$dir/config"
    rm -rf "$work"
}

# stuck FRAGMENTS CONFIG: every line of the fragments holds in the config
stuck() {
    awk 'FNR == NR { if (match($0, /^CONFIG_[A-Z0-9_]+=/)) have[substr($0, 1, RLENGTH - 1)] = $0; next }
         /^CONFIG_/ { key = $0; sub(/=.*/, "", key); off = ($0 ~ /=n$/) }
         /^# CONFIG_.* is not set/ { key = $2; off = 1 }
         /^(# )?CONFIG_/ && ((off && key in have) || (!off && have[key] != $0)) { print "  not kept: " $0; bad = 1 }
         END { exit bad }' "$2" "$1" >&2
}

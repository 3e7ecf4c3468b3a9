#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fetch-deb.sh SUITE ARCH PACKAGE POOL-PATH SHA256 - gets one Debian binary package (of any suite and architecture,
# whatever this machine runs) into the download cache and prints its path. The pin comes first; if the archive
# has dropped that version (a point release), the suite's current one is taken, checked by Debian's signed index,
# and a NOTE says so. Settings: those of fetch-lib.sh.
set -eu
. "$(dirname "$0")/fetch-lib.sh"
suite=$1 arch=$2 pkg=$3 path=$4 sum=$5
file=$(basename "$path")
hint="put $file (sha256 $sum) into $cache/dl, or set TP_DISTFILES or TP_MIRROR"

found() { printf '%s\n' "$1"; exit 0; }
have "$file" "$sum" && found "$cache/dl/$file"
[ -z "${TP_OFFLINE:-}" ] || die "TP_OFFLINE is set: $hint"
command -v apt-get >/dev/null || die "no apt-get here: $hint"
lock fetch
have "$file" "$sum" && found "$cache/dl/$file"
rm -f "$cache/dl/$file"
echo "  FETCH   $file" >&2
! pool_get "$path" "$file" "$sum" || found "$cache/dl/$file"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || die "$file has left the archive and $keyring is missing: $hint"
private_apt "$suite-$arch"
cat >> "$a/apt.conf" <<CONF
Dir::State::status "$a/status";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
CONF
rm -f "$a"/sources.d/*
for m in $(mirrors); do
    printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$m" "$suite"
done > "$a/sources.d/debian.list"
[ -s "$a/sources.d/debian.list" ] || die "this machine's apt knows no Debian mirror: $hint"
echo "  APT     index of $suite/$arch (about 9 MB)" >&2
q apt-get -qq update >"$a/update.log" 2>&1 || :
rm -rf "$a/get"
mkdir "$a/get"
( cd "$a/get" && q apt-get -q download "$pkg" ) >"$a/get.log" 2>&1 || :
set -- "$a"/get/*.deb
if [ ! -f "$1" ]; then
    grep -hE '^(E|W|Err)' "$a/update.log" "$a/get.log" | tail -5 >&2
    die "download of $pkg failed: $hint"
fi
echo "  NOTE    $file has left the archive; using $(basename "$1") (signed index)" >&2
out=$cache/dl/$(basename "$1")
mv "$1" "$out"
rm -rf "$a/get"
found "$out"

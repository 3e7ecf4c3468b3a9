#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fetch-src.sh SOURCE-PACKAGE FILE SHA256 - gets one file of a Debian source package into the download cache and
# prints its path. The pin is the file's sha256, not Debian's revision: the index is asked which version has it.
# Settings: those of fetch-lib.sh, and
#   TP_DEB_SRC='deb-src [signed-by=KEYRING] MIRROR bookworm main'   this entry instead of the machine's own
#                      (for another distribution, or once the release has moved to another archive)
set -eu
. "$(dirname "$0")/fetch-lib.sh"
pkg=$1 file=$2 sum=$3
out=$cache/dl/$file
hint="put $file (sha256 $sum) into $cache/dl, or set TP_DISTFILES, TP_MIRROR or TP_DEB_SRC"

found() { printf '%s\n' "$out"; exit 0; }
have "$file" "$sum" && found
[ -z "${TP_OFFLINE:-}" ] || die "TP_OFFLINE is set: $hint"
command -v apt-get >/dev/null || die "no apt-get here: $hint"
lock fetch
have "$file" "$sum" && found
rm -f "$out"

case $pkg in lib?*) section=$(printf %.4s "$pkg");; *) section=$(printf %.1s "$pkg");; esac
echo "  FETCH   $file" >&2
[ -n "${TP_DEB_SRC:-}" ] || ! pool_get "pool/main/$section/$pkg/$file" "$file" "$sum" || found

# not at its usual place: the machine's own entries as deb-src, and the signed index
private_apt "src${TP_DEB_SRC:+-user}"
if [ ! -f "$a/updated" ]; then
    rm -f "$a"/sources.d/*
    if [ -n "${TP_DEB_SRC:-}" ]; then
        printf '%s\n' "$TP_DEB_SRC" > "$a/sources.d/user.list"
    else
        n=0
        apt_files | while read -r f; do
            n=$((n + 1))
            case $f in
            *.list) sed -n -E 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$f" > "$a/sources.d/$n.list";;
            # only stanzas with binaries: a machine with deb-src stanzas too would have each twice
            *) awk 'BEGIN { RS = ""; ORS = "\n\n" }
                    /(^|\n)Types:[^\n]*deb([ \t]|\n|$)/ { gsub(/(^|\n)Types:[^\n]*/, "\nTypes: deb-src"); print }' \
                    "$f" > "$a/sources.d/$n.sources";;
            esac
        done
    fi
    echo "  APT     source index (once, about 12 MB)" >&2
    q apt-get -qq update >"$a/update.log" 2>&1 || :
    set -- "$a"/lists/*Sources*
    [ -f "$1" ] || { cat "$a/update.log" >&2; die "apt gave no source index: $hint"; }
    : > "$a/updated"
fi
ver=$(q apt-cache showsrc --only-source "$pkg" 2>/dev/null | awk -v f="$file" -v s="$sum" '
    /^Version:/ { v = $2 } $1 == s && $3 == f && v != "" { print v; exit }')
[ -n "$ver" ] || { rm -f "$a/updated"; die "no version of $pkg in this machine's apt has $file: $hint"; }
rm -rf "$a/get"
mkdir "$a/get"
case $file in *.debian.tar.*|*.diff.gz) part=--diff-only;; *) part=--tar-only;; esac
( cd "$a/get" && q apt-get -q source --download-only $part "$pkg=$ver" ) >"$a/get.log" 2>&1 || :
good "$a/get/$file" "$sum" || { grep -E '^(E|W|Err)' "$a/get.log" | tail -5 >&2; die "download failed: $hint"; }
mv "$a/get/$file" "$out"
rm -rf "$a/get"
found

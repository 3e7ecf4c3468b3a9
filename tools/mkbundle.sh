#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mkbundle.sh OUT.cpio VM.conf... - one archive of hospes.conf (all descriptions, file names made unique) and the files
# they name, found beside each description; AUTOEXEC=FILE becomes the monitor's script. A file that several name is
# stored once. Reproducible: fixed times and owners, sorted names.
set -eu
out=$(realpath -m "$1"); shift
"$(dirname "$0")/need.sh" cpio
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
: > "$tmp/hospes.conf"
n=0
for conf; do
    dir=$(dirname "$conf")
    while IFS= read -r line || [ -n "$line" ]; do
        key=$(printf '%s' "$line" | sed -nE 's/^[[:space:]]*(kernel|firmware|initrd)[[:space:]]*=[[:space:]]*(.*[^[:space:]])[[:space:]]*$/\1/p')
        file=
        if [ -n "$key" ]; then
            file=$(printf '%s' "$line" | sed -E 's/^[^=]*=[[:space:]]*(.*[^[:space:]])[[:space:]]*$/\1/')
        else
            case $line in *disk*=*image:*) key=disk; file=$(printf '%s' "$line" | sed -E 's/.*image:([^, ]*).*/\1/');; esac
        fi
        if [ -n "$file" ]; then
            name=$n-$(basename "$file")
            case $file in /*) from=$file ;; *) from=$dir/$file ;; esac
            k=0
            while [ -e "$tmp/$name" ] && ! cmp -s "$from" "$tmp/$name"; do    # another file of that name
                k=$((k + 1)) name=$n.$k-$(basename "$file")
            done
            [ -e "$tmp/$name" ] || cp -L "$from" "$tmp/$name"
            if [ "$key" = disk ]; then line=$(printf '%s' "$line" | sed "s|image:[^, ]*|image:$name|"); else line="$key = $name"; fi
        fi
        printf '%s\n' "$line" >> "$tmp/hospes.conf"
    done < "$conf"
    n=$((n + 1))
done
[ -z "${AUTOEXEC:-}" ] || cp -L "$AUTOEXEC" "$tmp/autoexec"
mkdir -p "$(dirname "$out")"
cd "$tmp"
find . -type f -printf '%P\n' | sort | { find . -exec touch -h -d @0 {} +; cpio -o -H newc --reproducible -R 0:0 --quiet; } > "$out.tmp"
mv "$out.tmp" "$out"

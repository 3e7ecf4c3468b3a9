#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make-guest.sh NAME DIR - brings the guest NAME up to date and lays it in DIR: kernel, initrd, vmlinux, firmware
# (those it has) as links into the cache, and vm.conf. Its recipe is guests/*/NAME.recipe, a shell fragment that sets
# $files to "NAME=PATH ..."; NAME.conf beside it is its vm.conf. Cheap when nothing has changed.
set -eu
guest=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")"
. ./lib.sh

recipe=$(ls -- */"$guest".recipe 2>/dev/null) ||
    die "no such guest; there are: $(ls -- */*.recipe | sed 's,.*/,,; s,\.recipe$,,' | sort | tr '\n' ' ')"
. "./$recipe"

for file in $files; do
    link=$out/${file%%=*}
    [ "$(readlink "$link" 2>/dev/null)" = "${file#*=}" ] || ln -sfn "${file#*=}" "$link"
done
for conf in "${recipe%.recipe}".conf "${recipe%.recipe}".*.conf; do
    [ -f "$conf" ] || continue
    to=$out/vm.conf
    [ "$conf" = "${recipe%.recipe}".conf ] || to=$out/$(basename "${conf#*"$guest".}")
    cmp -s "$conf" "$to" || cp "$conf" "$to"
done

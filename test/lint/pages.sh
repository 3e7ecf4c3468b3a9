#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The pages name what there is: every file or folder of the tree that README.md or docs/*.md mentions exists, every
# `make` target and every page linked. The reference's three companion pages are there. shows: R170 R171 R172
set -u
cd "$(dirname "$0")/../.." || exit 1
pages="README.md docs/*.md" bad= checked=0
for page in docs/memory.md docs/vm-interface.md docs/isa-riscv64.md; do
    [ "$(grep -c . "$page" 2> /dev/null)" -gt 20 ] || bad+="$page: missing, or hardly a page"$'\n'
done
while IFS=: read -r page name; do
    checked=$((checked + 1))
    for one in $(eval "printf '%s\n' $name" 2> /dev/null); do          # {a,b} and * as the shell has them
        [ -e "${one%[.,]}" ] || [ -e "$one.c" ] || bad+="$page: $one is not there"$'\n'
    done
done < <(grep -oE '(^|[ `(])(hv|drivers|boot|test|tools|docs|mk|linker|third_party)/[A-Za-z0-9_./{},*-]*[A-Za-z0-9_}*/]' $pages | sed -E 's/:[ `(]/:/' | sort -u)
while IFS=: read -r page link; do
    checked=$((checked + 1))
    [ -e "$(dirname "$page")/$link" ] || bad+="$page: links to $link"$'\n'
done < <(grep -oE '\]\([A-Za-z0-9_./-]+' $pages | sed 's/](//' | sort -u)
targets=$(cat Makefile mk/*.mk test/*/*.mk guests/*.mk third_party/*.mk | grep -oE '^[a-zA-Z0-9_. -]+:' | tr -d ':' | tr ' ' '\n')
while IFS=: read -r page target; do
    checked=$((checked + 1))
    grep -qxF -- "$target" <<< "$targets" || grep -qE "^guest-|^test-(host|guests)-" <<< "$target" || bad+="$page: make $target"$'\n'
done < <(grep -oE '`make [a-z][a-z0-9_-]+' $pages | sed 's/`make //' | sort -u)
printf '%s' "$bad"
echo "$checked files, links and targets looked up"
[ -z "$bad" ] && [ $checked -gt 50 ] && echo "1 passed, 0 failed" || { echo "0 passed, 1 failed"; exit 1; }

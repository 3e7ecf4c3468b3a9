#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# freestanding.sh NM IMAGE...: a firmware image needs nothing: no undefined symbol, no dynamic loader. And no source that goes
# into one includes a header of the C library. NM is the image's own nm, "nm=image" each. shows: R174
set -u
passed=0 failed=0
check() { if [ -z "$2" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); printf '%s: %s\n' "$1" "$2"; fi; }

# What the compiler itself brings (third_party/include stands in for string.h of the libraries), and the libraries of ours.
allowed='stdarg|stdbool|stddef|stdint|limits|libfdt|softfloat'
sources=$(find hv drivers boot -name '*.[chS]' | grep -vE '^(hv/arch/hosted|boot/hosted|drivers/block/hosted|drivers/net/hosted)/')
check "headers of the C library" "$(grep -nE '^ *#include *<' $sources | grep -vE "<($allowed)\.h>")"
for pair; do
    nm=${pair%%=*} image=${pair#*=}
    [ -s "$image" ] || { check "$image" "is not there"; continue; }
    check "$image: undefined symbols" "$("$nm" -u "$image" 2>&1)"
    [ "$("$nm" "$image" | grep -cE ' [Tt] ')" -gt 300 ]; check "$image: symbols" "$([ $? = 0 ] || echo 'hardly any: stripped?')"
    check "$image: loader" "$(LC_ALL=C readelf -lW "$image" | grep -E 'INTERP|DYNAMIC')"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]

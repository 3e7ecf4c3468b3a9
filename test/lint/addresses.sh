#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An address is made from another one by the wrapping functions of hv/base/types.h alone. shows: R168
set -u
sources=$(find hv drivers boot -name '*.[ch]' ! -path hv/base/types.h)
bad=$(grep -nE 'guest_(phys_)?addr(_make\(|\)\{ ?)[^;,]*\.v [-+] |\.v [-+]= ' $sources)
uses=$(grep -cohE 'guest_(phys_)?addr_wrapping_(add|sub)\(' $sources /dev/null | awk '{ n += $1 } END { print n }')
failed=0
[ -z "$bad" ] || { printf '%s\n' "$bad" | sed 's/$/   <- use the wrapping functions/'; failed=1; }
[ "$uses" -gt 10 ] || { echo "only $uses uses of the wrapping functions: is the pattern right?"; failed=1; }
echo "$uses uses of the wrapping functions"
echo "$((1 - failed)) passed, $failed failed"
exit $failed

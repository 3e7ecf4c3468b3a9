#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What must not compile: each test/negative/*.c has one mistake and says which error it earns (`// error: PATTERN`, in
# gcc's words and in clang's); `// fine` is one that does compile, so that a broken include path is noticed.
# The three address types cannot be mixed, and errors cannot be dropped. shows: R2 R7 R142
set -u
cd "$(dirname "$0")/../.." || exit 1
object=$(mktemp); trap 'rm -f "$object"' EXIT
flags="-std=gnu11 -c -o $object -I. -Wall -Wextra -Werror -Wno-return-type"
passed=0 failed=0
for cc in "${CC_hosted:-gcc}" clang; do
    command -v "${cc%% *}" > /dev/null || { echo "no $cc here: its half is not tried"; continue; }
    for file in test/negative/*.c; do
        said=$(LC_ALL=C $cc $flags "$file" 2>&1) && compiled=1 || compiled=0
        said=${said//[‘’]/\'}
        ok=0 why='compiles'
        if grep -q '^// fine' "$file"; then
            [ $compiled = 1 ] && ok=1 || why="does not compile: $said"
        elif [ $compiled = 0 ]; then
            why="fails for another reason: $said"
            # as many errors as mistakes, and it is the one that was meant
            while read -r pattern; do
                grep -qE "error: $pattern" <<< "$said" && [ "$(grep -c ' error: ' <<< "$said")" = 1 ] && ok=1
            done < <(sed -n 's|^// error: ||p' "$file")
        fi
        [ $ok = 1 ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "FAIL $cc $file: $why"; }
    done
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]

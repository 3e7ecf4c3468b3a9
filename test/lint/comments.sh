#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every declaration of a header has a comment: its own, or one in the group of lines it stands in. shows: R173
# Forward declarations and assertions speak for themselves.
set -u
bare=$(find hv drivers -name '*.h' | sort | xargs awk -f test/lint/declarations.awk) || exit 1
all=$(printf '%s\n' "$bare" | wc -l)
bare=$(printf '%s\n' "$bare" | grep -E '^[^:]*:[0-9]*:0:' | grep -vE ':0:(_Static_assert|(struct|union) [a-z0-9_]+;)' | sed 's/:0:/: no comment: /')
[ -z "$bare" ] || printf '%s\n' "$bare"
missing=$(printf '%s' "$bare" | grep -c .)
echo "$((all - missing)) / $all public declarations have a comment"
[ "$missing" = 0 ] && [ "$all" -gt 500 ] && echo "1 passed, 0 failed" || { echo "0 passed, 1 failed"; exit 1; }

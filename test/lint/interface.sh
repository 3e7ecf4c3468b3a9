#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program in docs/vm-interface.md is the one that test/unit/example_vm_test.c compiles and runs. shows: R171
set -u
program=test/unit/example_vm_test.c text=docs/vm-interface.md
tested=$(sed -n '/^\/\* example begins \*\/$/,/^\/\* example ends \*\/$/p' $program | sed '1d;$d')
printed=$(sed -n '/^```c$/,/^```$/p' $text | sed '1d;$d')
[ -n "$tested" ] && [ "$tested" = "$printed" ] && { echo "1 passed, 0 failed"; exit 0; }
echo "$text shows another program than $program"
echo "0 passed, 1 failed"
exit 1

# SPDX-License-Identifier: Apache-2.0
# A room may include itself or a room of lower rank; equal ranks are strangers. The longest matching prefix is the room.
BEGIN {
    split("hv/base 0 hv/arch 1 hv/core 2 hv/mmu 3 hv/ir 4 drivers 4 hv/exec 5 hv/interp 6 hv/jit 6 hv/native 6 hv/audit 7 hv/isa 7 " \
          "hv/vm 8 hv/manage 9 boot 10", t, " ")
    for (i = 1; i in t; i += 2) rank[t[i]] = t[i + 1]
}
function room(p,   r, best) {
    best = ""
    for (r in rank) if (index(p, r "/") == 1 && length(r) > length(best)) best = r
    return best
}
/^#include "/ {
    split($0, q, "\"")
    a = room(FILENAME); b = room(q[2])
    if (a == "") { print FILENAME ": in no known room"; bad = 1; next }
    if (b == "") {                                     # only generated headers lie outside the rooms
        if (q[2] !~ /^[a-z0-9_]+_decode\.h$/) { print FILENAME ": includes " q[2] " of no known room"; bad = 1 }
        next
    }
    if (a != b && rank[b] >= rank[a]) { print FILENAME ": " a " (" rank[a] ") may not include " q[2] " (" rank[b] ")"; bad = 1 }
}
/\.\.\// && /#include/ { print FILENAME ": relative include"; bad = 1 }
END { exit bad }

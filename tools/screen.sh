#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# screen.sh text|svg [FROM TO] - what a terminal of 80 columns shows of the bytes on standard input, as plain lines or as
# a picture: carriage returns, backspaces and the few escape sequences of a serial line are carried out, lines too long
# wrap. FROM and TO pick lines by number. In the picture a prompt and what was typed after it stand out.
set -eu
what=${1:-} from=${2:-1} to=${3:-1000000}
case $what in text|svg) ;; *) echo "screen: text or svg, not '$what'" >&2; exit 2 ;; esac
[[ $from$to =~ ^[0-9]+$ ]] || { echo "screen: lines are numbers: '$from' '$to'" >&2; exit 2; }

# In octal, so that any awk takes any byte.
od -An -v -to1 -w1 | LC_ALL=C awk -v what="$what" -v from="$from" -v to="$to" '
    BEGIN { wide = 80; row = last = 1; column = 0; for (i = 32; i < 127; i++) char[sprintf("%03o", i)] = sprintf("%c", i) }
    function pad(s, n) { while (length(s) < n) s = s " "; return s }
    function put(c) {
        if (column == wide) down()
        line[row] = substr(pad(line[row], column), 1, column) c substr(line[row], column + 2)
        column++
    }
    function down() { column = 0; if (++row > last) last = row }
    function clear_down() { while (last > row) delete line[last--] }
    function number(s, usual) { return s == "" ? usual : s + 0 }
    function control(words, final,    n) {
        n = number(words, 1)
        if (final == "C") column = column + n < wide ? column + n : wide - 1
        else if (final == "D") column = column > n ? column - n : 0
        else if (final == "A") row = row > n ? row - n : 1
        else if (final == "G") column = n - 1
        else if (final == "H" && words == "") { row = row > 24 ? row - 23 : 1; column = 0 }
        else if (final == "P") line[row] = substr(line[row], 1, column) substr(line[row], column + n + 1)
        else if (final == "K" && number(words, 0) == 0) line[row] = substr(line[row], 1, column)
        else if (final == "K") line[row] = words == 2 ? "" : pad("", column + 1) substr(line[row], column + 2)
        else if (final == "J" && number(words, 0) == 0) { line[row] = substr(line[row], 1, column); clear_down() }
        else if (final == "J" && words == 2) { row = last + (line[last] != ""); last = row; column = 0 }
    }
    state == "escape"  { state = $1 == "133" ? "words" : ""; words = ""; next }
    state == "words"   { if ($1 >= 100 && $1 in char) { control(words, char[$1]); state = "" } else words = words char[$1]; next }
    $1 == "033"        { state = "escape"; next }
    $1 == "015"        { column = 0; next }
    $1 == "012"        { down(); next }
    $1 == "010"        { if (column) column--; next }
    $1 == "011"        { do put(" "); while (column % 8); next }
    $1 in char         { put(char[$1]) }

    function quoted(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
    # A piece of a line at its columns, whatever font the viewer has.
    function piece(s, column, row, colour, weight,    blank) {
        match(s, /^ */)
        blank = RLENGTH
        s = substr(s, blank + 1)
        sub(/ +$/, "", s)
        if (s == "") return
        printf "<text xml:space=\"preserve\" x=\"%.1f\" y=\"%d\" textLength=\"%.1f\" fill=\"%s\"%s>%s</text>\n", \
            14 + (column + blank) * cell, 24 + (row - from) * high, length(s) * cell, colour, weight, quoted(s)
    }
    function draw(s, row,    n) {
        n = match(s, /^(hospes|demo)> /) ? RLENGTH : 0
        if (n) piece(substr(s, 1, n), 0, row, "#7fc8a9", "")
        if (n) piece(substr(s, n + 1), n, row, "#ffffff", " font-weight=\"bold\"")
        else piece(s, 0, row, s ~ /^\[ *[0-9]+\.[0-9]+\] / ? "#8a97a3" : "#d8dee3", "")
    }
    END {
        if (to > last) to = last
        while (to >= from && line[to] ~ /^ *$/) to--
        for (r = from; r <= to; r++) sub(/ +$/, "", line[r])
        if (what == "text") { for (r = from; r <= to; r++) print line[r]; exit }
        high = 17; cell = 8.4; width = wide * cell + 28; height = (to - from + 1) * high + 20
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\"\n", width, height, width, height
        print "     font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\">"
        printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#1b2228\"/>\n", width, height
        for (r = from; r <= to; r++) draw(line[r], r)
        print "</svg>"
    }'

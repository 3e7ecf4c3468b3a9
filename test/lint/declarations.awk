# SPDX-License-Identifier: Apache-2.0
# The outermost declarations of headers, comments and preprocessor lines taken out, each on one line: FILE:LINE:N:TEXT.
# N is 1 when the declaration's group, the lines around it without an empty one, has a comment; a body is "{}".
function flush_group(   i) {
    for (i = 0; i < held; i++) print where[i] ":" (group_has_comment ? 1 : 0) ":" text[i]
    held = 0
    group_has_comment = 0
}
function keep() {
    gsub(/[ \t]+/, " ", decl); sub(/^ /, "", decl); sub(/ $/, "", decl)
    if (decl != "" && decl != ";") { where[held] = FILENAME ":" first; text[held++] = decl }
    decl = ""; first = 0
}
FNR == 1 { flush_group(); in_comment = in_macro = depth = 0; decl = ""; first = 0; head = 1 }
{
    line = $0
    if (!in_comment && decl == "" && depth == 0 && line ~ /^[ \t]*$/) { flush_group(); head = 0; next }
    if (in_macro || (!in_comment && line ~ /^[ \t]*#/)) {
        in_macro = line ~ /\\$/
        if (line ~ /\/\*|\/\//) group_has_comment = 1
        if (line ~ /^#pragma once/) { flush_group(); head = 0 }       # what stands above is the file's own head
        next
    }
    for (at = 1; at <= length(line); at++) {
        two = substr(line, at, 2); one = substr(line, at, 1)
        if (in_comment) { if (two == "*/") { in_comment = 0; at++ } continue }
        if (two == "/*") { in_comment = 1; at++; if (!head) group_has_comment = 1; continue }
        if (two == "//") { if (!head) group_has_comment = 1; break }
        if (one == "{") { if (depth++ == 0) decl = decl " {}"; continue }
        if (one == "}") {
            if (--depth == 0 && decl !~ /^ *(typedef |(static |extern |const )*(struct|union|enum)[ A-Za-z0-9_]* \{\})/) keep()
            continue
        }
        if (depth) continue
        if (first == 0 && one !~ /[ \t]/) first = FNR
        if (one == ";") { decl = decl ";"; keep(); continue }
        decl = decl one
    }
    decl = decl " "
    if (decl ~ /^ *$/) decl = ""
}
END { flush_group() }

// SPDX-License-Identifier: Apache-2.0
/* Decode tables -> C. Usage: decgen TABLE.dec OUT   (writes OUT.c and OUT.h). A host tool, no dependencies.
 * The table has four nouns: field (where bits stand), args (a named argument list), format (which fields fill an
 * argument list, and how operands print) and row (one instruction: its bits in the manual's order). The language is
 * described in docs/isa-tables.md. Overlaps must be declared more specific first; everything else is refused. */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 256, MAX_ARGSETS = 64, MAX_FORMATS = 256, MAX_ROWS = 2048, MAX_NAMES = 32, MAX_SEGMENTS = 12, MAX_ARGS = 6,
       MAX_WORDS = 80, MAX_LINE = 1024, TEXT = 96 };

struct segment { unsigned lsb, length; };
struct field   { char name[TEXT]; bool is_signed; unsigned segments, shift; int plus; struct segment seg[MAX_SEGMENTS]; };
struct argset  { char name[TEXT]; unsigned count; char arg[MAX_ARGS][TEXT]; };
struct value   { bool is_const; int number; const struct field *field; };
struct format  { char name[TEXT]; const struct argset *set; struct value value[MAX_ARGS]; char operands[TEXT]; bool is_used; };
struct row     { char name[TEXT], symbol[TEXT], extension[TEXT], lift[TEXT], operands[TEXT];
                 unsigned bits, line; uint32_t mask, match; const struct format *format; };   /* format NULL: reserved */
struct names   { char name[TEXT]; unsigned count; char word[64][TEXT]; };
struct hook    { char name[TEXT]; };

static struct field   fields[MAX_FIELDS];    static unsigned field_count;
static struct argset  argsets[MAX_ARGSETS];  static unsigned argset_count;
static struct format  formats[MAX_FORMATS];  static unsigned format_count;
static struct row     rows[MAX_ROWS];        static unsigned row_count;
static struct names   name_tables[MAX_NAMES]; static unsigned names_count;
static struct hook    hooks[MAX_NAMES];      static unsigned hook_count;
static char isa_name[TEXT] = "", prefix[TEXT] = "";
static bool is_msb0;                         /* bits numbered from the left, as Power's manual does */
static unsigned word_bits = 32;              /* of the fields and formats that follow (numbering of msb0) */
static const char *table_name = "?";
static unsigned line_number;

__attribute__((noreturn, format(printf, 2, 3)))
static void refuse(unsigned line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%u: ", table_name, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void copy_text(char *to, const char *from)
{
    if (strlen(from) >= TEXT) {
        refuse(line_number, "too long: %s", from);
    }
    strcpy(to, from);
}

/* ---- reading ---- */

/* Splits at blanks; "quoted text" is one word (kept with its opening quote as a mark); # starts a comment. */
static unsigned split(char *line, char *words[])
{
    unsigned n = 0;
    char *p = line;
    for (;;) {
        while (isspace((unsigned char)*p)) {
            p++;
        }
        if (!*p || *p == '#') {
            return n;
        }
        if (n == MAX_WORDS) {
            refuse(line_number, "too many words");
        }
        words[n++] = p;
        if (*p == '"') {
            char *end = strchr(p + 1, '"');
            if (!end) {
                refuse(line_number, "text without its closing quote");
            }
            *end = 0;
            p = end + 1;
        } else {
            while (*p && !isspace((unsigned char)*p)) {
                p++;
            }
            if (*p) {
                *p++ = 0;
            }
        }
    }
}

static unsigned parse_number(const char *s, const char **end)
{
    if (!isdigit((unsigned char)*s)) {
        refuse(line_number, "expected a number at '%s'", s);
    }
    char *stop;
    unsigned long v = strtoul(s, &stop, 0);
    *end = stop;
    return (unsigned)v;
}

static struct segment parse_segment(const char **s)
{
    unsigned first = parse_number(*s, s), last = first;
    if (**s == ':') {
        last = parse_number(*s + 1, s);
    }
    if (first >= word_bits || last >= word_bits) {
        refuse(line_number, "bit outside of the %u-bit word", word_bits);
    }
    unsigned high = is_msb0 ? word_bits - 1 - first : first, low = is_msb0 ? word_bits - 1 - last : last;
    if (high < low) {
        refuse(line_number, "bits %u:%u stand the wrong way round", first, last);
    }
    return (struct segment){ low, high - low + 1 };
}

/* field NAME [signed] 31|7|30:25|11:8 [<< N] [+ N] : segments from the most significant down */
static void read_field(char *w[], unsigned n)
{
    if (n < 3 || field_count == MAX_FIELDS) {
        refuse(line_number, "field NAME [signed] BITS [<< N] [+ N]");
    }
    struct field *f = &fields[field_count];
    unsigned i = 2, width = 0;
    for (unsigned k = 0; k < field_count; k++) {
        if (!strcmp(fields[k].name, w[1])) {
            refuse(line_number, "field %s is declared twice", w[1]);
        }
    }
    copy_text(f->name, w[1]);
    if (!strcmp(w[i], "signed")) {
        f->is_signed = true;
        i++;
    }
    if (i >= n) {
        refuse(line_number, "field %s has no bits", f->name);
    }
    for (const char *s = w[i++];; s++) {
        if (f->segments == MAX_SEGMENTS) {
            refuse(line_number, "too many segments");
        }
        f->seg[f->segments] = parse_segment(&s);
        width += f->seg[f->segments++].length;
        if (!*s) {
            break;
        }
        if (*s != '|') {
            refuse(line_number, "unexpected '%s' in bits", s);
        }
    }
    for (; i + 1 < n; i += 2) {
        const char *end;
        if (!strcmp(w[i], "<<")) {
            f->shift = parse_number(w[i + 1], &end);
        } else if (!strcmp(w[i], "+")) {
            f->plus = (int)parse_number(w[i + 1], &end);
        } else {
            refuse(line_number, "unexpected '%s'", w[i]);
        }
    }
    if (i != n || width + f->shift > 32) {
        refuse(line_number, "field %s: trailing words, or wider than 32 bits", f->name);
    }
    field_count++;
}

static void read_args(char *w[], unsigned n)
{
    if (n < 2 || n > MAX_ARGS + 2 || argset_count == MAX_ARGSETS) {
        refuse(line_number, "args NAME ARG... (at most %d)", MAX_ARGS);
    }
    struct argset *a = &argsets[argset_count++];
    copy_text(a->name, w[1]);
    for (unsigned i = 2; i < n; i++) {
        copy_text(a->arg[a->count++], w[i]);
    }
}

static const struct argset *find_argset(const char *name)
{
    for (unsigned i = 0; i < argset_count; i++) {
        if (!strcmp(argsets[i].name, name)) {
            return &argsets[i];
        }
    }
    refuse(line_number, "no args '%s'", name);
}

static struct value parse_value(const char *word)
{
    struct value v = { 0 };
    if (isdigit((unsigned char)*word)) {
        const char *end;
        v.is_const = true;
        v.number = (int)parse_number(word, &end);
        return v;
    }
    for (unsigned i = 0; i < field_count; i++) {
        if (!strcmp(fields[i].name, word)) {
            v.field = &fields[i];
            return v;
        }
    }
    refuse(line_number, "no field '%s'", word);
}

/* format NAME ARGS FIELD-or-number... ["operands"] */
static void read_format(char *w[], unsigned n)
{
    if (n < 3 || format_count == MAX_FORMATS) {
        refuse(line_number, "format NAME ARGS FIELD... [\"operands\"]");
    }
    struct format *f = &formats[format_count++];
    copy_text(f->name, w[1]);
    f->set = find_argset(w[2]);
    unsigned i = 3;
    for (unsigned k = 0; k < f->set->count; k++, i++) {
        if (i >= n || w[i][0] == '"') {
            refuse(line_number, "format %s: args %s want %u values", f->name, f->set->name, f->set->count);
        }
        f->value[k] = parse_value(w[i]);
    }
    if (i < n && w[i][0] == '"') {
        copy_text(f->operands, w[i++] + 1);
    }
    if (i != n) {
        refuse(line_number, "unexpected '%s'", w[i]);
    }
}

static void read_names(char *w[], unsigned n)
{
    if (n < 3 || n - 2 > 64 || names_count == MAX_NAMES) {
        refuse(line_number, "names NAME WORD... (\"\" for none)");
    }
    struct names *t = &name_tables[names_count++];
    copy_text(t->name, w[1]);
    for (unsigned i = 2; i < n; i++) {
        copy_text(t->word[t->count++], w[i] + (w[i][0] == '"'));
    }
}

static bool is_bit_text(const char *s)
{
    return *s && strspn(s, "01.") == strlen(s);
}

/* Collects the bit words from w[i]; returns the index behind them. */
static unsigned read_bits(char *w[], unsigned n, unsigned i, struct row *r)
{
    for (; i < n && is_bit_text(w[i]); i++) {
        for (const char *s = w[i]; *s; s++) {
            r->mask = r->mask << 1 | (*s != '.');
            r->match = r->match << 1 | (*s == '1');
            r->bits++;
        }
    }
    if (r->bits != 16 && r->bits != 32) {
        refuse(line_number, "%s has %u bits; 16 or 32 are possible", r->name, r->bits);
    }
    return i;
}

/* c.addi16sp -> RV_C_ADDI16SP; ldr/post -> A64_LDR_POST, which prints as ldr */
static void make_symbol(struct row *r)
{
    size_t n = strlen(prefix);
    if (n + 1 + strlen(r->name) >= TEXT) {
        refuse(line_number, "too long: %s", r->name);
    }
    memcpy(r->symbol, prefix, n);
    r->symbol[n++] = '_';
    for (const char *s = r->name; *s; s++) {
        r->symbol[n++] = (char)(isalnum((unsigned char)*s) ? toupper((unsigned char)*s) : '_');
    }
    r->symbol[n] = 0;
}

/* NAME BITS FORMAT EXTENSION LIFT ["operands"]   |   reserved BITS */
static void read_row(char *w[], unsigned n)
{
    if (row_count == MAX_ROWS) {
        refuse(line_number, "too many rows");
    }
    struct row *r = &rows[row_count];
    bool is_reserved = !strcmp(w[0], "reserved");
    r->line = line_number;
    copy_text(r->name, w[0]);
    unsigned i = read_bits(w, n, 1, r);
    if (!is_reserved) {
        if (i + 3 > n) {
            refuse(line_number, "%s: BITS FORMAT EXTENSION LIFT wanted", r->name);
        }
        for (unsigned k = 0; k < row_count; k++) {
            if (!strcmp(rows[k].name, r->name)) {
                refuse(line_number, "%s is declared twice (line %u)", r->name, rows[k].line);
            }
        }
        for (unsigned k = 0; k < format_count; k++) {
            if (!strcmp(formats[k].name, w[i])) {
                formats[k].is_used = true;
                r->format = &formats[k];
            }
        }
        if (!r->format) {
            refuse(line_number, "no format '%s'", w[i]);
        }
        copy_text(r->extension, w[i + 1]);
        copy_text(r->lift, w[i + 2]);
        copy_text(r->operands, r->format->operands);
        i += 3;
        if (i < n && w[i][0] == '"') {
            copy_text(r->operands, w[i++] + 1);
        }
        make_symbol(r);
    }
    if (i != n) {
        refuse(line_number, "unexpected '%s'", w[i]);
    }
    row_count++;
}

static void read_table(FILE *in)
{
    char line[MAX_LINE], *w[MAX_WORDS];
    while (fgets(line, sizeof line, in)) {
        line_number++;
        unsigned n = split(line, w);
        if (!n) {
            continue;
        }
        if (!strcmp(w[0], "isa") && n == 3) {
            copy_text(isa_name, w[1]);
            copy_text(prefix, w[2]);
        } else if (!strcmp(w[0], "numbering") && n == 2) {
            is_msb0 = !strcmp(w[1], "msb0");
        } else if (!strcmp(w[0], "width") && n == 2) {
            const char *end;
            word_bits = parse_number(w[1], &end);
        } else if (!strcmp(w[0], "field")) {
            read_field(w, n);
        } else if (!strcmp(w[0], "args")) {
            read_args(w, n);
        } else if (!strcmp(w[0], "format")) {
            read_format(w, n);
        } else if (!strcmp(w[0], "names")) {
            read_names(w, n);
        } else if (!strcmp(w[0], "hook") && n == 2 && hook_count < MAX_NAMES) {
            copy_text(hooks[hook_count++].name, w[1]);
        } else {
            read_row(w, n);
        }
    }
    if (!isa_name[0] || !row_count) {
        refuse(line_number, "no isa line or no rows");
    }
}

/* ---- checking ---- */

/* Every word that matches a matches b too. */
static bool is_within(uint32_t mask_a, uint32_t match_a, const struct row *b)
{
    return (b->mask & ~mask_a) == 0 && ((match_a ^ b->match) & b->mask) == 0;
}

/* Two rows may share words only if the earlier lies wholly within the later, or if what they share belongs to a row that
 * stands before both. An earlier row that swallows a later one makes it dead: refused as well. */
static void check_overlaps(void)
{
    for (unsigned j = 0; j < row_count; j++) {
        for (unsigned i = 0; i < j; i++) {
            const struct row *a = &rows[i], *b = &rows[j];
            if (a->bits != b->bits || ((a->match ^ b->match) & a->mask & b->mask)) {
                continue;
            }
            if (is_within(b->mask, b->match, a)) {
                refuse(b->line, "%s can never be reached: %s (line %u) comes first", b->name, a->name, a->line);
            }
            if (is_within(a->mask, a->match, b)) {
                continue;
            }
            bool is_settled = false;
            for (unsigned k = 0; k < i && !is_settled; k++) {
                is_settled = rows[k].bits == a->bits && is_within(a->mask | b->mask, a->match | b->match, &rows[k]);
            }
            if (!is_settled) {
                refuse(b->line, "%s overlaps %s (line %u), and neither is the more specific", b->name, a->name, a->line);
            }
        }
    }
}

/* ---- operand templates ----
 * "{rd:x}" becomes %0A: argument 0, printed by kind A. Kinds: d decimal, h hex, u unsigned hex shifted down by 12,
 * p pc-relative target, g the same in pages of 4 KiB, A.. name tables, a.. hooks (from 'i' on to stay clear of the built-in letters). */
static char kind_letter(const char *kind, unsigned line)
{
    static const struct { const char *name; char letter; } built_in[] =
        { { "d", 'd' }, { "h", 'h' }, { "hi20", 'u' }, { "pc", 'p' }, { "page", 'g' } };
    for (unsigned i = 0; i < sizeof built_in / sizeof built_in[0]; i++) {
        if (!strcmp(kind, built_in[i].name)) {
            return built_in[i].letter;
        }
    }
    for (unsigned i = 0; i < names_count; i++) {
        if (!strcmp(kind, name_tables[i].name)) {
            return (char)('A' + i);
        }
    }
    for (unsigned i = 0; i < hook_count; i++) {
        if (kind[0] == '@' && !strcmp(kind + 1, hooks[i].name)) {
            return (char)('1' + i);
        }
    }
    refuse(line, "no way to print ':%s'", kind);
}

static void compile_template(const struct row *r, char *out, size_t cap)
{
    size_t n = 0;
    for (const char *s = r->operands; *s;) {
        if (n + 4 > cap) {
            refuse(r->line, "operands too long");
        }
        if (*s != '{') {
            out[n++] = *s++;
            continue;
        }
        char arg[TEXT], kind[TEXT];
        const char *colon = strchr(s, ':'), *end = strchr(s, '}');
        if (!colon || !end || colon > end) {
            refuse(r->line, "operands want {argument:kind}");
        }
        snprintf(arg, sizeof arg, "%.*s", (int)(colon - s - 1), s + 1);
        snprintf(kind, sizeof kind, "%.*s", (int)(end - colon - 1), colon + 1);
        unsigned k = 0;
        while (k < r->format->set->count && strcmp(r->format->set->arg[k], arg)) {
            k++;
        }
        if (k == r->format->set->count) {
            refuse(r->line, "args %s have no '%s'", r->format->set->name, arg);
        }
        out[n++] = '%';
        out[n++] = (char)('0' + k);
        out[n++] = kind_letter(kind, r->line);
        s = end + 1;
    }
    out[n] = 0;
}

/* ---- the decision tree ---- */

static FILE *c_file, *h_file;

static void indent(unsigned depth)
{
    fprintf(c_file, "%*s", (int)(depth * 4), "");
}

static void emit_leaf(const struct row *r, uint32_t tested, unsigned depth)
{
    uint32_t left = r->mask & ~tested;
    indent(depth);
    if (left) {
        fprintf(c_file, "if ((w & 0x%xu) == 0x%xu) ", left, r->match & left);
    }
    if (r->format) {
        fprintf(c_file, "return take_%s(w, %s, out);\n", r->format->name, r->symbol);
    } else {
        fprintf(c_file, "return false;\n");
    }
}

/* The longest run of neighbouring bits in m. */
static uint32_t longest_run(uint32_t m)
{
    uint32_t best = 0;
    unsigned best_length = 0;
    for (unsigned i = 0; i < 32;) {
        if (!(m >> i & 1)) {
            i++;
            continue;
        }
        unsigned length = 0;
        while (i + length < 32 && (m >> (i + length) & 1)) {
            length++;
        }
        if (length > best_length) {
            best_length = length;
            best = (uint32_t)(((1ull << length) - 1) << i);
        }
        i += length;
    }
    return best;
}

static unsigned bit_to_split(const struct row *set[], unsigned n, uint32_t tested)
{
    unsigned best = 32, best_count = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        unsigned zeros = 0, ones = 0;
        for (unsigned i = 0; i < n; i++) {
            if (set[i]->mask & ~tested & 1u << bit) {
                *(set[i]->match >> bit & 1 ? &ones : &zeros) += 1;
            }
        }
        if (zeros && ones && zeros + ones > best_count) {
            best_count = zeros + ones;
            best = bit;
        }
    }
    return best;
}

static void emit_tree(const struct row *set[], unsigned n, uint32_t tested, unsigned depth)
{
    const struct row *part[MAX_ROWS];
    uint32_t common = ~tested;
    for (unsigned i = 0; i < n; i++) {
        common &= set[i]->mask;
    }
    uint32_t field = n > 1 ? longest_run(common) : 0;
    if (field) {
        unsigned shift = (unsigned)__builtin_ctz(field);
        indent(depth);
        fprintf(c_file, "switch (w >> %u & 0x%xu) {\n", shift, field >> shift);
        for (unsigned first = 0; first < n; first++) {
            uint32_t v = set[first]->match & field;
            unsigned k = 0;
            bool is_done = false;
            for (unsigned i = 0; i < n; i++) {
                if ((set[i]->match & field) == v) {
                    is_done |= i < first;
                    part[k++] = set[i];
                }
            }
            if (!is_done) {
                indent(depth);
                fprintf(c_file, "case 0x%x:\n", v >> shift);
                emit_tree(part, k, tested | field, depth + 1);
            }
        }
        indent(depth);
        fprintf(c_file, "}\n");
        indent(depth);
        fprintf(c_file, "return false;\n");
        return;
    }
    unsigned bit = n > 3 ? bit_to_split(set, n, tested) : 32;
    if (bit < 32) {
        for (unsigned side = 2; side-- > 0;) {
            unsigned k = 0;
            for (unsigned i = 0; i < n; i++) {
                if (!(set[i]->mask >> bit & 1) || (set[i]->match >> bit & 1) == side) {
                    part[k++] = set[i];
                }
            }
            if (side) {
                indent(depth);
                fprintf(c_file, "if (w >> %u & 1) {\n", bit);
            }
            emit_tree(part, k, tested | 1u << bit, depth + side);
            if (side) {
                indent(depth);
                fprintf(c_file, "}\n");
            }
        }
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        emit_leaf(set[i], tested, depth);
        if (!(set[i]->mask & ~tested)) {
            return;
        }
    }
    indent(depth);
    fprintf(c_file, "return false;\n");
}

static void emit_decoder(unsigned bits)
{
    const struct row *set[MAX_ROWS];
    unsigned n = 0;
    for (unsigned i = 0; i < row_count; i++) {
        if (rows[i].bits == bits) {
            set[n++] = &rows[i];
        }
    }
    fprintf(c_file, "static bool decode_%u(uint32_t w, struct insn *out)\n{\n", bits);
    if (n) {
        emit_tree(set, n, bits == 32 ? 0 : 0xffff0000u, 1);
    } else {
        fprintf(c_file, "    (void)w;\n    (void)out;\n    return false;\n");
    }
    fprintf(c_file, "}\n\n");
}

/* ---- the rest of the output ---- */

static void emit_value(const struct value *v)
{
    if (v->is_const) {
        fprintf(c_file, "%d", v->number);
        return;
    }
    const struct field *f = v->field;
    unsigned width = f->shift, at = 0;
    for (unsigned i = 0; i < f->segments; i++) {
        width += f->seg[i].length;
    }
    if (f->plus) {
        fprintf(c_file, "%d + ", f->plus);
    }
    fprintf(c_file, f->is_signed ? "(int32_t)((" : "(int32_t)(");
    at = width;
    for (unsigned i = 0; i < f->segments; i++) {
        at -= f->seg[i].length;
        uint32_t ones = (uint32_t)((1ull << f->seg[i].length) - 1);
        fprintf(c_file, "%s(w >> %u & 0x%xu) << %u", i ? " | " : "", f->seg[i].lsb, ones, at);
    }
    if (f->is_signed) {
        fprintf(c_file, ") << %u) >> %u", 32 - width, 32 - width);
    } else {
        fprintf(c_file, ")");
    }
}

static void emit_formats(void)
{
    for (unsigned i = 0; i < format_count; i++) {
        const struct format *f = &formats[i];
        if (!f->is_used) {
            continue;
        }
        fprintf(c_file, "static bool take_%s(uint32_t w, uint16_t op, struct insn *out)\n{\n    out->op = op;\n", f->name);
        fprintf(c_file, "    out->arg_count = %u;\n", f->set->count);
        for (unsigned k = 0; k < f->set->count; k++) {
            fprintf(c_file, "    out->arg[%u] = ", k);
            emit_value(&f->value[k]);
            fprintf(c_file, ";\n");
        }
        fprintf(c_file, "    (void)w;\n    return true;\n}\n\n");
    }
}

static void emit_c(const char *base)
{
    const char *slash = strrchr(base, '/');
    fprintf(c_file, "/* Generated by decgen from a decode table; do not edit. */\n#include \"%s.h\"\n\n", slash ? slash + 1 : base);
    emit_formats();
    emit_decoder(32);
    emit_decoder(16);
    fprintf(c_file, "bool %s_decode(uint32_t bits, unsigned size_bytes, struct insn *out)\n{\n"
                    "    return size_bytes == 2 ? decode_16(bits & 0xffffu, out) : decode_32(bits, out);\n}\n\n", isa_name);
    for (unsigned i = 0; i < names_count; i++) {
        fprintf(c_file, "static const char *const names_%s[] = {", name_tables[i].name);
        for (unsigned k = 0; k < name_tables[i].count; k++) {
            fprintf(c_file, "%s \"%s\"", k ? "," : "", name_tables[i].word[k]);
        }
        fprintf(c_file, " };\n");
    }
    fprintf(c_file, "\nstatic const struct print_names tables[] = {\n");
    for (unsigned i = 0; i < names_count; i++) {
        fprintf(c_file, "    { names_%s, %u },\n", name_tables[i].name, name_tables[i].count);
    }
    fprintf(c_file, "    { 0, 0 },\n};\nstatic print_hook *const hooks[] = {\n");
    for (unsigned i = 0; i < hook_count; i++) {
        fprintf(c_file, "    %s_print_%s,\n", isa_name, hooks[i].name);
    }
    fprintf(c_file, "    0,\n};\n\nconst struct decode_row %s_rows[] = {\n", isa_name);
    for (unsigned i = 0; i < row_count; i++) {
        char operands[TEXT];
        if (rows[i].format) {
            compile_template(&rows[i], operands, sizeof operands);
            int printed = (int)strcspn(rows[i].name, "/");
            fprintf(c_file, "    { \"%.*s\", \"%s\", \"%s\", 0x%08x, 0x%08x, %u },\n", printed, rows[i].name, rows[i].extension, operands,
                    rows[i].mask, rows[i].match, rows[i].bits / 8);
        }
    }
    fprintf(c_file, "};\n\nconst struct decode_table %s_table = { %s_rows, %s_ROW_COUNT, tables, %u, hooks, %u };\n", isa_name, isa_name,
            prefix, names_count, hook_count);
}

static void emit_h(void)
{
    fprintf(h_file, "/* Generated by decgen from a decode table; do not edit. */\n#pragma once\n#include \"hv/isa/decode_table.h\"\n\n");
    fprintf(h_file, "enum %s_row {\n", isa_name);
    for (unsigned i = 0; i < row_count; i++) {
        if (rows[i].format) {
            fprintf(h_file, "    %s,\n", rows[i].symbol);
        }
    }
    fprintf(h_file, "    %s_ROW_COUNT\n};\n\n/* Argument lists: views of struct insn's arg[]. */\n", prefix);
    for (unsigned i = 0; i < argset_count; i++) {
        if (argsets[i].count) {
            fprintf(h_file, "struct %s_%s { int32_t ", isa_name, argsets[i].name);
            for (unsigned k = 0; k < argsets[i].count; k++) {
                fprintf(h_file, "%s%s", k ? ", " : "", argsets[i].arg[k]);
            }
            fprintf(h_file, "; };\nstatic inline struct %s_%s %s_%s(const struct insn *i)\n{\n    return (struct %s_%s){ ", isa_name,
                    argsets[i].name, isa_name, argsets[i].name, isa_name, argsets[i].name);
            for (unsigned k = 0; k < argsets[i].count; k++) {
                fprintf(h_file, "%si->arg[%u]", k ? ", " : "", k);
            }
            fprintf(h_file, " };\n}\n");
        }
    }
    fprintf(h_file, "\n/* Row, name of its lift function. */\n#define %s_ROW_LIST(_) \\\n", prefix);
    for (unsigned i = 0; i < row_count; i++) {
        if (rows[i].format) {
            fprintf(h_file, "    _(%s, %s) \\\n", rows[i].symbol, rows[i].lift);
        }
    }
    fprintf(h_file, "\nextern const struct decode_row %s_rows[];\nextern const struct decode_table %s_table;\n", isa_name, isa_name);
    for (unsigned i = 0; i < hook_count; i++) {
        fprintf(h_file, "int %s_print_%s(int32_t value, char *out, size_t cap_bytes);\n", isa_name, hooks[i].name);
    }
    fprintf(h_file, "/* Fills op, arg and arg_count. False: no row has these bits. */\n"
                    "bool %s_decode(uint32_t bits, unsigned size_bytes, struct insn *out);\n", isa_name);
}

static FILE *open_out(const char *base, const char *tail)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s", base, tail);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: decgen TABLE.dec OUT\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "r");
    if (!in) {
        perror(argv[1]);
        return 1;
    }
    table_name = argv[1];
    read_table(in);
    fclose(in);
    check_overlaps();
    c_file = open_out(argv[2], ".c");
    h_file = open_out(argv[2], ".h");
    emit_c(argv[2]);
    emit_h();
    return fclose(c_file) || fclose(h_file) ? 1 : 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Running a row, completing a line, and the arguments of commands; see command.h. */
#include "hv/manage/command.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/event.h"
#include "hv/vm/config.h"

/* ---- errors ---- */
void fail(struct call *c, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    hv_vsnprintf(line, sizeof line, format, args);
    va_end(args);
    say("%s: %s\n", c->command->name, line);
    c->has_failed = true;
}

void command_usage(struct call *c)
{
    const char *blank = *c->command->arguments ? " " : "";
    say("usage: %s%s%s\n       %s\n", c->command->name, blank, c->command->arguments, c->command->help);
    c->has_failed = true;
}

bool succeeded(struct call *c, struct vm_error e, const char *what)
{
    char text[200];
    if (!vm_failed(e)) return true;
    bool has_reason = e.domain == VM_ERROR_CORE || e.domain == VM_ERROR_DEVICE || e.domain == VM_ERROR_PLATFORM;
    vm_error_format(text, sizeof text, &e);
    fail(c, "%s: %s", what, has_reason && e.reason ? e.reason : text);
    return false;
}

/* ---- what was probably meant ---- */
struct nearest { const char *word, *best; unsigned least; };

static void compare(void *ctx, const char *name)
{
    struct nearest *n = ctx;
    unsigned d = config_distance(n->word, name);
    if (d < n->least && d < strlen(name)) n->least = d, n->best = name;
}

static void each_command(command_take_fn *take, void *ctx)
{
    const struct command_table *t;
    for (unsigned n = 0; (t = command_table(n)); n++) {
        for (unsigned i = 0; i < t->count; i++) take(ctx, t->command[i].name);
    }
}

static void each_vm(command_take_fn *take, void *ctx)
{
    LIST_FOR_EACH(it, vm_all()) take(ctx, CONTAINER_OF(it, struct vm, link)->name);
}

/* The second words of `vm`, `info` and the like. */
static bool has_family(const char *word)
{
    const struct command_table *t;
    size_t length = strlen(word);
    bool is_family = false;
    for (unsigned n = 0; (t = command_table(n)); n++) {
        for (unsigned i = 0; i < t->count; i++) {
            const char *name = t->command[i].name;
            if (strncmp(name, word, length) || name[length] != ' ') continue;
            if (!is_family) say("usage: %s one of:\n", word);
            is_family = true;
            say("  %-16s %-32s %s\n", name + length + 1, t->command[i].arguments, t->command[i].help);
        }
    }
    return is_family;
}

static void refuse(char *words[], unsigned count)
{
    char both[64];
    struct nearest n = { .word = both, .least = 3 };
    if (count == 1 && has_family(words[0])) return;
    hv_snprintf(both, sizeof both, count > 1 ? "%s %s" : "%s", words[0], count > 1 ? words[1] : "");
    each_command(compare, &n);
    n.word = words[0];
    if (!n.best) each_command(compare, &n);
    if (n.best) say("%.40s: no such command (did you mean %s?)\n", both, n.best);
    else if (!has_family(words[0])) say("%.40s: no such command (help lists them)\n", words[0]);
}

bool command_run(char *words[], unsigned count)
{
    unsigned used, least, most;
    struct call c = { .command = command_find(words, count, &used) };
    if (!c.command) {
        refuse(words, count);
        return false;
    }
    c.argc = count - used;
    memcpy(c.argv, words + used, c.argc * sizeof *words);
    command_arity(c.command, &least, &most);
    if (c.argc < least || c.argc > most) command_usage(&c);
    else c.command->run(&c);
    return !c.has_failed;
}

/* ---- arguments ---- */
struct vm *want_vm(struct call *c, unsigned n)
{
    struct vm *vm = vm_find(c->argv[n]);
    if (vm) return vm;
    struct nearest near = { .word = c->argv[n], .least = 3 };
    each_vm(compare, &near);
    if (near.best) fail(c, "no VM is named %.40s (did you mean %s?)", c->argv[n], near.best);
    else fail(c, "no VM is named %.40s (vm list shows them)", c->argv[n]);
    return NULL;
}

bool want_number(struct call *c, unsigned n, const char *what, uint64_t *out)
{
    if (hv_parse_u64(c->argv[n], true, out)) return true;
    fail(c, "%.40s is no %s (write 42, 0x2a or 64K)", c->argv[n], what);
    return false;
}

bool want_vcpu(struct call *c, const struct vm *vm, unsigned n, struct vcpu **out)
{
    uint64_t id = 0;
    if (n < c->argc && !want_number(c, n, "vCPU number", &id)) return false;
    if (id >= vm->config.vcpu_count) {
        fail(c, "%s has no vCPU %lu (0 to %u)", vm->name, (unsigned long)id, vm->config.vcpu_count - 1u);
        return false;
    }
    *out = &vm->vcpus[id];
    return true;
}

/* ---- completion ---- */
struct filter { const char *begin; command_take_fn *take; void *ctx; };

static void take_if_begun(void *ctx, const char *name)
{
    struct filter *f = ctx;
    if (!strncmp(name, f->begin, strlen(f->begin))) f->take(f->ctx, name);
}

/* Commands by word: "vm" once, and its second words behind it. */
static void take_commands(const char *first, struct filter *f)
{
    char word[32], last[32] = "";
    const struct command_table *t;
    for (unsigned n = 0; (t = command_table(n)); n++) {
        for (unsigned i = 0; i < t->count; i++) {
            const char *name = t->command[i].name, *space = strchr(name, ' ');
            size_t length = space ? (size_t)(space - name) : strlen(name);
            bool is_in_family = first && space && strlen(first) == length && !strncmp(first, name, length);
            if (first && !is_in_family) continue;
            hv_snprintf(word, sizeof word, "%.*s", first ? 31 : (int)length, first ? space + 1 : name);
            if (strcmp(word, last)) take_if_begun(f, word);
            memcpy(last, word, sizeof last);
        }
    }
}

/* The words of a choice: a|b|c. */
static void take_choice(const char *choice, size_t length, struct filter *f)
{
    char word[32];
    const char *end = choice + length;
    while (choice < end) {
        const char *bar = memchr(choice, '|', (size_t)(end - choice));
        if (!bar) bar = end;
        hv_snprintf(word, sizeof word, "%.*s", (int)(bar - choice), choice);
        take_if_begun(f, word);
        choice = bar + 1;
    }
}

static void take_registers(const struct vm *vm, struct filter *f)
{
    for (unsigned i = 0; vm && i < vm->ops->isa->reg_count; i++) {
        const struct reg_desc *r = &vm->ops->isa->regs[i];
        take_if_begun(f, r->name);
        if (r->alias) take_if_begun(f, r->alias);
    }
}

static void take_argument(const struct command *c, unsigned n, const struct vm *vm, struct filter *f)
{
    static const char *const levels = "error|notice|info|debug";
    const char *at = c->arguments;
    for (; n && strchr(at, ' '); n--) at = strchr(at, ' ') + 1;
    if (n && !strstr(at, "...")) return;
    const char *end = strchr(at, ' ');
    if (!end) end = at + strlen(at);
    while (at < end && *at == '[') at++;
    while (end > at && (end[-1] == ']' || end[-1] == '.')) end--;
    size_t length = (size_t)(end - at);
#define IS(word) (length == sizeof word - 1 && !strncmp(at, word, length))
    if (IS("VM")) each_vm(take_if_begun, f);
    else if (IS("REG")) take_registers(vm, f);
    else if (IS("LEVEL")) take_choice(levels, strlen(levels), f);
    else if (IS("COMMAND")) take_commands(NULL, f);
    else if (IS("KEY=VALUE")) for (unsigned i = 0; config_key(i); i++) take_if_begun(f, config_key(i));
    else if (IS("KIND")) for (unsigned i = 0; i < EVENT_KIND_COUNT; i++) take_if_begun(f, event_kind_name((enum event_kind)i));
    else if (*at < 'A' || *at > 'Z') take_choice(at, length, f);
#undef IS
}

void command_complete(const char *line, command_take_fn *take, void *ctx)
{
    char copy[256], *words[COMMAND_MAX_WORDS], *from = copy;
    const char *error;
    unsigned count = 0, used;
    hv_snprintf(copy, sizeof copy, "%s", line);
    while (from) from = command_words(from, words, COMMAND_MAX_WORDS, &count, &error);    /* the last command of the line */
    bool begins_word = !*line || line[strlen(line) - 1] == ' ' || line[strlen(line) - 1] == ';';
    if (begins_word && count < COMMAND_MAX_WORDS) words[count++] = copy + sizeof copy - 1, copy[sizeof copy - 1] = 0;
    if (!count || error) return;                                     /* a comment, a quote that is not closed */
    struct filter f = { words[count - 1], take, ctx };
    if (count == 1) {
        take_commands(NULL, &f);
        return;
    }
    const struct command *c = command_find(words, count - 1, &used);
    if (!c) {
        if (count == 2) take_commands(words[0], &f);
        return;
    }
    take_argument(c, count - 1 - used, count > used + 1 ? vm_find(words[used]) : NULL, &f);
    if (count == 2 && used == 1) take_commands(words[0], &f);       /* "log" and "log level" alike */
}

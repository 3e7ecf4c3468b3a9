// SPDX-License-Identifier: Apache-2.0
/* Parser of VM descriptions; see config.h. One row a key. */
#include "hv/vm/config.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/jit/info.h"

#define CONFIG_MAX_MEMORY        GIB(1024)
#define CONFIG_MAX_CMDLINE_BYTES 4096

/* Sets one field from text; NULL or what is wrong with the value. */
typedef const char *set_fn(struct vm_config *c, char *value);

static const char *set_arch(struct vm_config *c, char *value)
{
    static const char *const words[][2] = {
#define X(e, n, w) [e] = { n, w },
        GUEST_ARCH_LIST(X)
#undef X
    };
    for (unsigned i = 0; i < GUEST_ARCH_COUNT; i++) {
        if (strcmp(value, words[i][0]) && strcmp(value, words[i][1])) continue;
        c->guest_arch = (enum guest_arch)i;
        return NULL;
    }
    return "is no guest architecture (riscv64, arm64, x86_64, ppc64)";
}

static const char *set_mode(struct vm_config *c, char *value)
{
    c->is_mode_auto = !strcmp(value, "auto");
    if (c->is_mode_auto) return NULL;
    for (unsigned i = 0; i < EXEC_MODE_COUNT; i++) {
        if (strcmp(value, exec_mode_name((enum exec_mode)i))) continue;
        c->exec_mode = (enum exec_mode)i;
        return NULL;
    }
    return "is no mode (interpreter, jit, hardware, auto)";
}

static const char *set_memory(struct vm_config *c, char *value)
{
    uint64_t size;
    if (!hv_parse_u64(value, true, &size)) return "is no size (write 128M or 1G)";
    if (!size || size % HV_PAGE_BYTES) return "must be a multiple of 4K and not 0";
    if (size > CONFIG_MAX_MEMORY) return "is more than 1024G";
    c->memory_size = size;
    return NULL;
}

static const char *set_vcpus(struct vm_config *c, char *value)
{
    uint64_t n;
    if (!hv_parse_u64(value, false, &n)) return "is no number";
    if (!n || n > VM_MAX_VCPUS) return "must be 1 to 64";
    c->vcpu_count = (uint16_t)n;
    return NULL;
}

static const char *set_kernel(struct vm_config *c, char *value)   { c->kernel_path = value; return NULL; }
static const char *set_firmware(struct vm_config *c, char *value) { c->firmware_path = value; return NULL; }
static const char *set_initrd(struct vm_config *c, char *value)   { c->initrd_path = value; return NULL; }

static const char *set_cmdline(struct vm_config *c, char *value)
{
    if (strnlen(value, CONFIG_MAX_CMDLINE_BYTES) == CONFIG_MAX_CMDLINE_BYTES) return "is longer than 4095 bytes";
    c->cmdline = value;
    return NULL;
}

/* What names a disk of the host, behind "host:". */
static const char *check_host_disk(const char *spec)
{
    static const char form[] = "names no disk of the host (write host:0 or host:0p2)";
    const char *at = spec;
    for (unsigned part = 0; part < 2; part++, at++) {
        const char *from = at;
        while (*at >= '0' && *at <= '9') at++;
        if (at == from || at - from > 4) return form;
        if (!*at) return NULL;
        if (*at != 'p') return form;
    }
    return form;
}

/* disk = ram:SIZE | image:FILE[,ro] | host:N[pM][,ro] | file:FILE[,ro] | FILE[,ro] */
static const char *set_disk(struct vm_config *c, char *value)
{
    if (c->disk_count == VM_MAX_DISKS) return "is one disk too many (8 at most)";
    struct disk_config d = { .kind = DISK_FILE, .path = value };
    char *comma = strchr(value, ',');
    if (comma) {
        *comma++ = 0;
        if (strcmp(comma, "ro")) return "has an unknown word after the comma (only ro)";
        d.is_read_only = true;
    }
    if (!strncmp(value, "ram:", 4)) {
        d.kind = DISK_RAM;
        d.path = NULL;
        if (!hv_parse_u64(value + 4, true, &d.size_bytes) || !d.size_bytes) return "has no size (write ram:16M)";
        if (d.size_bytes > CONFIG_MAX_MEMORY) return "is more than 1024G";
        if (d.is_read_only) return "is RAM and read-only: it would be empty for ever";
    } else if (!strncmp(value, "image:", 6)) {
        d.kind = DISK_IMAGE;
        d.path = value + 6;
        d.has_overlay = !d.is_read_only;
    } else if (!strncmp(value, "host:", 5)) {
        const char *why = check_host_disk(value + 5);
        if (why) return why;
        d.kind = DISK_HOST;
        d.path = value + 5;
    } else if (!strncmp(value, "file:", 5)) {
        d.path = value + 5;
    }
    if (d.path && !*d.path) return "names no file";
    c->disk[c->disk_count++] = d;
    return NULL;
}

/* 52:54:00:12:34:56 */
static bool parse_mac(const char *text, uint8_t *out)
{
    for (unsigned i = 0; i < 6; i++, text += 3) {
        uint64_t byte;
        char digits[] = { '0', 'x', text[0], text[0] ? text[1] : 0, 0 };
        if (!digits[3] || !hv_parse_u64(digits, false, &byte) || text[2] != (i < 5 ? ':' : 0)) return false;
        out[i] = (uint8_t)byte;
    }
    return true;
}

static const char *set_nic_word(struct nic_config *n, char *word)
{
    static const uint8_t none[6];
    uint64_t v;
    if (!strcmp(word, "trunk")) {
        n->is_trunk = true;
    } else if (!strcmp(word, "any-mac")) {
        n->has_any_mac = true;
    } else if (!strncmp(word, "mac=", 4)) {
        if (!parse_mac(word + 4, n->mac)) return "has no MAC address (write mac=52:54:00:12:34:56)";
        if (n->mac[0] & 1 || !memcmp(n->mac, none, sizeof none)) return "has a MAC address that is no single card's";
        n->has_mac = true;
    } else if (!strncmp(word, "vlan=", 5)) {
        if (!hv_parse_u64(word + 5, false, &v) || v > 4094) return "has no VLAN (0 to 4094)";
        n->vlan = (uint16_t)v;
    } else if (!strncmp(word, "queues=", 7)) {
        if (!hv_parse_u64(word + 7, false, &v) || !v || v > VM_MAX_NIC_PAIRS) return "has no number of queues (1 to 4)";
        n->pairs = (uint16_t)v;
    } else if (!strncmp(word, "rate=", 5)) {
        if (!hv_parse_u64(word + 5, true, &v) || v < KIB(1) || v > GIB(1024)) return "has no rate (bytes a second, rate=1M)";
        n->rate_bytes = v;
    } else {
        return "has an unknown word (mac=, vlan=, trunk, any-mac, queues=, rate=)";
    }
    return NULL;
}

/* net = switch[,WORD]... */
static const char *set_net(struct vm_config *c, char *value)
{
    if (c->nic_count == VM_MAX_NICS) return "is one network card too many (4 at most)";
    struct nic_config n = { .pairs = 1 };
    char *word = strchr(value, ',');
    if (word) *word++ = 0;
    if (strcmp(value, "switch")) return "is no network (write switch)";
    for (char *next; word; word = next) {
        next = strchr(word, ',');
        if (next) *next++ = 0;
        const char *why = set_nic_word(&n, word);
        if (why) return why;
    }
    c->nic[c->nic_count++] = n;
    return NULL;
}

static const char *set_option(struct vm_config *c, char *value)
{
    if (c->option_count == VM_MAX_OPTIONS) return "is one option too many (8 at most)";
    if (!strchr(value, '=')) return "is not of the form key=value";
    c->option[c->option_count++] = value;
    return NULL;
}

static const char *set_weight(struct vm_config *c, char *value)
{
    uint64_t n;
    if (!hv_parse_u64(value, false, &n) || !n || n > VM_MAX_WEIGHT) return "must be 1 to 10000 (100 is usual)";
    c->weight = (uint32_t)n;
    return NULL;
}

/* cap = N% */
static const char *set_cap(struct vm_config *c, char *value)
{
    uint64_t n;
    char *percent = strchr(value, '%');
    if (percent && !percent[1]) *percent = 0;
    if (!hv_parse_u64(value, false, &n) || n > VM_MAX_CAP) return "is no part of a core (write 50%, or 150% for one and a half; 0: none)";
    c->cap_percent = (uint32_t)n;
    return NULL;
}

/* cpus = 0,2-3 */
static const char *set_cpus(struct vm_config *c, char *value)
{
    static const char form[] = "is no list of cores (write 0 or 0,2-3; there are at most 64)";
    uint64_t mask = 0;
    for (char *next; value; value = next) {
        uint64_t from, to;
        next = strchr(value, ',');
        if (next) *next++ = 0;
        char *dash = strchr(value, '-');
        if (dash) *dash++ = 0;
        if (!hv_parse_u64(value, false, &from)) return form;
        to = from;
        if ((dash && !hv_parse_u64(dash, false, &to)) || to >= 64 || to < from) return form;
        for (; from <= to; from++) mask |= 1ull << from;
    }
    c->cpus = mask;
    return NULL;
}

static const char *set_restart(struct vm_config *c, char *value)
{
    for (unsigned i = RESTART_NEVER; i <= RESTART_ALWAYS; i++) {
        if (strcmp(value, vm_restart_name((enum vm_restart)i))) continue;
        c->restart = (enum vm_restart)i;
        return NULL;
    }
    return "is no policy (never, on-failure, always)";
}

/* watchdog = SECONDS[:reset|stop|log] */
static const char *set_watchdog(struct vm_config *c, char *value)
{
    static const char form[] = "is no watchdog (write 30, 30:reset, 30:stop or 30:log; 0: none)";
    uint64_t s;
    char *action = strchr(value, ':');
    if (action) *action++ = 0;
    if (!hv_parse_u64(value, false, &s)) return form;
    if (s > VM_MAX_WATCHDOG_S) return "is more than a day (86400)";
    unsigned i = WATCHDOG_RESET;
    while (action && i <= WATCHDOG_LOG && strcmp(action, vm_watchdog_name((enum vm_watchdog)i))) i++;
    if (i > WATCHDOG_LOG) return form;
    c->watchdog_s = (uint32_t)s;
    c->watchdog = (enum vm_watchdog)i;
    return NULL;
}

static const char *set_autostart(struct vm_config *c, char *value)
{
    c->is_manual = !strcmp(value, "no");
    return c->is_manual || !strcmp(value, "yes") ? NULL : "is neither yes nor no";
}

static const char *set_audit(struct vm_config *c, char *value)
{
    c->is_audited = !strcmp(value, "yes");
    return c->is_audited || !strcmp(value, "no") ? NULL : "is neither yes nor no";
}

static const char *set_code_cache(struct vm_config *c, char *value)
{
    uint64_t size;
    _Static_assert(JIT_CODE_LEAST == KIB(64) && JIT_CODE_MOST == MIB(8), "the text below");
    if (!hv_parse_u64(value, true, &size)) return "is no size (write 512K or 4M)";
    if (size < JIT_CODE_LEAST || size > JIT_CODE_MOST) return "must be 64K to 8M";
    if (size % HV_PAGE_BYTES) return "must be a multiple of 4K";
    c->code_cache_bytes = (uint32_t)size;
    return NULL;
}

static const struct key { const char *name; set_fn *set; bool may_repeat; } keys[] = {
    { "arch",     set_arch,     false },
    { "memory",   set_memory,   false },
    { "vcpus",    set_vcpus,    false },
    { "mode",     set_mode,     false },
    { "kernel",   set_kernel,   false },
    { "firmware", set_firmware, false },
    { "initrd",   set_initrd,   false },
    { "cmdline",  set_cmdline,  false },
    { "disk",     set_disk,     true  },
    { "net",      set_net,      true  },
    { "option",   set_option,   true  },
    { "weight",   set_weight,   false },
    { "cap",      set_cap,      false },
    { "cpus",     set_cpus,     false },
    { "restart",  set_restart,  false },
    { "watchdog", set_watchdog, false },
    { "autostart", set_autostart, false },
    { "audit",    set_audit,    false },
    { "code_cache", set_code_cache, false },
};

static const struct key *find_key(const char *name)
{
    for (unsigned i = 0; i < ARRAY_COUNT(keys); i++) {
        if (!strcmp(keys[i].name, name)) return &keys[i];
    }
    return NULL;
}

const char *config_key(unsigned n) { return n < ARRAY_COUNT(keys) ? keys[n].name : NULL; }

/* Levenshtein's, over the first letters. */
unsigned config_distance(const char *a, const char *b)
{
    enum { LETTERS = 24 };
    unsigned row[LETTERS + 1];
    size_t width = strnlen(b, LETTERS);
    for (unsigned j = 0; j <= width; j++) row[j] = j;
    for (unsigned i = 1; a[i - 1] && i <= LETTERS; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= width; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[width];
}

const char *config_nearest_key(const char *word)
{
    enum { FAR = 3 };
    const char *nearest = NULL;
    unsigned least = FAR;
    for (unsigned i = 0; i < ARRAY_COUNT(keys); i++) {
        unsigned d = config_distance(word, keys[i].name);
        if (d < least && d < strlen(keys[i].name)) least = d, nearest = keys[i].name;
    }
    return nearest;
}

/* A piece of somebody's text for a message: short, one line, printable. */
static const char *shown(const char *text, char *out, size_t cap_bytes)
{
    size_t n = 0;
    for (; text[n] && n + 1 < cap_bytes; n++) out[n] = text[n] >= ' ' && text[n] < 0x7f ? text[n] : '?';
    if (text[n]) for (size_t dots = 4; dots > 1; dots--) out[n - dots + 1] = '.';
    out[n] = 0;
    return out;
}

bool config_set(struct vm_config *c, const char *name, char *value, char *message, size_t cap_bytes)
{
    const struct key *k = find_key(name);
    char key_text[32], value_text[64];
    shown(name, key_text, sizeof key_text);
    shown(value, value_text, sizeof value_text);             /* before the value is cut up */
    if (!k) {
        const char *nearest = config_nearest_key(name);
        if (nearest) hv_snprintf(message, cap_bytes, "%s: no such key (did you mean %s?)", key_text, nearest);
        else hv_snprintf(message, cap_bytes, "%s: no such key", key_text);
        return false;
    }
    if (!*value) {
        hv_snprintf(message, cap_bytes, "%s: has no value", key_text);
        return false;
    }
    const char *why = k->set(c, value);
    if (why) hv_snprintf(message, cap_bytes, "%s: '%s' %s", key_text, value_text, why);
    return !why;
}

static char *trim(char *s)
{
    while (*s == ' ' || *s == '\t') s++;
    char *end = s + strlen(s);
    while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) end--;
    *end = 0;
    return s;
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    if (!n || n >= VM_NAME_BYTES) return false;
    for (; *s; s++) {
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '-' || *s == '_' || *s == '.')) return false;
    }
    return true;
}

/* ---- the text ---- */
struct parser {
    struct config    *out;
    const char       *name;
    config_say_fn    *say;
    void             *ctx;
    unsigned          line, errors;
    uint32_t          seen;                 /* keys of this section, as bits */
    bool              is_lost;              /* in a section that could not be opened: its keys are read for errors alone */
    bool              is_host, has_host;    /* in the section [host]; it was there */
    struct vm_config  lost;
};

static struct vm_config *vm_of(struct parser *p) { return p->is_lost ? &p->lost : &p->out->vm[p->out->count - 1]; }

static void complain(struct parser *p, const char *what)
{
    char message[320];
    if (!p->is_lost && !p->is_host && p->out->count) p->out->broken |= 1u << (p->out->count - 1);
    p->errors++;
    if (!p->say || p->errors > CONFIG_MAX_ERRORS + 1) return;
    if (p->errors > CONFIG_MAX_ERRORS) hv_snprintf(message, sizeof message, "%s: more errors follow", p->name);
    else if (p->line) hv_snprintf(message, sizeof message, "%s:%u: %s", p->name, p->line, what);
    else hv_snprintf(message, sizeof message, "%s: %s", p->name, what);
    p->say(p->ctx, message);
}

/* ---- [host]: the keys of the machine itself ---- */
const char *config_set_events(struct config *c, const char *value)
{
    bool is_disk = !strncmp(value, "host:", 5);
    c->events = is_disk ? value + 5 : NULL;
    return is_disk ? check_host_disk(c->events) : strcmp(value, "memory") ? "is neither memory nor host:0p3" : NULL;
}

static const struct host_key { const char *name; const char *(*set)(struct config *c, const char *value); } host_keys[] = {
    { "events", config_set_events },
};

static void parse_host_key(struct parser *p, const char *name, char *value)
{
    char message[200], name_text[32], value_text[64];
    shown(name, name_text, sizeof name_text);
    shown(value, value_text, sizeof value_text);
    for (unsigned i = 0; i < ARRAY_COUNT(host_keys); i++) {
        if (strcmp(name, host_keys[i].name)) continue;
        const char *why = p->seen & 1u << i ? "is given twice" : !*value ? "is no value" : host_keys[i].set(p->out, value);
        p->seen |= 1u << i;
        if (!why) return;
        hv_snprintf(message, sizeof message, "%s: '%s' %s", name_text, value_text, why);
        complain(p, message);
        return;
    }
    hv_snprintf(message, sizeof message, "%s: no such key of [host] (there is events)", name_text);
    complain(p, message);
}

/* `[vm NAME]`; NULL or what is wrong. */
static const char *open_section(struct config *out, char *line)
{
    static const char form[] = "a section is written [vm NAME] or [host]";
    char *end = strchr(line, ']');
    if (!end || *trim(end + 1)) return form;
    *end = 0;
    if (strncmp(line, "[vm ", 4) && strncmp(line, "[vm\t", 4)) return form;
    char *name = trim(line + 4);
    if (!is_name(name)) return "a VM's name is 1 to 31 letters, digits, '-', '_' or '.'";
    for (unsigned i = 0; i < out->count; i++) {
        if (!strcmp(out->vm[i].name, name)) return "this VM is described twice";
    }
    if (out->count == CONFIG_MAX_VMS) return "too many VMs (16 at most)";
    out->vm[out->count] = (struct vm_config)VM_CONFIG_DEFAULT;
    out->vm[out->count++].name = name;
    return NULL;
}

static void parse_section(struct parser *p, char *line)
{
    p->seen = 0;
    p->is_host = !strcmp(line, "[host]");
    if (p->is_host) {
        p->is_lost = false;
        if (p->has_host) complain(p, "the host is described twice");
        p->has_host = true;
        return;
    }
    const char *why = open_section(p->out, line);
    p->lost = (struct vm_config)VM_CONFIG_DEFAULT;
    p->is_lost = true;
    if (why) complain(p, why);
    p->is_lost = why != NULL;
}

static void parse_key(struct parser *p, char *line)
{
    char why[200], key_text[32];
    char *equals = strchr(line, '=');
    if (!equals) {
        complain(p, "neither [vm NAME], [host] nor key = value");
        return;
    }
    *equals = 0;
    char *name = trim(line), *value = trim(equals + 1);
    if (p->is_host) {
        parse_host_key(p, name, value);
        return;
    }
    const struct key *k = find_key(name);
    uint32_t bit = k ? 1u << (k - keys) : 0;
    if (k && !k->may_repeat && (p->seen & bit)) {
        hv_snprintf(why, sizeof why, "%s: given twice", shown(name, key_text, sizeof key_text));
        complain(p, why);
    } else if (!config_set(vm_of(p), name, value, why, sizeof why)) {
        complain(p, why);
    }
    p->seen |= bit;
}

static void parse_line(struct parser *p, char *line)
{
    line = trim(line);
    if (!*line || *line == '#') return;
    if (*line == '[') parse_section(p, line);
    else if (!p->out->count && !p->is_lost && !p->is_host) complain(p, "a description starts with [vm NAME]");
    else parse_key(p, line);
}

struct vm_error config_parse(char *text, size_t size_bytes, const char *name, struct config *out, config_say_fn *say, void *ctx)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    _Static_assert(ARRAY_COUNT(keys) <= 32, "a bit for each key");
    struct parser p = { .out = out, .name = name, .say = say, .ctx = ctx };
    char *end = text + size_bytes;
    *end = 0;
    *out = (struct config){ .count = 0 };
    if (size_bytes >= 3 && !memcmp(text, byte_order_mark, 3)) text += 3;
    while (text < end) {
        char *newline = memchr(text, '\n', (size_t)(end - text)), *line = text;
        if (!newline) newline = end;
        *newline = 0;
        p.line++;
        text = newline + 1;
        if (memchr(line, 0, (size_t)(newline - line))) complain(&p, "a zero byte in the line: this is no text");
        else parse_line(&p, line);
    }
    p.line = 0;
    if (!out->count && !p.errors) complain(&p, "no [vm NAME] in it");
    if (p.errors) return vm_error_because(VM_CORE_INVALID_CONFIG, "errors in the description");
    return VM_SUCCESS;
}

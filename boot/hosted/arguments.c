// SPDX-License-Identifier: Apache-2.0
/* `hospes run ...`; see arguments.h. Every key of a description is an option too. */
#include "boot/hosted/arguments.h"
#include "boot/hosted/stdio.h"
#include "hv/arch/arch.h"
#include "hv/base/fmt.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION        "0.1"
#define MAX_CONF_BYTES MIB(1)
#define MAX_TIMEOUT_S  1000000u
enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const char usage[] =
    "usage: hospes run FILE.conf [options]      the machines that the file describes\n"
    "       hospes run [options]                one machine, described by options\n"
    "       hospes --help | --version\n"
    "\n"
    "The machine (keys of docs/configuration.md; beside a FILE.conf of one machine they win over its lines):\n"
    "  --arch A          riscv64\n"
    "  --memory SIZE     128M\n"
    "  --vcpus N         1 to 64\n"
    "  --mode M          interpreter, jit, hardware, auto (the fastest there is)\n"
    "  --kernel F        Linux Image, ELF or raw, entered in S-mode under the built-in SBI\n"
    "  --initrd F\n"
    "  --cmdline S\n"
    "  --firmware F      ELF or raw, entered in M-mode\n"
    "  --disk D          FILE[,ro], image:FILE[,ro], ram:SIZE, host:0[,ro], host:0p2[,ro]; may be repeated\n"
    "  --net N           switch[,mac=MAC][,vlan=N][,trunk][,any-mac][,queues=N][,rate=BYTES]; may be repeated\n"
    "  --code_cache SIZE of a vCPU's translated code, 64K to 8M\n"
    "  --audit           run every block on the interpreter and on the JIT, and compare; one vCPU\n"
    "  --option K=V      of the machine; may be repeated\n"
    "The process:\n"
    "  --cores N         host threads that run guests (as many as there are CPUs)\n"
    "  --host-disk FILE  a disk of the host: host:0, the next one host:1; may be repeated\n"
    "  --uplink S        the switch goes on in a socket of 127.0.0.1: listen:PORT, connect:PORT or udp:FROM:TO\n"
    "  --events D        where events are kept: memory, host:0, host:0p3\n"
    "  --stats F.json    write statistics at the end\n"
    "  --timeout SECONDS end everything after that\n"
    "  --script FILE     commands for the monitor (docs/monitor.md), run at the start\n"
    "  --monitor         stay when all guests have ended, or with none: poweroff ends it\n"
    "  --quiet           report only what went wrong\n"
    "\n"
    "At a terminal, Ctrl-] is the escape key: then m for the monitor, 1-9 or n to see another guest, l to list them, q to end everything.\n"
    "Exit status: 0 when every guest powered off normally, else the first other guest's own code, 124 on timeout,\n"
    "128+n on signal n, 2 for a wrong command line, 1 for everything else; a line on standard error says why.\n";

void die(int status, const char *format, ...)
{
    va_list args;
    stdio_restore_terminal();
    va_start(args, format);
    fputs("hospes: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    fflush(NULL);
    _exit(status);                                 /* threads may run already: nothing is taken down under them */
}

/* ---- the process's own words ---- */
static unsigned parse_number(const char *word, const char *value, unsigned most)
{
    uint64_t n;
    if (!hv_parse_u64(value, false, &n) || !n || n > most) die(STATUS_USAGE, "%s: '%.40s' is not 1 to %u", word, value, most);
    return (unsigned)n;
}
static void set_cores(struct arguments *a, const char *word, char *value)   { a->cores = parse_number(word, value, ARCH_MAX_CPUS); }
static void set_timeout(struct arguments *a, const char *word, char *value) { a->timeout_s = parse_number(word, value, MAX_TIMEOUT_S); }
static void set_quiet(struct arguments *a, const char *word, char *value)   { (void)word, (void)value; a->is_quiet = true; }

static void set_monitor(struct arguments *a, const char *word, char *value) { (void)word, (void)value; a->stays = true; }

static char *read_text(const char *path, size_t *size_bytes);
static void set_script(struct arguments *a, const char *word, char *value)
{
    (void)word;
    a->script_path = value;
    a->script = read_text(value, &a->script_bytes);
}

static void set_stats(struct arguments *a, const char *word, char *value)
{
    if (!*value) die(STATUS_USAGE, "%s: names no file", word);
    a->stats_path = value;
}

static void add_host_disk(struct arguments *a, const char *word, char *value)
{
    if (!*value) die(STATUS_USAGE, "%s: names no file", word);
    if (a->host_disk_count == HOST_DISKS_MOST) die(STATUS_USAGE, "%s: one too many (%u at most)", word, HOST_DISKS_MOST);
    a->host_disk[a->host_disk_count++] = value;
}

static void set_uplink(struct arguments *a, const char *word, char *value) { (void)word, a->uplink = value; }

static void set_events(struct arguments *a, const char *word, char *value) { (void)word, a->events = value; }

static void set_audit(struct arguments *a, const char *word, char *value)  { (void)word, (void)value; a->is_audited = true; }

static void show_usage(struct arguments *a, const char *word, char *value)
{
    (void)a, (void)word, (void)value;
    fputs(usage, stdout);
    exit(0);
}

static void show_version(struct arguments *a, const char *word, char *value)
{
    (void)a, (void)word, (void)value;
    puts("hospes " VERSION);
    exit(0);
}

static const struct word { const char *name; bool has_value; void (*set)(struct arguments *a, const char *word, char *value); } words[] = {
    { "--cores",     true,  set_cores },
    { "--stats",     true,  set_stats },
    { "--timeout",   true,  set_timeout },
    { "--quiet",     false, set_quiet },
    { "--host-disk", true,  add_host_disk },
    { "--events",    true,  set_events },
    { "--uplink",    true,  set_uplink },
    { "--script",    true,  set_script },
    { "--monitor",   false, set_monitor },
    { "--audit",     false, set_audit },
    { "--help",      false, show_usage },
    { "--version",   false, show_version },
};

static const struct word *find_word(const char *name)
{
    for (unsigned i = 0; i < ARRAY_COUNT(words); i++) {
        if (!strcmp(words[i].name, name)) return &words[i];
    }
    return NULL;
}

static bool is_key(const char *name)
{
    for (unsigned i = 0; config_key(i); i++) {
        if (!strcmp(config_key(i), name)) return true;
    }
    return false;
}

static NORETURN void refuse_word(const char *name)
{
    const char *nearest = config_nearest_key(name + 2);
    unsigned least = nearest ? config_distance(name + 2, nearest) : 3;
    for (unsigned i = 0; i < ARRAY_COUNT(words); i++) {
        if (config_distance(name, words[i].name) < least) least = config_distance(name, words[i].name), nearest = words[i].name + 2;
    }
    if (nearest) die(STATUS_USAGE, "%.40s: no such option (did you mean --%s?)", name, nearest);
    die(STATUS_USAGE, "%.40s: no such option (hospes --help lists them)", name);
}

/* ---- the description ---- */
static char *read_text(const char *path, size_t *size_bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) die(STATUS_FAILED, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) die(STATUS_FAILED, "%s: %s", path, strerror(EISDIR));
    char *text = malloc(MAX_CONF_BYTES + 1);
    if (!text) die(STATUS_FAILED, "out of memory");
    size_t n = 0;
    for (ssize_t got; n <= MAX_CONF_BYTES; n += (size_t)got) {
        got = read(fd, text + n, MAX_CONF_BYTES + 1 - n);
        if (got < 0) die(STATUS_FAILED, "%s: %s", path, strerror(errno));
        if (!got) break;
    }
    if (n > MAX_CONF_BYTES) die(STATUS_FAILED, "%s: is no description of machines: larger than 1 MiB", path);
    close(fd);
    *size_bytes = n;
    return text;
}

/* Names in a description are relative to it. */
static const char *beside(const char *conf, const char *path)
{
    const char *slash = strrchr(conf, '/');
    char *full;
    if (!path || *path == '/' || !slash) return path;
    if (asprintf(&full, "%.*s%s", (int)(slash + 1 - conf), conf, path) < 0) die(STATUS_FAILED, "out of memory");
    return full;
}

static void say_error(void *ctx, const char *message)
{
    (void)ctx;
    fprintf(stderr, "hospes: %s\n", message);
}

static void load(const char *path, struct arguments *a)
{
    struct config *config = &a->config;
    size_t size_bytes;
    a->description = read_text(path, &size_bytes);
    a->has_errors = vm_failed(config_parse(a->description, size_bytes, path, config, say_error, NULL));
    if (a->has_errors && (!config->count || config->broken == (1ull << config->count) - 1)) exit(STATUS_FAILED);      /* nothing is left */
    for (unsigned i = 0; i < config->count; i++) {
        struct vm_config *c = &config->vm[i];
        c->kernel_path = beside(path, c->kernel_path);
        c->firmware_path = beside(path, c->firmware_path);
        c->initrd_path = beside(path, c->initrd_path);
        for (unsigned d = 0; d < c->disk_count; d++) {
            if (c->disk[d].kind != DISK_HOST) c->disk[d].path = beside(path, c->disk[d].path);
        }
    }
}

void arguments_parse(int argc, char **argv, struct arguments *out)
{
    char message[320];
    const char *conf = NULL, *first_key = NULL;
    *out = (struct arguments){ .cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), .config = { .count = 1 } };
    if (argc < 2) die(STATUS_USAGE, "nothing to do (hospes --help)");
    if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) show_usage(out, NULL, NULL);
    if (!strcmp(argv[1], "--version")) show_version(out, NULL, NULL);
    if (strcmp(argv[1], "run")) die(STATUS_USAGE, "%.40s: no such command (hospes run, hospes --help)", argv[1]);
    out->config.vm[0] = vm_config_default();
    out->config.vm[0].name = "guest";
    /* The description first: what is said beside it comes on top, wherever it stands. */
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 2; i < argc; i++) {
            char *name = argv[i];
            if (strncmp(name, "--", 2)) {
                if (!pass && conf) die(STATUS_USAGE, "%.200s: one description at a time", name);
                if (!pass) load(conf = name, out);
                continue;
            }
            const struct word *w = find_word(name);
            if (!w && !is_key(name + 2)) refuse_word(name);
            bool has_value = !w || w->has_value;
            if (has_value && i + 1 == argc) die(STATUS_USAGE, "%s: wants a value", name);
            char *value = has_value ? argv[++i] : NULL;
            if (w) {
                if (!pass) w->set(out, name, value);
                continue;
            }
            first_key = first_key ? first_key : name;
            if (pass && !config_set(&out->config.vm[0], name + 2, value, message, sizeof message)) die(STATUS_USAGE, "--%s", message);
        }
    }
    for (unsigned i = 0; out->is_audited && i < out->config.count; i++) out->config.vm[i].is_audited = true;
    const char *why = out->events ? config_set_events(&out->config, out->events) : NULL;
    if (why) die(STATUS_USAGE, "--events: '%.60s' %s", out->events, why);
    if (!conf && !first_key && (out->stays || out->script)) out->config.count = 0;
    else if (!conf && !first_key) die(STATUS_USAGE, "nothing to run (hospes --help)");
    if (first_key && out->config.count > 1) die(STATUS_USAGE, "%s: which of the %u machines of %s?", first_key, out->config.count, conf);
}

// SPDX-License-Identifier: Apache-2.0
/* The console mux; see console.h. Everything belongs to `lock` but the key ring, which is core 0's. Guests write with
 * their device's lock held, so no device is called with this one held. */
#include "hv/vm/console.h"
#include "hv/arch/spin.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

#define HISTORY_BYTES CONSOLE_HISTORY_BYTES
#define LINE_BYTES    512            /* of a line that is held back until it is whole */
#define KEYS_BYTES    1024
#define HALF_LINE_NS  100000000u     /* a prompt is shown after that, though its line goes on */

struct vm_console {
    struct list link;
    struct vm *vm;
    uint64_t   written;                    /* bytes ever; the last HISTORY_BYTES are in history */
    size_t     line_length;
    char       line[LINE_BYTES];           /* begun, not shown yet */
    char       history[HISTORY_BYTES];
};

static struct list consoles = { &consoles, &consoles };
static struct host_console host;
static bool is_interactive;
static struct vm_console *attached;
static struct vm_console *line_owner;      /* whose open line stands on the host console; NULL: none */
static struct vm_console front_line;       /* as a line's owner: the front */
static const struct console_front *front;  /* NULL: there is none */
static bool is_front;                      /* it has the keys, and no guest is attached */
static bool has_come, is_line_lost;        /* the front is to be told on core 0's next turn */
static struct vm_console *fed;             /* core 0 hands it keys right now */
static struct timer half_lines;
static struct spinlock lock;
static char keys[KEYS_BYTES];
static size_t key_count;
static bool is_escaped;
static void (*on_quit)(void);

/* ---- output; lock held ---- */
static void put(const char *text, size_t length)
{
    if (host.write && length) host.write(host.ctx, text, length);
}

static void end_open_line(void)
{
    if (line_owner == &front_line) {
        put("\r\x1b[K", 4);
        is_line_lost = true;
        arch_kick(0);
    } else if (line_owner) {
        put("\n", 1);
    }
    line_owner = NULL;
}

static void show_as_it_is(struct vm_console *c, const char *text, size_t length)
{
    if (line_owner != c) end_open_line();
    put(text, length);
    line_owner = text[length - 1] == '\n' ? NULL : c;
}

static void show_line(struct vm_console *c)
{
    if (!c->line_length) return;
    if (line_owner != c) {
        end_open_line();
        put(c->vm->name, strlen(c->vm->name));
        put("| ", 2);
    }
    put(c->line, c->line_length);
    line_owner = c->line[c->line_length - 1] == '\n' ? NULL : c;
    c->line_length = 0;
}

/* By whole lines: guests that write byte by byte at the same time stay readable. */
static void show_by_lines(struct vm_console *c, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        c->line[c->line_length++] = text[i];
        if (text[i] == '\n' || c->line_length == LINE_BYTES || line_owner == c) show_line(c);
    }
    if (c->line_length) timer_arm(&half_lines, arch_time_ns() + HALF_LINE_NS);
}

static void show(struct vm_console *c, const char *text, size_t length)
{
    if (!length) return;
    if (is_interactive || vm_count() < 2) {
        show_line(c);
        show_as_it_is(c, text, length);
    } else {
        show_by_lines(c, text, length);
    }
}

static void show_half_lines(void *arg)
{
    (void)arg;
    spin_lock(&lock);
    LIST_FOR_EACH(it, &consoles) show_line(CONTAINER_OF(it, struct vm_console, link));
    spin_unlock(&lock);
}

static void show_log(void *ctx, enum log_level level, const char *line, size_t length)
{
    (void)ctx, (void)level;
    spin_lock(&lock);
    end_open_line();
    put(line, length);
    put("\n", 1);
    spin_unlock(&lock);
}

void console_guest_output(void *vm, const char *text, size_t length)
{
    struct vm_console *c = ((struct vm *)vm)->console;
    if (!c) return;
    spin_lock(&lock);
    for (size_t i = 0; i < length; i++) c->history[c->written++ % HISTORY_BYTES] = text[i];
    if (!is_interactive || attached == c) show(c, text, length);
    spin_unlock(&lock);
}

void console_say(const char *text, size_t length)
{
    if (!length) return;
    spin_lock(&lock);
    if (line_owner != &front_line) end_open_line();
    put(text, length);
    line_owner = text[length - 1] == '\n' ? NULL : &front_line;
    spin_unlock(&lock);
}

size_t console_history(struct vm *vm, char *out, size_t cap_bytes)
{
    const struct vm_console *c = vm->console;
    if (!c) return 0;
    spin_lock(&lock);
    size_t n = c->written < HISTORY_BYTES ? c->written : HISTORY_BYTES;
    if (n > cap_bytes) n = cap_bytes;
    for (size_t i = 0; i < n; i++) out[i] = c->history[(c->written - n + i) % HISTORY_BYTES];
    spin_unlock(&lock);
    return n;
}

void console_close(void)
{
    show_half_lines(NULL);
    spin_lock(&lock);
    end_open_line();
    spin_unlock(&lock);
}

/* ---- life ---- */
void console_init(const struct host_console *h, bool interactive)
{
    host = *h;
    is_interactive = interactive;
    key_count = 0;
    is_escaped = is_front = has_come = is_line_lost = false;
    front = NULL;
    timer_init(&half_lines, show_half_lines, NULL);
    log_set_sink(show_log, NULL);
}

void console_on_quit(void (*quit)(void)) { on_quit = quit; }

void console_set_front(const struct console_front *f) { front = f; }

bool console_is_front(void) { return is_front; }

static void bring_front(void)                                /* lock held */
{
    attached = NULL;
    is_front = has_come = true;
    key_count = 0;
}

void console_to_front(void)
{
    if (!front || is_front) return;
    spin_lock(&lock);
    end_open_line();
    bring_front();
    spin_unlock(&lock);
}

struct vm_error console_create(struct vm *vm, struct vm_console **out)
{
    struct vm_console *c = heap_alloc(sizeof *c);
    if (!c) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a console");
    c->vm = vm;
    spin_lock(&lock);
    list_add_tail(&consoles, &c->link);
    if (!attached && !is_front) attached = c;
    spin_unlock(&lock);
    *out = c;
    return VM_SUCCESS;
}

void console_destroy(struct vm_console *c)
{
    if (!c) return;
    spin_lock(&lock);
    while (fed == c) {
        spin_unlock(&lock);
        arch_cpu_relax();
        spin_lock(&lock);
    }
    if (!is_interactive) show_line(c);
    if (line_owner == c) end_open_line();
    list_remove(&c->link);
    if (attached == c && front && is_interactive) bring_front();
    else if (attached == c) attached = list_is_empty(&consoles) ? NULL : CONTAINER_OF(consoles.next, struct vm_console, link);
    spin_unlock(&lock);
    heap_free(c);
}

/* ---- escape commands; core 0 ---- */
static void attach(struct vm_console *c)
{
    char line[80];
    spin_lock(&lock);
    end_open_line();
    attached = c;
    is_front = has_come = false;
    key_count = 0;
    int n = hv_snprintf(line, sizeof line, "[console of %s%s]\n", c->vm->name, front ? "; Ctrl-] m: monitor" : "");
    put(line, (size_t)n);
    uint64_t from = c->written > HISTORY_BYTES ? c->written - HISTORY_BYTES : 0;
    for (uint64_t at = from; is_interactive && at < c->written;) {
        uint64_t run = HISTORY_BYTES - at % HISTORY_BYTES;
        if (run > c->written - at) run = c->written - at;
        show(c, &c->history[at % HISTORY_BYTES], run);
        at += run;
    }
    spin_unlock(&lock);
}

void console_attach(struct vm *vm)
{
    if (vm->console) attach(vm->console);
}

static void list_vms(void)
{
    char line[96];
    unsigned n = 1;
    spin_lock(&lock);
    end_open_line();
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        int length = hv_snprintf(line, sizeof line, "%c %u %-20s %s\n", attached == vm->console ? '*' : ' ', n++, vm->name,
                                 vm_lifecycle_name(vm_state(vm)));
        put(line, (size_t)length);
    }
    spin_unlock(&lock);
}

static void show_help(void)
{
    static const char text[] = "[Ctrl-] then: m monitor, 1-9 attach, n next, l list, q end all, Ctrl-] send Ctrl-]]\n";
    spin_lock(&lock);
    end_open_line();
    put(text, sizeof text - 1);
    spin_unlock(&lock);
}

static void attach_number(unsigned wanted)
{
    unsigned n = 1;
    LIST_FOR_EACH(it, vm_all()) {
        if (n++ == wanted) console_attach(CONTAINER_OF(it, struct vm, link));
    }
}

static void attach_next(void)
{
    struct list *all = vm_all();
    if (list_is_empty(all)) return;
    struct list *next = attached && attached->vm->link.next != all ? attached->vm->link.next : all->next;
    console_attach(CONTAINER_OF(next, struct vm, link));
}

static void quit(void) { if (on_quit) on_quit(); }

static void command(char c)
{
    static const struct { char key; void (*run)(void); } commands[] = {
        { 'l', list_vms }, { 'n', attach_next }, { 'm', console_to_front }, { 'q', quit }, { 'h', show_help }, { '?', show_help },
    };
    if (c >= '1' && c <= '9') attach_number((unsigned)(c - '0'));
    for (unsigned i = 0; i < ARRAY_COUNT(commands); i++) {
        if (commands[i].key == c) commands[i].run();
    }
}

/* ---- keys; core 0 ---- */
static void key(char c)
{
    if (!is_escaped && c == CONSOLE_ESCAPE) {
        is_escaped = true;
        return;
    }
    if (is_escaped) {
        is_escaped = false;
        if (c != CONSOLE_ESCAPE) {
            command(c);
            return;
        }
    }
    if (is_front) front->key(c);
    else if (key_count < KEYS_BYTES) keys[key_count++] = c;
}

/* From a terminal everything is read, so that the escape key works whatever the guest does; what is more than a typist's
 * is lost. A pipe waits. */
static void read_keys(void)
{
    char in[64];
    while (host.read && (is_interactive || KEYS_BYTES - key_count >= sizeof in)) {
        size_t n = host.read(host.ctx, in, sizeof in);
        if (!n) break;
        for (size_t i = 0; i < n; i++) key(in[i]);
    }
}

static void feed(struct vm *vm)
{
    size_t room = vm->ops->console_room(vm->machine), n = key_count < room ? key_count : room;
    if (!n) return;
    vm->ops->console_input(vm->machine, keys, n);
    memmove(keys, keys + n, key_count - n);
    key_count -= n;
}

static void serve_front(void)
{
    spin_lock(&lock);
    bool came = has_come, shows = is_front && is_line_lost && !has_come;
    has_come = is_line_lost = false;
    spin_unlock(&lock);
    if (came) front->came();
    else if (shows) front->show_line();
}

/* At a terminal with a monitor, a guest that has ended hands the keys back. */
static void leave_ended_guest(void)
{
    spin_lock(&lock);
    enum vm_lifecycle state = attached ? vm_state(attached->vm) : VM_CREATED;
    if (front && is_interactive && (state == VM_STOPPED || state == VM_FAILED)) {
        end_open_line();
        bring_front();
    }
    spin_unlock(&lock);
}

void console_poll(void)
{
    read_keys();
    leave_ended_guest();
    serve_front();
    if (!key_count) return;
    spin_lock(&lock);
    fed = attached;
    spin_unlock(&lock);
    enum vm_lifecycle state = fed ? vm_state(fed->vm) : VM_STOPPED;
    if (state == VM_RUNNING) feed(fed->vm);
    if (state == VM_STOPPED || state == VM_FAILED) key_count = 0;        /* nobody will ever read them */
    spin_lock(&lock);
    fed = NULL;
    spin_unlock(&lock);
}

bool console_has_keys(void)
{
    spin_lock(&lock);
    bool can_take = attached && vm_state(attached->vm) == VM_RUNNING;
    spin_unlock(&lock);
    return key_count && can_take;
}

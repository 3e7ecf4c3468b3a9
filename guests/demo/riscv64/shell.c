// SPDX-License-Identifier: Apache-2.0
/* The prompt: a line editor and a table of commands. A command returns NULL, or the one line that says why
 * not; USAGE stands for "as help shows it". Boot hart only. */
#include "demo.h"

enum { LINE_MAX = 120, WORDS_MAX = 8 };
enum { CONTROL_C = 3, BACKSPACE = 8, CONTROL_U = 21, ESCAPE = 27, DELETE = 127 };
static const char USAGE[] = "usage";

static bool number(const char *s, u64 *value)
{
    u64 base = starts_with(s, "0x") ? 16 : 10;
    s += base == 16 ? 2 : 0;
    *value = 0;
    bool any = false;
    for (; *s; s++, any = true) {
        u64 digit = *s >= '0' && *s <= '9' ? (u64)(*s - '0')
                    : (*s | 32) >= 'a'     ? (u64)((*s | 32) - 'a' + 10)
                                           : 99;
        if (digit >= base) {
            return false;
        }
        *value = *value * base + digit;
    }
    return any;
}

static const char *command_info(u32 count, char **words)
{
    (void)count, (void)words;
    print("  machine    %s\n", machine.model);
    print("  harts      %u of %u, boot hart %lu, isa %s\n", machine.hart_count, machine.harts_found,
          machine.boot_hart_id, harts[0].isa);
    print("  memory     0x%lx, %lu MiB; image 0x%lx to 0x%lx; device tree at 0x%lx\n", machine.ram.base,
          machine.ram.size_bytes >> 20, (u64)image_start, (u64)image_end, machine.dtb);
    print("  timebase   %u Hz\n", machine.timebase_hz);
    sbi_describe();
    print("  console    %s; uart 0x%lx irq %u; plic 0x%lx\n", sbi_has(SBI_DBCN) ? "SBI DBCN" : "ns16550",
          machine.uart.base, machine.uart.irq, machine.plic.base);
    print("  virtio     %u slots%s%s%s\n", machine.virtio_count, disk.present ? ", disk" : "",
          disk.legacy ? ", a legacy disk (not driven)" : "", rng_present ? ", entropy" : "");
    print("  bootargs   %s\n", *machine.bootargs ? machine.bootargs : "(none)");
    return NULL;
}

static const char *command_cpus(u32 count, char **words)
{
    (void)count, (void)words;
    print("  hart  state      ticks    ipis  interrupts\n");
    for (u32 h = 0; h < machine.hart_count; h++) {
        print("  %4lu  %-7s%9lu%8lu%12lu\n", harts[h].id, harts[h].online ? "online" : "offline",
              harts[h].ticks, harts[h].ipis, harts[h].interrupts);
    }
    return NULL;
}

static void print_date(u64 seconds)                    /* civil date from days, the year beginning in March */
{
    u64 days = seconds / 86400 + 719468, era = days / 146097, day = days % 146097;
    u64 year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    u64 month = (5 * day + 2) / 153;
    print("  date       %lu-%02lu-%02lu %02lu:%02lu:%02lu UTC\n", year + era * 400 + (month >= 10),
          month < 10 ? month + 3 : month - 9, day - (153 * month + 2) / 5 + 1, seconds / 3600 % 24,
          seconds / 60 % 60, seconds % 60);
}

static const char *command_time(u32 count, char **words)
{
    (void)count, (void)words;
    u64 ms = now() * 1000 / machine.timebase_hz;
    print("  up         %lu.%03lu s, %lu ticks of %u ms\n", ms / 1000, ms % 1000, harts[0].ticks,
          1000 / TICKS_PER_SECOND);
    if (machine.rtc.base) {
        volatile u32 *rtc = (volatile u32 *)machine.rtc.base;
        u64 low = rtc[0];                                    /* reading the low word latches the high one */
        print_date((low | (u64)rtc[1] << 32) / 1000000000);
    }
    return NULL;
}

static void nothing(u64 argument)
{
    (void)argument;
}

static const char *command_ipi(u32 count, char **words)
{
    (void)count, (void)words;
    for (u32 h = 1; h < machine.hart_count; h++) {
        u64 start = now();
        bool ok = hart_call(&harts[h], nothing, 0) && hart_wait(&harts[h]);
        print("  hart %lu %s after %lu us\n", harts[h].id, ok ? "answered" : "is silent",
              microseconds(start));
    }
    return machine.hart_count > 1 ? NULL : "there is no other hart";
}

static const char *command_tlb(u32 count, char **words)
{
    u64 rounds = 100;
    if (count > 2 || (count == 2 && !number(words[1], &rounds))) {
        return USAGE;
    }
    u64 start = now();
    if (!test_tlb((u32)rounds)) {
        return "a hart still saw the old page";
    }
    print("  %lu rounds on %u harts, every page seen where it should be, %lu us\n", rounds,
          machine.hart_count, microseconds(start));
    return NULL;
}

static u64 access_value, access_width;

static void access_load(u64 a)
{
    access_value = access_width == 1   ? *(volatile u8 *)a
                   : access_width == 2 ? *(volatile u16 *)a
                   : access_width == 4 ? *(volatile u32 *)a
                                       : *(volatile u64 *)a;
}

static void access_store(u64 a)
{
    switch (access_width) {
    case 1: *(volatile u8 *)a = (u8)access_value; break;
    case 2: *(volatile u16 *)a = (u16)access_value; break;
    case 4: *(volatile u32 *)a = (u32)access_value; break;
    default: *(volatile u64 *)a = access_value;
    }
}

static bool report(const struct fault *fault)
{
    print("  %s: scause %lu, stval 0x%lx, sepc 0x%lx\n", cause_name(fault->cause), fault->cause, fault->value,
          fault->pc);
    return true;
}

static bool width_ok(u64 width)
{
    return width == 1 || width == 2 || width == 4 || width == 8;
}

static const char *command_mem(u32 count, char **words)
{
    u64 address, third = 0;
    struct fault fault;
    if (count < 3 || !number(words[2], &address) || (count > 3 && !number(words[3], &third))) {
        return USAGE;
    }
    access_width = 8;
    if (strcmp(words[1], "read") == 0 && count <= 4 && (count == 3 || width_ok(third))) {
        access_width = count == 4 ? third : 8;
        if (survives(access_load, address, &fault)) {
            print("  0x%lx\n", access_value);
            return NULL;
        }
    } else if (strcmp(words[1], "write") == 0 && count >= 4 && count <= 5 &&
               (count == 4 || (number(words[4], &access_width) && width_ok(access_width)))) {
        access_value = third;
        if (survives(access_store, address, &fault)) {
            return NULL;
        }
    } else if (strcmp(words[1], "dump") == 0 && count <= 4) {
        u8 bytes[512];
        u32 length = count == 3 ? 64 : third < sizeof bytes ? (u32)third & ~15u : (u32)sizeof bytes;
        access_width = 1;
        for (u32 i = 0; i < length; i++) {
            if (!survives(access_load, address + i, &fault)) {
                report(&fault);
                return "cannot read all of it";
            }
            bytes[i] = (u8)access_value;
        }
        print_hex(bytes, address, length);
        return NULL;
    } else {
        return USAGE;
    }
    report(&fault);
    return "the access failed";
}

/* Numbers, each in the sector (all but the disk's last) after the one before, said when it is safe; on from the highest on
 * the disk. A power cut may take what was not said, and nothing else. */
const char *stamp(u64 count)
{
    u64 data[64], number = 0, places = disk.sectors - 1;
    if (!disk.present || !places || disk.read_only || !disk.has_flush) {
        return "no disk that is writable and can flush";
    }
    for (u64 sector = 0; sector < places && sector < 4096; sector++) {
        if (!disk_transfer(sector, data, false)) {
            return "the device reports an error";
        }
        number = data[0] > number && data[0] % places == sector ? data[0] : number;
    }
    print("  stamps go on from %lu in %lu sectors\n", number, places);
    for (u64 last = number + count; number < last && !console_break();) {
        number++;
        for (u32 i = 0; i < COUNT_OF(data); i++) {
            data[i] = number;
        }
        if (!disk_transfer(number % places, data, true) || !disk_flush()) {
            return "the device reports an error";
        }
        print("  stamp %lu safe\n", number);
    }
    return NULL;
}

static const char *command_disk(u32 count, char **words)
{
    u8 data[512] = {0};
    u64 sector;
    if (!disk.present) {
        return disk.legacy ? "only a legacy virtio disk, which this kernel does not drive" : "no disk";
    }
    if (count == 2 && strcmp(words[1], "info") == 0) {
        print("  %lu sectors of 512 bytes (%lu KiB), id \"%s\"%s%s, %lu interrupts\n", disk.sectors,
              disk.sectors / 2, disk.id, disk.read_only ? ", read-only" : "", disk.has_flush ? ", flush" : "",
              disk.irqs);
        return NULL;
    }
    if (count == 2 && strcmp(words[1], "flush") == 0) {
        return disk_flush() ? NULL : "the device cannot";
    }
    if (count == 3 && strcmp(words[1], "stamp") == 0 && number(words[2], &sector)) {
        return stamp(sector);
    }
    bool is_write = count >= 4 && strcmp(words[1], "write") == 0;
    if (count < 3 || !number(words[2], &sector) || (!is_write && (count != 3 || strcmp(words[1], "read")))) {
        return USAGE;
    }
    if (sector >= disk.sectors) {
        return "no such sector";
    }
    for (u32 w = 3, at = 0; is_write && w < count; w++) {
        memcpy(data + at, words[w], strlen(words[w]));
        at += (u32)strlen(words[w]);
        data[at++] = w + 1 < count ? ' ' : 0;
    }
    if (!disk_transfer(sector, data, is_write)) {
        return is_write && disk.read_only ? "the disk is read-only" : "the device reports an error";
    }
    if (!is_write) {
        print_hex(data, sector * 512, sizeof data);
    }
    return NULL;
}

static const char *command_random(u32 count, char **words)
{
    u8 bytes[16];
    (void)count, (void)words;
    if (!rng_present) {
        return "no entropy device";
    }
    if (!rng_read(bytes, sizeof bytes)) {
        return "the device gives nothing";
    }
    print_hex(bytes, 0, sizeof bytes);
    return NULL;
}

static const char *command_fp(u32 count, char **words)
{
    (void)count, (void)words;
    float_demo();
    return NULL;
}

static const char *command_bench(u32 count, char **words)
{
    (void)count, (void)words;
    bench_run();
    return NULL;
}

static void do_illegal(u64 argument)
{
    (void)argument;
    __asm__ volatile(".word 0");
}

static void do_load(u64 address)
{
    (void)*(volatile u64 *)address;
}

static void do_overflow(u64 depth)                           /* runs into the guard page below the stack */
{
    volatile u8 room[512];
    room[0] = 1;
    if (depth < PAGE_SIZE) {
        do_overflow(depth + room[0]);
    }
    room[1] = 0;
}

static const char *command_trap(u32 count, char **words)
{
    static const struct { const char *name; void (*run)(u64); u64 argument; } kinds[] = {
        {"ill", do_illegal, 0},
        {"load", do_load, 0xdead000},
        {"ecall", enter_user, USER_PAGE},
        {"stack", do_overflow, 0},
    };
    struct fault fault;
    if (count == 2 && strcmp(words[1], "fatal") == 0) {
        do_load(0xdead000);
    }
    for (u32 i = 0; count == 2 && i < COUNT_OF(kinds); i++) {
        if (strcmp(words[1], kinds[i].name) == 0) {
            bool survived = survives(kinds[i].run, kinds[i].argument, &fault);
            return !survived && report(&fault) ? NULL : "nothing happened";
        }
    }
    return USAGE;
}

static const char *command_spin(u32 count, char **words)
{
    u64 seconds = ~0ul, start = now();
    if (count > 2 || (count == 2 && !number(words[1], &seconds))) {
        return USAGE;
    }
    while ((now() - start) / machine.timebase_hz < seconds) {
        if (console_break()) {
            while (console_getc() >= 0) {
            }
            return "interrupted";
        }
    }
    return NULL;
}

static const char *command_echo(u32 count, char **words)
{
    for (u32 w = 1; w < count; w++) {
        print("%s%s", words[w], w + 1 < count ? " " : "");
    }
    print("\n");
    return NULL;
}

static const char *command_test(u32 count, char **words)
{
    (void)count, (void)words;
    return selftest() ? "something failed" : NULL;
}

static const char *command_reboot(u32 count, char **words)
{
    (void)count, (void)words;
    machine_stop(true, false);
}

static const char *command_poweroff(u32 count, char **words)
{
    (void)count, (void)words;
    print("bye\n");
    machine_stop(false, false);
}

static const char *command_help(u32 count, char **words);

static const struct command {
    const char *name, *arguments, *what;
    const char *(*run)(u32 count, char **words);
} commands[] = {
    {"help",     "",                                        "this list",                    command_help},
    {"info",     "",                                        "what this machine has",        command_info},
    {"cpus",     "",                                        "what each hart has done",      command_cpus},
    {"time",     "",                                        "time and date",                command_time},
    {"ipi",      "",                                        "call every other hart",        command_ipi},
    {"tlb",      "[ROUNDS]",                                "move a page under every hart", command_tlb},
    {"mem",      "read A [W] | write A V [W] | dump A [N]", "memory at A, W bytes wide",    command_mem},
    {"disk",     "info | read S | write S TEXT | flush | stamp N", "the virtio disk",              command_disk},
    {"random",   "",                                        "random bytes",                 command_random},
    {"fp",       "",                                        "floating point",               command_fp},
    {"bench",    "",                                        "what things cost here",        command_bench},
    {"test",     "",                                        "the self-test again",          command_test},
    {"trap",     "ill | load | ecall | stack | fatal",      "take a trap (fatal: stop)",    command_trap},
    {"spin",     "[SECONDS]",                               "keep busy; ^C ends it",        command_spin},
    {"echo",     "[TEXT]",                                  "say it",                       command_echo},
    {"reboot",   "",                                        "start again",                  command_reboot},
    {"poweroff", "",                                        "switch the machine off",       command_poweroff},
};

static const char *command_help(u32 count, char **words)
{
    (void)count, (void)words;
    for (u32 i = 0; i < COUNT_OF(commands); i++) {
        print("  %-8s %-42s %s\n", commands[i].name, commands[i].arguments, commands[i].what);
    }
    return NULL;
}

static int wait_for_key(void)
{
    int c;
    interrupts_off();
    while ((c = console_getc()) < 0) {
        wait_for_interrupt();
    }
    interrupts_on();
    return c;
}

static void erase(u32 *length)
{
    if (*length) {
        print("\b \b");
        --*length;
    }
}

/* Backspace, ^U (erase all), ^C (forget the line), cursor up (the last line again). */
static void read_line(char *line, const char *last)
{
    u32 length = 0;
    for (;;) {
        int c = wait_for_key();
        if (c == '\r' || c == '\n') {
            break;
        } else if (c == BACKSPACE || c == DELETE) {
            erase(&length);
        } else if (c == CONTROL_U) {
            while (length) {
                erase(&length);
            }
        } else if (c == CONTROL_C) {
            print("^C");
            length = 0;
            break;
        } else if (c == ESCAPE) {
            if (wait_for_key() == '[' && wait_for_key() == 'A') {
                while (length) {
                    erase(&length);
                }
                length = (u32)strlen(last);
                memcpy(line, last, length);
                print("%s", last);
            }
        } else if (c >= ' ' && c < DELETE && length < LINE_MAX - 1) {
            line[length++] = (char)c;
            print("%c", c);
        }
    }
    line[length] = 0;
    print("\n");
}

static u32 split(char *line, char **words)
{
    u32 count = 0;
    while (*line && count < WORDS_MAX) {
        while (*line == ' ') {
            *line++ = 0;
        }
        if (*line) {
            words[count++] = line;
        }
        while (*line && *line != ' ') {
            line++;
        }
    }
    return count;
}

static void run_line(char *line)
{
    char *words[WORDS_MAX];
    u32 count = split(line, words);
    for (u32 i = 0; count && i < COUNT_OF(commands); i++) {
        if (strcmp(words[0], commands[i].name) == 0) {
            const char *why = commands[i].run(count, words);
            if (why == USAGE) {
                print("usage: %s %s\n", commands[i].name, commands[i].arguments);
            } else if (why) {
                print("%s: %s\n", commands[i].name, why);
            }
            return;
        }
    }
    if (count) {
        print("%s: no such command (try help)\n", words[0]);
    }
}

void shell(void)
{
    char line[LINE_MAX], last[LINE_MAX] = "";
    print("Type help for a list of commands.\n");
    for (;;) {
        print("demo> ");
        read_line(line, last);
        if (*line) {
            memcpy(last, line, sizeof last);
        }
        run_line(line);
    }
}

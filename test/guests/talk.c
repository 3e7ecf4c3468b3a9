// SPDX-License-Identifier: Apache-2.0
/* talk SECONDS COMMAND... -- {PATTERN KEYS}... - a patient typist. Runs the command on a terminal of its own, waits for
 * each PATTERN (extended regular expression) in what came after the one before, then types the KEYS (\r \n \e \\ \xHH).
 * All that the command says goes to stdout. Ends with the command's own status when all patterns came and the command
 * ended, else with 99 and a line that says what was missing. SECONDS are for each wait, and for the end. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FAILED = 99, SEEN_MAX = 1 << 20 };
static char seen[SEEN_MAX + 1];
static size_t seen_bytes;
static int terminal;
static pid_t child;

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void fail(const char *what, const char *pattern)
{
    fflush(stdout);
    printf("\ntalk: %s%s\n", what, pattern);
    fflush(stdout);
    kill(-child, SIGTERM);
    kill(child, SIGTERM);
    exit(FAILED);
}

/* More output into `seen` and onto stdout. False at the command's end; stops at `deadline_ms`. */
static int listen_until(long long deadline_ms, const char *what, const char *pattern)
{
    struct pollfd p = { .fd = terminal, .events = POLLIN };
    long long left_ms = deadline_ms - now_ms();
    int ready = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
    if (ready < 0 && errno == EINTR) return 1;
    if (ready <= 0) fail(what, pattern);
    if (seen_bytes > SEEN_MAX / 2) {                          /* patterns are short: the older half is enough */
        memmove(seen, seen + SEEN_MAX / 4, seen_bytes - SEEN_MAX / 4);
        seen_bytes -= SEEN_MAX / 4;
    }
    ssize_t n = read(terminal, seen + seen_bytes, SEEN_MAX - seen_bytes);
    if (n < 0 && errno == EINTR) return 1;
    if (n <= 0) return 0;                                     /* EIO: nobody holds the other side any more */
    fwrite(seen + seen_bytes, 1, (size_t)n, stdout);
    fflush(stdout);
    for (ssize_t i = 0; i < n; i++) {
        if (!seen[seen_bytes + (size_t)i]) seen[seen_bytes + (size_t)i] = ' ';
    }
    seen_bytes += (size_t)n;
    seen[seen_bytes] = 0;
    return 1;
}

static void type(const char *keys)
{
    while (*keys) {
        char c = *keys++;
        if (c == '\\' && *keys) {
            char kind = *keys++;
            if (kind == 'x') {
                char hex[3] = { keys[0], keys[0] ? keys[1] : 0, 0 };
                keys += strlen(hex);
                c = (char)strtol(hex, NULL, 16);
            } else {
                c = kind == 'r' ? '\r' : kind == 'n' ? '\n' : kind == 'e' ? 27 : kind;
            }
        }
        while (write(terminal, &c, 1) < 0 && errno == EINTR) {
        }
    }
}

static void await(const char *pattern, long long timeout_ms)
{
    regex_t compiled;
    regmatch_t match;
    long long deadline_ms = now_ms() + timeout_ms;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NEWLINE)) {
        fail("no regular expression: ", pattern);
    }
    while (regexec(&compiled, seen, 1, &match, 0)) {
        if (!listen_until(deadline_ms, "not in time: ", pattern)) fail("ended before: ", pattern);
    }
    regfree(&compiled);
    seen_bytes -= (size_t)match.rm_eo;
    memmove(seen, seen + match.rm_eo, seen_bytes + 1);
}

int main(int argc, char **argv)
{
    int dashes = 2, status;
    while (dashes < argc && strcmp(argv[dashes], "--")) dashes++;
    if (dashes < 3 || (argc - dashes) % 2 == 0) {
        fprintf(stderr, "usage: talk SECONDS COMMAND... -- {PATTERN KEYS}...\n");
        return 2;
    }
    long long timeout_ms = atoll(argv[1]) * 1000;
    struct winsize size = { .ws_row = 50, .ws_col = 200 };
    argv[dashes] = NULL;
    child = forkpty(&terminal, NULL, NULL, &size);
    if (child < 0) {
        perror("talk: forkpty");
        return FAILED;
    }
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    for (int i = dashes + 1; i + 1 < argc; i += 2) {
        await(argv[i], timeout_ms);
        type(argv[i + 1]);
    }
    long long deadline_ms = now_ms() + timeout_ms;
    while (listen_until(deadline_ms, "still running after the last keys", "")) {
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

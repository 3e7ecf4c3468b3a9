// SPDX-License-Identifier: Apache-2.0
/* The text form of VM descriptions: `[vm NAME]` (or `[host]`, for the machine itself), then `key = value` lines, `#` comments. docs/configuration.md lists the
 * keys; the table in config.c is their source. Pure functions over the caller's memory. */
#pragma once
#include "hv/vm/vm_config.h"

#define CONFIG_MAX_VMS     16
#define CONFIG_MAX_ERRORS  20              /* that are told of one text */

/* Bit n of `broken`: the n-th VM's description has an error. */
struct config {
    struct vm_config vm[CONFIG_MAX_VMS];
    unsigned    count;
    uint32_t    broken;
    const char *events;                   /* [host] events: a disk or partition of the host, "0p3"; NULL: memory */
};

/* Gets each message, "NAME:LINE: KEY: what is wrong". */
typedef void config_say_fn(void *ctx, const char *message);

/* Parses in place: text[size_bytes] must be writable; the text is cut up and must outlive *out, whose strings point into
 * it. Goes on after an error, to tell all of them; any error makes the result Core(INVALID_CONFIG). */
NODISCARD struct vm_error config_parse(char *text, size_t size_bytes, const char *name, struct config *out, config_say_fn *say, void *ctx);
/* Sets one key as a line would (for command lines); `value` must outlive *c. False: message says why. */
bool config_set(struct vm_config *c, const char *key, char *value, char *message, size_t cap_bytes);
/* [host] events = value; NULL, or what is wrong with it. */
const char *config_set_events(struct config *c, const char *value);
/* The keys in the table's order; NULL behind the last. */
const char *config_key(unsigned n);
/* How many letters must change to make one word the other. For "did you mean". */
unsigned config_distance(const char *a, const char *b);
/* The key that was probably meant; NULL: none is near. */
const char *config_nearest_key(const char *word);

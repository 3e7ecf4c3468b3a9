// SPDX-License-Identifier: Apache-2.0
/* The command line of the hosted build, and the files it names. Reports what is wrong on standard error and exits. */
#pragma once
#include "hv/vm/config.h"
#include "hv/vm/hostdisk.h"

struct arguments {
    struct config config;
    char         *description;                     /* the text of which its strings are pieces; NULL: none */
    unsigned      cores, timeout_s;                /* timeout 0: none */
    const char   *stats_path;                      /* NULL: none */
    const char   *host_disk[HOST_DISKS_MOST];      /* files */
    unsigned      host_disk_count;
    char         *events;                          /* wins over [host] events; NULL: not said */
    const char   *uplink;                          /* net_sock_create's; NULL: none */
    const char   *script_path;                     /* the monitor's script; NULL: none */
    char         *script;
    size_t        script_bytes;
    bool          has_errors;                      /* in the description, and told: the VMs of config.broken are not made */
    bool          is_quiet, is_audited;            /* is_audited: all machines */
    bool          stays;                           /* the monitor's poweroff ends the process, not the last guest's end */
};
/* Also answers --help and --version, and does not return then. */
void arguments_parse(int argc, char **argv, struct arguments *out);
NORETURN void die(int status, const char *format, ...) PRINTF(2, 3);     /* one line */

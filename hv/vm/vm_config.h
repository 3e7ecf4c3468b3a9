// SPDX-License-Identifier: Apache-2.0
/* What a VM is to be, as plain data: made by code with VM_CONFIG_DEFAULT and designated initialisers, or by the text
 * parser of hv/vm/config.h. Paths name files of the bundle (firmware) or the host's file system (hosted). */
#pragma once
#include "hv/base/error.h"

#define VM_MAX_DISKS   8
#define VM_MAX_OPTIONS 8
#define VM_MAX_NICS    4
#define VM_MAX_NIC_PAIRS 4
#define VM_MAX_VCPUS   64
#define VM_NAME_BYTES  32
#define VM_DEFAULT_WEIGHT 100
#define VM_MAX_WEIGHT     10000
#define VM_MAX_CAP        6400            /* percent: 64 cores */
#define VM_MAX_WATCHDOG_S 86400

enum disk_kind { DISK_RAM, DISK_IMAGE, DISK_FILE, DISK_HOST };
/* RAM: `size_bytes` of zeroes. IMAGE: a file, read-only, or with an overlay that keeps writes in memory.
 * FILE: a file of the host, written in place (hosted). HOST: a disk of the host's own or a partition of it, "0" or "0p2". */
struct disk_config { enum disk_kind kind; const char *path; uint64_t size_bytes; bool is_read_only, has_overlay; };

/* A network card on the host's switch. The MAC address is made from the VM's name when has_mac is false. */
struct nic_config {
    uint8_t  mac[6];
    bool     has_mac, is_trunk, has_any_mac;
    uint16_t vlan;                               /* 0 to 4094 */
    uint16_t pairs;                              /* of queues, 1 to VM_MAX_NIC_PAIRS */
    uint64_t rate_bytes;                         /* a second that it may send; 0: any */
};

/* What becomes of a VM that has ended by itself. ON_FAILURE: it failed, or its guest gave a code. */
enum vm_restart { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS };
const char *vm_restart_name(enum vm_restart r);
/* What is done with a VM whose vCPUs run and run and do nothing that can be seen. */
enum vm_watchdog { WATCHDOG_RESET, WATCHDOG_STOP, WATCHDOG_LOG };
const char *vm_watchdog_name(enum vm_watchdog w);

struct vm_config {
    enum guest_arch guest_arch;
    uint64_t        memory_size;                 /* bytes; a multiple of 4 KiB */
    uint16_t        vcpu_count;
    enum exec_mode  exec_mode;
    const char     *kernel_path, *initrd_path;   /* NULL: none; independent of each other */
    const char     *name, *firmware_path, *cmdline;
    bool            is_mode_auto;                /* exec_mode is the fastest that this host has for this guest */
    struct disk_config disk[VM_MAX_DISKS];
    unsigned        disk_count;
    struct nic_config nic[VM_MAX_NICS];
    unsigned        nic_count;
    const char     *option[VM_MAX_OPTIONS];      /* the machine's own "key=value" words */
    unsigned        option_count;
    uint32_t        weight;                      /* of its share of the cores, 1 to 10000; 0: VM_DEFAULT_WEIGHT */
    uint32_t        cap_percent;                 /* of one core, at most; 0: no cap */
    uint64_t        cpus;                        /* the cores it may run on, as bits; 0: all */
    enum vm_restart restart;
    uint32_t        watchdog_s;                  /* 0: none */
    enum vm_watchdog watchdog;
    bool            is_audited;                  /* the interpreter and the JIT run it both, compared block by block */
    uint32_t        code_cache_bytes;            /* of translated code, a vCPU's; 0: as much as the engine likes */
    bool            is_manual;                   /* autostart = no: whoever made it starts it */
};
#define VM_CONFIG_DEFAULT \
    { .guest_arch = GUEST_RISCV64, .memory_size = MIB(128), .vcpu_count = 1, .exec_mode = EXEC_INTERPRETER }
struct vm_config vm_config_default(void);

/* What can be judged from the values and this host alone; file contents are judged when the VM is created. */
NODISCARD struct vm_error vm_config_check(const struct vm_config *c, enum guest_arch host_arch, const char *hw_absence, uint64_t host_free_bytes);
/* *out is *in with its texts in one piece of the heap, *text (heap_free). False: no memory. */
NODISCARD bool vm_config_copy(struct vm_config *out, const struct vm_config *in, char **text);

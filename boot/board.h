// SPDX-License-Identifier: Apache-2.0
/* AArch64 boards. A board is one descriptor in boot/boards/; its chips are rows of functions (drivers/host/uart.h,
 * hv/arch/aarch64/irq_chip.h). One image has all of them: the root of the device tree chooses, or, where the loader brings
 * no tree, what the CPU says of the chip that it is in. docs/porting.md adds one step by step. */
#pragma once
#include "boot/boot_info.h"
#include "drivers/host/framebuffer.h"
#include "drivers/host/uart.h"
#include "hv/arch/aarch64/aarch64.h"

struct board_uart { const struct uart_chip *chip; uint64_t base, size_bytes; uint32_t intid; };   /* intid 0: none, is polled */

struct board {
    const char *name;                                     /* NULL: as the tree's root says */
    const char *const *compatible;                        /* of the tree's root, one of these; ends with NULL. NULL: any tree */
    uint64_t periphbase;                                  /* without a tree: CBAR_EL1 of its Cortex-A53 cores; 0: must have one */
    bool is_described;                                    /* the chips are those below; else the tree tells of all */
    struct aarch64_platform platform;
    struct board_uart uart;
    struct boot_range ram;                                /* without a loader that tells */
};

/* What the loader said and we do not believe; logged when there is a log. Addresses or sizes, 0: nothing to tell. */
#define MACHINE_MAX_NOTES 16
struct machine_note { const char *what; uint64_t at, size_bytes; };

/* What boot works with: the board's, completed by what the loader says, or firmware's tables. */
struct machine {
    const char *loader;
    struct aarch64_platform platform;
    struct board_uart uart;                               /* chip NULL: none that we can drive */
    struct boot_range ram[BOOT_MAX_RANGES], reserved[BOOT_MAX_RANGES], no_map[BOOT_MAX_RANGES];
    unsigned ram_count, reserved_count, no_map_count;     /* reserved includes no_map */
    struct boot_range initrd;                             /* size 0: none */
    const void *seed;                                     /* the loader's randomness; NULL: none */
    int seed_bytes;
    const char *cmdline;
    const void *tree;                                     /* NULL: none */
    uint64_t rsdp;                                        /* 0: no ACPI */
    struct framebuffer screen;                            /* base NULL: none */
    struct host_buses *buses;                             /* when the loader's tables told of them already */
    const void *firmware_seed;                            /* as seed, UEFI's */
    unsigned firmware_seed_bytes;
    struct machine_note note[MACHINE_MAX_NOTES];
    unsigned note_count;
};

#define MACHINE_END (1ull << 48)                          /* physical addresses that we can map end here */

static inline void machine_note(struct machine *m, const char *what, uint64_t at, uint64_t size_bytes)
{
    if (m->note_count < MACHINE_MAX_NOTES) m->note[m->note_count++] = (struct machine_note){ what, at, size_bytes };
}

/* Adds to one of the lists above. A range that is none, or one too many, is left out: false. */
static inline bool machine_add(struct boot_range *list, unsigned *count, uint64_t base, uint64_t size_bytes)
{
    if (!size_bytes || base >= MACHINE_END || size_bytes > MACHINE_END - base || *count == BOOT_MAX_RANGES) return false;
    list[(*count)++] = (struct boot_range){ base, size_bytes };
    return true;
}

/* boot/aarch64/memory.c. The lists made to agree: RAM told twice is there once, chips are no RAM, the loader's file lies in RAM. */
void machine_settle(struct machine *m);

extern const struct board board_virt_aarch64, board_zcu102, board_raspi3b;

/* Without a tree we know of no console: says it where QEMU's virt has one, if that is there, and halts. */
NORETURN void board_last_words(const char *text);

/* `tree` NULL: there is none. NULL: no board of ours. */
const struct board *board_find(const void *tree);
/* The board's chips, or the tree's where that tells of them. */
void machine_take_board(const struct board *b, const void *tree, struct machine *m);

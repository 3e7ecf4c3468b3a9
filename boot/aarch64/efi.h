// SPDX-License-Identifier: Apache-2.0
/* The part of UEFI 2.10 that we use, by section; functions that are not called are `void *`. All of it is firmware's, and
 * gone after ExitBootServices. Calls are ordinary AAPCS64 ones (2.3.6). And what the files of the entry share. */
#pragma once
#include "boot/board.h"

typedef uint64_t efi_status;                              /* 2.3.1, appendix D: the top bit is set in errors */
typedef uint16_t efi_char;                                /* UCS-2 */

#define EFI_SUCCESS          0ull
#define EFI_ERROR            (1ull << 63)
#define EFI_LOAD_ERROR       (EFI_ERROR | 1)
#define EFI_BUFFER_TOO_SMALL (EFI_ERROR | 5)

struct efi_guid { uint32_t a; uint16_t b, c; uint8_t d[8]; };
struct efi_table_header { uint64_t signature; uint32_t revision, header_size, crc32, reserved; };

/* 12.4 */
struct efi_text_output {
    void *reset;
    efi_status (*output_string)(struct efi_text_output *self, const efi_char *text);
};

/* 7.2: memory types that are RAM of ours once firmware is gone, and attributes. */
enum { EFI_LOADER_CODE = 1, EFI_LOADER_DATA = 2, EFI_BOOT_CODE = 3, EFI_BOOT_DATA = 4, EFI_CONVENTIONAL = 7 };
#define EFI_MEMORY_WB      (1ull << 3)
#define EFI_MEMORY_SPECIAL (1ull << 18)
#define EFI_PAGE_BYTES     4096u
struct efi_memory { uint32_t type, pad; uint64_t base, virtual_base, page_count, attributes; };

/* 4.4, chapter 7 */
struct efi_boot_services {
    struct efi_table_header header;
    void *raise_tpl, *restore_tpl;
    efi_status (*allocate_pages)(uint32_t how, uint32_t type, uint64_t count, uint64_t *address);
    void *free_pages;
    efi_status (*get_memory_map)(uint64_t *size_bytes, void *map, uint64_t *key, uint64_t *stride_bytes, uint32_t *version);
    void *allocate_pool, *free_pool, *create_event, *set_timer, *wait_for_event, *signal_event, *close_event, *check_event,
         *install_protocol, *reinstall_protocol, *uninstall_protocol;
    efi_status (*handle_protocol)(void *handle, const struct efi_guid *protocol, void **interface);
    void *reserved, *register_notify, *locate_handle;
    efi_status (*locate_device_path)(const struct efi_guid *protocol, const uint8_t **path, void **handle);
    void *install_table, *load_image, *start_image, *exit, *unload_image;
    efi_status (*exit_boot_services)(void *image, uint64_t key);
    void *next_count, *stall, *set_watchdog, *connect, *disconnect, *open_protocol, *close_protocol, *protocol_information,
         *protocols_of_handle, *locate_handles;
    efi_status (*locate_protocol)(const struct efi_guid *protocol, void *registration, void **interface);
};

/* 8.3 */
struct efi_time { uint16_t year; uint8_t month, day, hour, minute, second, pad; uint32_t nanosecond; int16_t zone_minutes; uint8_t daylight, pad2; };
#define EFI_ZONE_UNKNOWN 0x7ff
struct efi_runtime_services { struct efi_table_header header; efi_status (*get_time)(struct efi_time *time, void *capabilities); };

/* 4.3, 4.6 */
struct efi_configuration { struct efi_guid guid; const void *table; };
struct efi_system_table {
    struct efi_table_header header;
    const efi_char *vendor;
    uint32_t revision;
    void *console_in_handle, *console_in, *console_out_handle;
    struct efi_text_output *console_out;
    void *error_handle, *error_out;
    struct efi_runtime_services *runtime;
    struct efi_boot_services *boot;
    uint64_t configuration_count;
    const struct efi_configuration *configuration;
};
_Static_assert(offsetof(struct efi_system_table, configuration) == 112, "UEFI 2.10, 4.3.1");
_Static_assert(offsetof(struct efi_boot_services, exit_boot_services) == 232, "UEFI 2.10, 4.4.1");
_Static_assert(offsetof(struct efi_boot_services, locate_protocol) == 320, "UEFI 2.10, 4.4.1");
_Static_assert(sizeof(struct efi_memory) == 40 && sizeof(struct efi_time) == 16, "UEFI 2.10, 7.2.3 and 8.3.1");

/* 9.1 */
struct efi_loaded_image {
    uint32_t revision;
    void *parent;
    struct efi_system_table *system;
    void *device;
    const uint8_t *path;                                  /* device path, 10.3.1 */
    void *reserved;
    uint32_t options_bytes;
    const efi_char *options;
};

/* efi_files.c: the bundle that was put beside the image, or that a loader offers; size 0: there is none. A word
 * `initrd=NAME` of the command line names another file. NULL, or what went wrong. */
const char *efi_read_bundle(struct efi_boot_services *bs, const struct efi_loaded_image *image, const char *cmdline, struct boot_range *out);
/* The words on the command line in the file beside the image, "" when there is none. */
void efi_read_words(struct efi_boot_services *bs, const struct efi_loaded_image *image, char *out, size_t cap_bytes);

/* efi_screen.c: base NULL: no screen, or none with a framebuffer. */
void efi_read_screen(struct efi_boot_services *bs, struct framebuffer *out);

/* efi_memory.c: RAM from a memory map with entries so far apart, touching ones made one, rising. */
void efi_read_memory(const void *map, uint64_t size_bytes, uint64_t stride_bytes, struct machine *out);

/* efi.c, by efi_entry.S; and what efi_entry.S has. */
efi_status aarch64_efi_main(void *image, struct efi_system_table *system);
NORETURN void aarch64_efi_leave(const struct machine *machine);

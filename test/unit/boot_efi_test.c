// SPDX-License-Identifier: Apache-2.0
/* UEFI's memory map, screen and files, before a firmware made here. */
#include "boot/aarch64/efi_memory.c"
#include "boot/aarch64/efi_screen.c"
#include "boot/aarch64/efi_files.c"
#include "test/harness/test.h"

/* ---- memory ---- */

static struct { struct efi_memory e; uint64_t more; } map[200];   /* entries are larger than we know */
static unsigned map_count;
static struct machine m;

static void entry(uint32_t type, uint64_t base, uint64_t page_count, uint64_t attributes)
{
    map[map_count++].e = (struct efi_memory){ .type = type, .base = base, .page_count = page_count, .attributes = attributes };
}

static void read_map(void) { efi_read_memory(map, map_count * sizeof map[0], sizeof map[0], &m); }

TEST(efi_memory_is_what_firmware_lets_go_and_touching_ranges_are_one)
{
    map_count = 0;
    entry(EFI_CONVENTIONAL, 0x48000000, 0x10, EFI_MEMORY_WB);
    entry(EFI_BOOT_DATA, 0x40000000, 0x10, EFI_MEMORY_WB);
    entry(EFI_LOADER_DATA, 0x40020000, 0x10, EFI_MEMORY_WB);
    entry(EFI_LOADER_CODE, 0x40010000, 0x10, EFI_MEMORY_WB);             /* closes the gap */
    entry(5, 0x40030000, 0x10, EFI_MEMORY_WB);                           /* runtime code */
    entry(9, 0x40040000, 0x10, EFI_MEMORY_WB);                           /* ACPI's tables */
    entry(EFI_CONVENTIONAL, 0x50000000, 0x10, 1);                        /* not cacheable */
    entry(EFI_CONVENTIONAL, 0x51000000, 0x10, EFI_MEMORY_WB | EFI_MEMORY_SPECIAL);
    entry(EFI_CONVENTIONAL, 0x52000000, UINT64_MAX, EFI_MEMORY_WB);      /* no such size */
    entry(EFI_CONVENTIONAL, 0xfffffffffffff000, 2, EFI_MEMORY_WB);       /* beyond the end */
    entry(EFI_CONVENTIONAL, MACHINE_END - 0x1000, 2, EFI_MEMORY_WB);     /* beyond what we can map */
    entry(EFI_CONVENTIONAL, 0x53000000, 0, EFI_MEMORY_WB);
    read_map();
    CHECK_EQ_U64(m.ram_count, 2);
    CHECK(m.ram[0].base == 0x40000000 && m.ram[0].size_bytes == 0x30000);
    CHECK(m.ram[1].base == 0x48000000 && m.ram[1].size_bytes == 0x10000);
    efi_read_memory(map, map_count * sizeof map[0], 8, &m);
    CHECK_EQ_U64(m.ram_count, 0);
}

TEST(efi_memory_in_too_many_pieces_keeps_the_largest_in_order)
{
    map_count = 0;
    for (unsigned i = 0; i < 150; i++) entry(EFI_CONVENTIONAL, 0x40000000 + (uint64_t)(i * 67 % 150) * 0x100000, 1 + i * 67 % 150, EFI_MEMORY_WB);
    read_map();
    CHECK_EQ_U64(m.ram_count, BOOT_MAX_RANGES);
    for (unsigned i = 0; i < m.ram_count; i++) {
        CHECK_EQ_U64(m.ram[i].size_bytes / 4096, 150 - BOOT_MAX_RANGES + 1 + i);
        CHECK_EQ_U64(m.ram[i].base, 0x40000000 + (m.ram[i].size_bytes / 4096 - 1) * 0x100000);
    }
}

/* ---- a firmware ---- */

static struct { char name[64]; const char *data; } files[4];
static struct file handle;
static unsigned at_file, opened, closed;
static uint64_t position;
static const char *offered;
static struct mode_information information;
static struct mode mode;
static struct graphics graphics;
static struct volume volume;
static struct loader loader;
static bool has_screen;
static char memory[4096];

static efi_status open_file(struct file *self, struct file **out, const efi_char *name, uint64_t how, uint64_t attributes)
{
    char text[64] = "";
    (void)self, (void)attributes;
    for (unsigned i = 0; name[i] && i < 63; i++) text[i] = (char)name[i];
    for (unsigned i = 0; i < ARRAY_COUNT(files) && how == 1; i++) {
        if (!files[i].data || strcmp(files[i].name, text)) continue;
        at_file = i;
        position = 0;
        opened++;
        *out = &handle;
        return EFI_SUCCESS;
    }
    return EFI_ERROR | 14;
}
static efi_status close_file(struct file *self) { (void)self; closed++; return EFI_SUCCESS; }
static efi_status read_file(struct file *self, uint64_t *size_bytes, void *to)
{
    (void)self;
    uint64_t left = strlen(files[at_file].data) - position;
    if (*size_bytes > 3) *size_bytes = 3;                 /* firmware may give less than was asked for */
    if (*size_bytes > left) *size_bytes = left;
    memcpy(to, files[at_file].data + position, *size_bytes);
    position += *size_bytes;
    return EFI_SUCCESS;
}
static efi_status get_position(struct file *self, uint64_t *out) { (void)self; *out = position; return EFI_SUCCESS; }
static efi_status set_position(struct file *self, uint64_t to)
{
    (void)self;
    position = to == UINT64_MAX ? strlen(files[at_file].data) : to;
    return EFI_SUCCESS;
}
static struct file handle = { 0, open_file, close_file, NULL, read_file, NULL, get_position, set_position };
static efi_status open_volume(struct volume *self, struct file **out) { (void)self; opened++; *out = &handle; return EFI_SUCCESS; }
static efi_status load(struct loader *self, const uint8_t *path, bool is_boot, uint64_t *size_bytes, void *to)
{
    (void)self, (void)path, (void)is_boot;
    uint64_t size = strlen(offered), cap = *size_bytes;
    *size_bytes = size;
    if (!to || cap < size) return EFI_BUFFER_TOO_SMALL;
    memcpy(to, offered, size);
    return EFI_SUCCESS;
}
static efi_status allocate_pages(uint32_t how, uint32_t type, uint64_t count, uint64_t *address)
{
    (void)how, (void)type;
    if (count * 4096 > sizeof memory) return EFI_ERROR | 9;
    *address = (uint64_t)memory;
    return EFI_SUCCESS;
}
static efi_status handle_protocol(void *of, const struct efi_guid *protocol, void **interface)
{
    (void)of;
    *interface = !memcmp(protocol, &file_system, 16) ? (void *)&volume : (void *)&loader;
    return EFI_SUCCESS;
}
static efi_status locate_device_path(const struct efi_guid *protocol, const uint8_t **path, void **of)
{
    (void)protocol;
    *of = &loader;
    *path += 20;
    return offered ? EFI_SUCCESS : EFI_ERROR | 14;
}
static efi_status locate_protocol(const struct efi_guid *protocol, void *registration, void **interface)
{
    (void)protocol, (void)registration;
    *interface = &graphics;
    return has_screen ? EFI_SUCCESS : EFI_ERROR | 14;
}
static struct efi_boot_services bs = { .allocate_pages = allocate_pages, .handle_protocol = handle_protocol,
                                       .locate_device_path = locate_device_path, .locate_protocol = locate_protocol };
static struct volume volume = { 0, open_volume };
static struct loader loader = { load };

/* \E\A.EFI */
static const uint8_t path[] = { 2, 1, 4, 0, 4, 4, 22, 0, '\\', 0, 'E', 0, '\\', 0, 'A', 0, '.', 0, 'E', 0, 'F', 0, 'I', 0, 0, 0, 0x7f, 0xff, 4, 0 };
static const struct efi_loaded_image image = { .device = &volume, .path = path };

static void put(unsigned i, const char *name, const char *data)
{
    strcpy(files[i].name, name);
    files[i].data = data;
}

static void begin(void)
{
    memset(files, 0, sizeof files);
    memset(memory, 0, sizeof memory);
    offered = NULL;
    opened = closed = 0;
}

TEST(efi_bundle_lies_beside_the_image_or_in_the_root)
{
    struct boot_range r;
    begin();
    put(0, "hospes.cpio", "root's");
    CHECK(!efi_read_bundle(&bs, &image, "", &r));
    CHECK(r.size_bytes == 6 && !memcmp((void *)r.base, "root's", 6));
    put(1, "\\E\\hospes.cpio", "the folder's");
    CHECK(!efi_read_bundle(&bs, &image, "noinitrd=x exit", &r));
    CHECK(r.size_bytes == 12 && !memcmp((void *)r.base, "the folder's", 12));
    CHECK_EQ_U64(opened, closed);
}

TEST(efi_bundle_may_be_named_or_offered_by_a_loader)
{
    struct boot_range r;
    begin();
    put(0, "hospes.cpio", "beside");
    put(1, "\\E\\x\\y", "named");
    offered = "offered";
    CHECK(!efi_read_bundle(&bs, &image, "a initrd=x/y b", &r));
    CHECK(r.size_bytes == 5 && !memcmp((void *)r.base, "named", 5));
    CHECK(strstr(efi_read_bundle(&bs, &image, "initrd=z", &r), "not there") && !r.size_bytes);
    files[0].data = NULL;
    CHECK(!efi_read_bundle(&bs, &image, "", &r));
    CHECK(r.size_bytes == 7 && !memcmp((void *)r.base, "offered", 7));
    offered = NULL;
    CHECK(!efi_read_bundle(&bs, &image, "", &r) && !r.size_bytes);
    put(0, "hospes.cpio", "");
    CHECK(!efi_read_bundle(&bs, &image, "", &r) && !r.size_bytes);
    CHECK_EQ_U64(opened, closed);
}

TEST(efi_words_come_from_a_file_that_ends_where_its_place_ends)
{
    char words[8];
    begin();
    efi_read_words(&bs, &image, words, sizeof words);
    CHECK_STR(words, "");
    put(0, "\\E\\hospes.cmdline", "a\nbcdefghijk");
    efi_read_words(&bs, &image, words, sizeof words);
    CHECK_STR(words, "a bcdef");
    put(0, "\\E\\hospes.cmdline", "exit\r\n");
    efi_read_words(&bs, &image, words, sizeof words);
    CHECK_STR(words, "exit");
}

TEST(efi_device_paths_that_lie_are_left_where_they_lie)
{
    static const uint8_t endless[] = { 4, 4, 0, 0, 1, 2, 3, 4 };
    static const uint8_t no_end[] = { 4, 4, 8, 0, 'a', 0, '\\', 0, 0x7f, 0xff, 4, 0 };
    efi_char out[2 * PATH_CHARS];
    CHECK_EQ_U64(folder_of(NULL, out), 0);
    CHECK_EQ_U64(folder_of(endless, out), 0);
    CHECK_EQ_U64(folder_of(no_end, out), 2);
    CHECK_EQ_U64(folder_of(path, out), 3);
}

TEST(efi_screens_have_a_framebuffer_and_colours)
{
    struct framebuffer f;
    graphics.mode = &mode;
    mode = (struct mode){ .information = &information, .base = 0x47000000, .bytes = 800 * 600 * 4 };
    information = (struct mode_information){ .width = 800, .height = 600, .format = PIXEL_BGRX, .pixels_per_line = 800 };
    has_screen = true;
    efi_read_screen(&bs, &f);
    CHECK((uint64_t)f.base == 0x47000000 && f.pitch_bytes == 3200 && f.width == 800 && f.height == 600 && f.pixel_bits == 32);
    CHECK(f.red.shift == 16 && f.green.shift == 8 && f.blue.shift == 0 && f.red.bits == 8);
    information.format = PIXEL_MASKS, information.red = 0xf800, information.green = 0x7e0, information.blue = 0x1f;
    efi_read_screen(&bs, &f);
    CHECK(f.base && f.pixel_bits == 16 && f.pitch_bytes == 1600 && f.green.shift == 5 && f.green.bits == 6);
    information.format = 3;                               /* drawing by calls alone */
    efi_read_screen(&bs, &f);
    CHECK(!f.base);
    information.format = PIXEL_RGBX, mode.bytes--;        /* less memory than the mode needs */
    efi_read_screen(&bs, &f);
    CHECK(!f.base);
    has_screen = false;
    efi_read_screen(&bs, &f);
    CHECK(!f.base);
}

// SPDX-License-Identifier: Apache-2.0
/* Files beside the image on the volume that it came from (UEFI 2.10, 13.4, 13.5), and the initrd that a loader offers by the
 * Load File 2 Protocol (13.2; Linux' Documentation/arch/x86/boot has the path's GUID). */
#include "boot/aarch64/efi.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define BUNDLE_NAME "hospes.cpio"
#define WORDS_NAME  "hospes.cmdline"
#define PATH_CHARS  256u
#define MOST_BYTES  GIB(4)
#define READ_ONLY   1u

static const struct efi_guid file_system = { 0x964e5b22, 0x6459, 0x11d2, { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
static const struct efi_guid load_file_2 = { 0x4006c0c1, 0xfcb3, 0x403e, { 0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d } };

struct file {
    uint64_t revision;
    efi_status (*open)(struct file *self, struct file **out, const efi_char *name, uint64_t mode, uint64_t attributes);
    efi_status (*close)(struct file *self);
    void *remove;
    efi_status (*read)(struct file *self, uint64_t *size_bytes, void *to);
    void *write;
    efi_status (*get_position)(struct file *self, uint64_t *position);
    efi_status (*set_position)(struct file *self, uint64_t position);
};
struct volume { uint64_t revision; efi_status (*open)(struct volume *self, struct file **root); };
struct loader { efi_status (*load)(struct loader *self, const uint8_t *path, bool is_boot, uint64_t *size_bytes, void *to); };

/* 10.3.1: type, subtype, length in two bytes. The folder of the file that the path ends in, with its last backslash. */
enum { NODE_BYTES = 4, TYPE_MEDIA = 4, MEDIA_VENDOR = 3, MEDIA_FILE = 4, TYPE_END = 0x7f };

static unsigned folder_of(const uint8_t *node, efi_char *out)
{
    unsigned length = 0, kept = 0;
    for (unsigned n = 0; node && node[0] != TYPE_END && n < 64; n++, node += load_le16(node + 2)) {
        unsigned bytes = load_le16(node + 2);
        if (bytes < NODE_BYTES) break;
        if (node[0] != TYPE_MEDIA || node[1] != MEDIA_FILE) continue;
        for (unsigned at = NODE_BYTES; at + 2 <= bytes && length < PATH_CHARS; at += 2) {
            efi_char c = load_le16(node + at);
            if (!c) break;
            out[length++] = c;
            if (c == '\\') kept = length;
        }
    }
    return kept;
}

/* Opens `name` in the image's folder, else in the volume's root; NULL: not there, or no volume. */
static struct file *open_beside(struct efi_boot_services *bs, const struct efi_loaded_image *image, const char *name, size_t name_chars)
{
    static efi_char path[2 * PATH_CHARS];
    void *found;
    struct file *root, *file = NULL;
    if (!image->device || name_chars >= PATH_CHARS || bs->handle_protocol(image->device, &file_system, &found) != EFI_SUCCESS) return NULL;
    struct volume *volume = found;
    if (volume->open(volume, &root) != EFI_SUCCESS) return NULL;
    for (unsigned folder = folder_of(image->path, path);; folder = 0) {
        for (size_t i = 0; i < name_chars; i++) path[folder + i] = (efi_char)(name[i] == '/' ? '\\' : name[i]);
        path[folder + name_chars] = 0;
        if (root->open(root, &file, path, READ_ONLY, 0) == EFI_SUCCESS) break;
        file = NULL;
        if (!folder) break;
    }
    (void)root->close(root);
    return file;
}

/* 13.5.13: the position at all ones is the end. */
static bool size_of(struct file *f, uint64_t *size_bytes)
{
    return f->set_position(f, UINT64_MAX) == EFI_SUCCESS && f->get_position(f, size_bytes) == EFI_SUCCESS
        && f->set_position(f, 0) == EFI_SUCCESS;
}

static const char *allocate(struct efi_boot_services *bs, uint64_t size_bytes, struct boot_range *out)
{
    uint64_t at;
    if (size_bytes > MOST_BYTES) return "the bundle is larger than 4 GiB";
    if (bs->allocate_pages(0, EFI_LOADER_DATA, (size_bytes + EFI_PAGE_BYTES - 1) / EFI_PAGE_BYTES, &at) != EFI_SUCCESS) return "no memory for the bundle";
    *out = (struct boot_range){ at, size_bytes };
    return NULL;
}

static const char *read_whole(struct efi_boot_services *bs, struct file *f, struct boot_range *out)
{
    uint64_t size = 0, done = 0;
    if (!size_of(f, &size)) return "the bundle's size cannot be read";
    const char *why = size ? allocate(bs, size, out) : NULL;
    while (!why && done < size) {
        uint64_t bytes = size - done;
        if (f->read(f, &bytes, (void *)(out->base + done)) != EFI_SUCCESS || !bytes || bytes > size - done) why = "the bundle cannot be read";
        done += bytes;
    }
    return why;
}

static const char *read_offered(struct efi_boot_services *bs, struct boot_range *out)
{
    static const uint8_t initrd[] = { TYPE_MEDIA, MEDIA_VENDOR, 20, 0, 0x27, 0xe4, 0x68, 0x55, 0xfc, 0x68, 0x3d, 0x4f, 0xac, 0x74, 0xca, 0x55, 0x52, 0x31,
                                      0xcc, 0x68, TYPE_END, 0xff, 4, 0 };
    const uint8_t *path = initrd;
    void *handle, *found;
    uint64_t size = 0;
    if (bs->locate_device_path(&load_file_2, &path, &handle) != EFI_SUCCESS || path[0] != TYPE_END) return NULL;
    if (bs->handle_protocol(handle, &load_file_2, &found) != EFI_SUCCESS) return NULL;
    struct loader *loader = found;
    if (loader->load(loader, path, false, &size, NULL) != EFI_BUFFER_TOO_SMALL || !size) return NULL;
    const char *why = allocate(bs, size, out);
    if (!why && loader->load(loader, path, false, &size, (void *)out->base) != EFI_SUCCESS) why = "the loader's initrd cannot be read";
    return why;
}

/* What follows initrd= where that begins a word; NULL: nowhere. */
static const char *named(const char *cmdline)
{
    static const char word[] = "initrd=";
    for (const char *at = cmdline; (at = strstr(at, word)); at++) {
        if (at == cmdline || at[-1] == ' ') return at + sizeof word - 1;
    }
    return NULL;
}

const char *efi_read_bundle(struct efi_boot_services *bs, const struct efi_loaded_image *image, const char *cmdline, struct boot_range *out)
{
    const char *word = named(cmdline), *name = word ? word : BUNDLE_NAME, *space = strchr(name, ' ');
    struct file *f = open_beside(bs, image, name, space ? (size_t)(space - name) : strlen(name));
    *out = (struct boot_range){ 0, 0 };
    if (!f) return word ? "the file that initrd= names is not there" : read_offered(bs, out);
    const char *why = read_whole(bs, f, out);
    (void)f->close(f);
    return why;
}

void efi_read_words(struct efi_boot_services *bs, const struct efi_loaded_image *image, char *out, size_t cap_bytes)
{
    uint64_t bytes = 0, part;
    struct file *f = open_beside(bs, image, WORDS_NAME, sizeof WORDS_NAME - 1);
    out[0] = 0;
    if (!f) return;
    do {
        part = cap_bytes - 1 - bytes;
        if (f->read(f, &part, out + bytes) != EFI_SUCCESS || part > cap_bytes - 1 - bytes) break;
        bytes += part;
    } while (part);
    (void)f->close(f);
    for (uint64_t i = 0; i < bytes; i++) {
        if (out[i] == '\n' || out[i] == '\r' || out[i] == '\t') out[i] = ' ';
    }
    while (bytes && out[bytes - 1] == ' ') bytes--;
    out[bytes] = 0;
}

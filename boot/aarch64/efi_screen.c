// SPDX-License-Identifier: Apache-2.0
/* The screen as firmware's Graphics Output Protocol describes it (UEFI 2.10, 12.9.2), in the mode that it is in. */
#include "boot/aarch64/efi.h"
#include "hv/base/bits.h"

static const struct efi_guid graphics_output = { 0x9042a9de, 0x23dc, 0x4a38, { 0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a } };

enum { PIXEL_RGBX, PIXEL_BGRX, PIXEL_MASKS };             /* others have no framebuffer */
struct mode_information { uint32_t version, width, height, format, red, green, blue, reserved, pixels_per_line; };
struct mode { uint32_t mode_count, mode; const struct mode_information *information; uint64_t information_bytes, base, bytes; };
struct graphics { void *query_mode, *set_mode, *blt; const struct mode *mode; };

static struct framebuffer_colour colour(uint32_t mask)
{
    if (!mask) return (struct framebuffer_colour){ 0 };
    return (struct framebuffer_colour){ (uint8_t)__builtin_ctz(mask), (uint8_t)__builtin_popcount(mask) };
}

void efi_read_screen(struct efi_boot_services *bs, struct framebuffer *out)
{
    void *found;
    *out = (struct framebuffer){ 0 };
    if (bs->locate_protocol(&graphics_output, NULL, &found) != EFI_SUCCESS) return;
    const struct mode *m = ((const struct graphics *)found)->mode;
    if (!m || !m->information || !m->base || m->information->format > PIXEL_MASKS) return;
    struct mode_information i = *m->information;
    if (i.format == PIXEL_RGBX) i.red = 0xff, i.green = 0xff00, i.blue = 0xff0000, i.reserved = 0xff000000;
    if (i.format == PIXEL_BGRX) i.red = 0xff0000, i.green = 0xff00, i.blue = 0xff, i.reserved = 0xff000000;
    uint32_t all = i.red | i.green | i.blue | i.reserved;
    unsigned bits = all ? (unsigned)align_up(log2_floor(all) + 1, 8) : 0;
    uint64_t pitch = (uint64_t)i.pixels_per_line * (bits / 8);
    if (pitch > UINT32_MAX || pitch * i.height > m->bytes) return;
    *out = (struct framebuffer){ .base = (void *)m->base, .pitch_bytes = (uint32_t)pitch, .width = i.width, .height = i.height, .pixel_bits = (uint8_t)bits,
                                 .red = colour(i.red), .green = colour(i.green), .blue = colour(i.blue) };
}

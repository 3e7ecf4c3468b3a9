// SPDX-License-Identifier: Apache-2.0
/* A bundle: a cpio archive (newc) of hospes.conf and the files it names, as boot module or linked in. Read in place. */
#pragma once
#include "hv/base/error.h"

struct bundle { const uint8_t *data; uint64_t size_bytes; };
/* The first regular file of that name; leading "/" and "./" mean nothing. False: there is none, or the archive is damaged
 * before it. The data stay the bundle's. */
bool bundle_find(const struct bundle *b, const char *path, const void **data, size_t *size_bytes);
bool bundle_is_valid(const struct bundle *b);         /* starts with a newc header */

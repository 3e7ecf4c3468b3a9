// SPDX-License-Identifier: Apache-2.0
/* <inttypes.h> of freestanding images. */
#pragma once
#include <stdint.h>
#define PRIx64 "lx"
#define PRIu64 "lu"

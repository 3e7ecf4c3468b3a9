// SPDX-License-Identifier: Apache-2.0
/* <string.h> of freestanding images: for third-party sources; ours include hv/base/string.h. */
#pragma once
#include "hv/base/string.h"

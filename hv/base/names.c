// SPDX-License-Identifier: Apache-2.0
/* Names of the words of types.h, from their lists. */
#include "hv/base/types.h"

const char *guest_arch_name(enum guest_arch a)
{
    static const char *const name[] = {
#define X(e, n, w) [e] = n,
        GUEST_ARCH_LIST(X)
#undef X
    };
    return (unsigned)a < GUEST_ARCH_COUNT ? name[a] : "?";
}

const char *exec_mode_name(enum exec_mode m)
{
    static const char *const name[] = {
#define X(e, n) [e] = n,
        EXEC_MODE_LIST(X)
#undef X
    };
    return (unsigned)m < EXEC_MODE_COUNT ? name[m] : "?";
}

const char *access_type_name(enum access_type t)
{
    static const char *const name[] = {
#define X(e, n) [e] = n,
        ACCESS_TYPE_LIST(X)
#undef X
    };
    return (unsigned)t < ACCESS_TYPE_COUNT ? name[t] : "?";
}

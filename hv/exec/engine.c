// SPDX-License-Identifier: Apache-2.0
/* Names of engine.h's words. */
#include "hv/exec/engine.h"

const char *exec_status_name(enum exec_status s)
{
    static const char *const name[] = {
#define X(e, n) [e] = n,
        EXEC_STATUS_LIST(X)
#undef X
    };
    return (unsigned)s < EXEC_STATUS_COUNT ? name[s] : "?";
}

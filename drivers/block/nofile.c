// SPDX-License-Identifier: Apache-2.0
/* Images without files of a host refuse file disks; drivers/block/hosted/file.c stands here otherwise. */
#include "drivers/block/block.h"

struct vm_error block_file_create(const char *path, bool is_read_only, struct block **out)
{
    (void)path, (void)is_read_only, (void)out;
    return vm_error_because(VM_CORE_NOT_SUPPORTED, "file disks exist only in the hosted build; write image:FILE or ram:SIZE");
}

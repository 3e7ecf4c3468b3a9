// SPDX-License-Identifier: Apache-2.0
/* A VM's parts from its description, and back to nothing. The caller holds the VM alone. */
#pragma once
#include "hv/vm/vm.h"

typedef void vm_power_fn(void *vm, enum power_request what, uint32_t code);
/* vm->config is the description. On an error, what was made waits for vm_unmake. */
NODISCARD struct vm_error vm_make(struct vm *vm, const struct file_source *files, vm_power_fn *power);
void                      vm_unmake(struct vm *vm);         /* and the struct itself */

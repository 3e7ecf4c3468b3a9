// SPDX-License-Identifier: Apache-2.0
/* Which engine runs a VM. */
#pragma once
#include "hv/vm/vm.h"

/* By c->exec_mode, which becomes what was chosen where the configuration says `auto`: hardware where the guest is of the host's
 * own kind and the host can, else the JIT where its instructions are known here. An error says what is missing. */
NODISCARD struct vm_error vm_choose_engine(struct vm_config *c, const struct isa_ops *isa, const struct engine_ops **out);

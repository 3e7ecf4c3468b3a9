// SPDX-License-Identifier: Apache-2.0
/* A debugger's hands: breakpoints, single steps, memory without side effects. API calls as in vm.h. A breakpoint that is hit
 * pauses the VM and says so in the log; resuming goes on over it. VMs without breakpoints pay nothing. */
#pragma once
#include "hv/vm/vm.h"

/* At a virtual address, for every vCPU and address space; at most VCPU_MAX_BREAKS. Any state. Adding one twice is one. */
NODISCARD struct vm_error vm_break_add(struct vm *vm, guest_addr at);
NODISCARD struct vm_error vm_break_remove(struct vm *vm, guest_addr at);
unsigned                  vm_break_list(const struct vm *vm, guest_addr *out, unsigned cap);    /* returns how many there are */

/* `count` instructions of one vCPU while all others stand still; the VM is Paused or Created and stays so. Interrupts are not
 * taken, a fault enters the guest's handler and is a step. Ends early at a breakpoint (EXEC_BREAKPOINT), when the guest asks for
 * power-off or reboot (EXEC_OK; done when it is resumed), or when it cannot go on (EXEC_FAULT). *last (may be NULL) is the last
 * step's result. */
NODISCARD struct vm_error vm_step(struct vm *vm, unsigned vcpu, unsigned count, struct exec_result *last);

/* RAM and ROM by the vCPU's translation, or physically. Whatever the rights of its pages; never a device, no accessed or dirty
 * bit, no TLB entry. All or nothing: Memory(InvalidAddress) names the first byte that is no memory. Reading: any state.
 * Writing: Paused or Created; code is noticed. */
NODISCARD struct vm_error vm_read_memory (struct vm *vm, unsigned vcpu, bool is_physical, uint64_t at, void *out, size_t size_bytes);
NODISCARD struct vm_error vm_write_memory(struct vm *vm, unsigned vcpu, bool is_physical, uint64_t at, const void *in, size_t size_bytes);

/* Where the vCPU's loads and stores would go, and what of PERM_* they may do there; nothing changes. Any state.
 * Memory(InvalidAddress): it is not mapped. */
NODISCARD struct vm_error vm_translate(struct vm *vm, unsigned vcpu, guest_addr at, guest_phys_addr *out, unsigned *rights);

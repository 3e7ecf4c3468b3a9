// SPDX-License-Identifier: Apache-2.0
/* The numbered history of VMs: every change of a VM's life is an event of the store, under the VM's number. Any core. */
#pragma once
#include "hv/core/event.h"
#include "hv/vm/vm.h"

/* Where lives are noted from now on; boot opens it before the first VM. NULL: nowhere. The caller keeps owning it. */
void                vm_history_open(struct event_store *s);
/* Opens a store made for it: on a disk or partition of the host ("0p3"), or in memory when `place` is NULL or does not serve,
 * which is a line in the log. VMs are numbered from there on: above all that the store has seen. */
void                vm_history_start(const char *place);
void                vm_history_flush(void);      /* what was noted is safe when it returns, if it can be */
struct event_store *vm_events(void);             /* NULL: none is open */
/* Payloads, 64-bit numbers: created: memory in bytes, vCPUs; stopped: enum vm_end, the guest's code; state_changed: enum
 * vm_lifecycle, how often so far; the others: 0, 0. Behind them the wall clock's seconds, then for created the first 16 letters
 * of its name, for state_changed enum vm_change. A VM's number is never given again, nor by a later start where the store
 * outlives it. */
void                vm_note(const struct vm *vm, enum event_kind kind, uint64_t a, uint64_t b);
/* What an engine has to tell since it was asked last: execution.code_block_compiled (pc, how many so far) and .hotspot_detected (pc, samples),
 * some a second at most. The vCPU's thread. */
void                vm_note_code(const struct vm *vm, const struct vcpu *v, struct code_notes *seen);
/* What a state_changed tells of. */
enum vm_change { CHANGE_REBOOT, CHANGE_RESET, CHANGE_RESTART, CHANGE_WATCHDOG };
void                vm_note_change(const struct vm *vm, enum vm_lifecycle state, uint64_t count, enum vm_change why);
void                vm_forget_history(const struct vm *vm);      /* a VM that is destroyed takes its history along */

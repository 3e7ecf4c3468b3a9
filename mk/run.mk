# SPDX-License-Identifier: Apache-2.0
# `make run` (at the keyboard: the monitor, or one guest's console) and `make boot` (for scripts). All work is in tools/boot.sh.
GUEST   ?= demo
HOST    ?= x86_64
export SCREEN HOST VCPUS CORES MODE MACHINE CPU MEMORY HOSTMEM IMAGE GIC EL TIMEOUT EMULATOR DISK CMDLINE FIRMWARE TABLES HOSTDISK HOSTBUS
# A folder of one's own in $(BUILD)/guests is a guest as well, and needs no building.
BUILT_GUESTS := demo demo-riscv64 demo-x86_64 conform-riscv64 $(REAL_GUESTS)
.PHONY: run boot
run boot:
	$(Q)BUILD=$(BUILD) GUESTS="$(BUILT_GUESTS)" tools/boot.sh words $(GUEST)
	$(Q)tools/need.sh $(TOOLS_run)
	$(Q)$(MAKE) --no-print-directory $(HOST) $(filter $(GUEST:%=guest-%),$(BUILT_GUESTS:%=guest-%))
	$(Q)BUILD=$(BUILD) tools/boot.sh $@ $(GUEST)
run:  ## the hypervisor in QEMU: the monitor with demo guests, or GUEST=... at its prompt (leave with Ctrl-A x)
boot: ## the same without a keyboard: prints the consoles, ends with the guests' status

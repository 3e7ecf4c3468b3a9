# SPDX-License-Identifier: Apache-2.0
# Real guests: `make guest-NAME` leaves kernel, initrd, firmware, vmlinux (those it has) and vm.conf in
# $(BUILD)/guests/NAME. Each guests/*/NAME.recipe is one; results are cached per user and shared by all clones.
BUILD ?= build
REAL_GUESTS := $(sort $(basename $(notdir $(wildcard guests/*/*.recipe))))

.PHONY: guests $(REAL_GUESTS:%=guest-%)
guests: $(REAL_GUESTS:%=guest-%) ## fetch and build all real guests; guest-NAME: one

$(REAL_GUESTS:%=guest-%): guest-%:
	@guests/make-guest.sh $* $(BUILD)/guests/$*

# SPDX-License-Identifier: Apache-2.0
# `make test` runs every suite and ends in one line `N passed, N failed`. Each suite prints such a line of its own.
-include test/isa/isa.mk
include test/jit/jit.mk
-include test/fp/fp.mk
-include test/fuzz/fuzz.mk
include test/lint/lint.mk
include test/vm/vm.mk
include test/boot/boot.mk
include test/guests/guests.mk
include test/native/native.mk
include test/native/x86_64.mk
include test/monitor/monitor.mk
include test/unit/tsan.mk

UNIT_SRCS := test/harness/harness.c $(wildcard test/unit/*.c) drivers/host/registers.c drivers/host/pci.c $(wildcard drivers/host/virtio_*.c) hv/arch/aarch64/stage2.c
$(BUILD)/obj/san/test/%.c.o: WARN += -Wno-missing-prototypes -Wno-clobbered
$(BUILD)/hosted/unit: $(UNIT_SRCS:%=$(BUILD)/obj/san/%.o) $(call objs,san)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_san) -pthread -fsanitize=address,undefined -rdynamic -o $@ $(filter %.o,$^)

.PHONY: test test-unit unit
unit: $(BUILD)/hosted/unit
test-unit: unit                   ## unit tests alone (hosted, ASan and UBSan), engines' on both engines
	$(Q)$(BUILD)/hosted/unit
	$(Q)UNIT_ENGINE=jit $(BUILD)/hosted/unit

# name=command; a suite's build is a prerequisite of `test`
SUITES := layers='test/lint/layers.sh' unit='$(BUILD)/hosted/unit' unit-jit='UNIT_ENGINE=jit $(BUILD)/hosted/unit' $(SUITES_EXTRA)
test:  ## every test; ends in `N passed, N failed`
	$(Q)tools/need.sh $(TOOLS_test)
	$(Q)$(MAKE) --no-print-directory test-suites
.PHONY: test-suites
test-suites: unit $(TEST_PREREQUISITES)
	$(Q)BUILD=$(BUILD) test/run-suites.sh $(SUITES)

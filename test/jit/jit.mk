# SPDX-License-Identifier: Apache-2.0
# Encodings of both back ends against binutils' disassembler; the a64 back end at work, in the emulator of user mode.
$(BUILD)/hosted/test-jit-encodings: $(BUILD)/obj/hosted/test/jit/encodings.c.o $(BUILD)/hosted/libhv.a
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_hosted) -pthread -o $@ $^
.PHONY: test-jit
test-jit: $(BUILD)/hosted/test-jit-encodings   ## what the JIT's back ends write, read by binutils
	$(Q)test/jit/encodings.sh $<
TEST_PREREQUISITES += $(BUILD)/hosted/test-jit-encodings
SUITES_EXTRA += jit-encodings='test/jit/encodings.sh $(BUILD)/hosted/test-jit-encodings'

# the hypervisor as an AArch64 process, and the unit tests that have to do with engines
$(BUILD)/hosted64/hospes: $(call objs,hosted64) $(HOSTED_MAIN:%=$(BUILD)/obj/hosted64/%.o)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_hosted64) -pthread -rdynamic -o $@ $(filter %.o,$^)
A64_UNITS := jit_barrier litmus jit_nan jit_window interp_random interp_memory ir_strangers jit jit_fuzz audit smc smp stats engine riscv64_exec riscv64_guest
$(BUILD)/obj/hosted64/test/%.c.o: WARN += -Wno-missing-prototypes -Wno-clobbered
$(BUILD)/hosted64/unit: $(call objs,hosted64) $(patsubst %,$(BUILD)/obj/hosted64/test/unit/%_test.c.o,$(A64_UNITS)) $(BUILD)/obj/hosted64/test/harness/harness.c.o
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_hosted64) -pthread -rdynamic -o $@ $(filter %.o,$^)
A64_RUN := qemu-aarch64 -L /usr/aarch64-linux-gnu
.PHONY: test-jit-a64 hosted64
hosted64: $(BUILD)/hosted64/hospes
test-jit-a64: $(BUILD)/hosted64/unit          ## the a64 back end: random programs and engines' tests as an AArch64 process
	$(Q)tools/need.sh qemu-aarch64
	$(Q)UNIT_ENGINE=jit $(A64_RUN) $<
TEST_PREREQUISITES += $(BUILD)/hosted64/unit

# lock-step of interpreter and JIT on random programs, for as long as one likes; HOST=aarch64: the other back end
.PHONY: fuzz-jit
fuzz-jit: $(BUILD)/$(if $(filter aarch64,$(HOST)),hosted64,hosted)/unit ## random programs on interpreter and JIT in lock-step: MINUTES=30, HOST=aarch64
	$(Q)JIT_FUZZ_SECONDS=$$((60 * $(or $(MINUTES),30))) $(if $(filter aarch64,$(HOST)),$(A64_RUN) )$< lock_step
SUITES_EXTRA += jit-a64='UNIT_ENGINE=jit $(A64_RUN) $(BUILD)/hosted64/unit'

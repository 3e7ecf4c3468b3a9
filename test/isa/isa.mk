# SPDX-License-Identifier: Apache-2.0
# Instruction suites: programs of their own, since they lean on other machines as oracles.
ISA_SUITES := riscv64_objdump riscv64_unicorn riscv64_qemu
# Unicorn carries functions of the same names as ours: none of ours may be seen from it.
ISA_LIBS_riscv64_unicorn := -lunicorn -Wl,--version-script=test/isa/hide.map
ISA_LIBS_arm64_unicorn := $(ISA_LIBS_riscv64_unicorn)
ISA_PROGRAMS := $(ISA_SUITES:%=$(BUILD)/hosted/test-isa-%)

# From an archive, so that a suite pulls in what it needs and no more.
$(BUILD)/hosted/libhv.a: $(call objs,hosted)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

define isa_program
$(BUILD)/hosted/test-isa-$(1): $(BUILD)/obj/hosted/test/isa/$(1).c.o $(BUILD)/hosted/libhv.a
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	$(Q)$(CC_of_hosted) -pthread -o $$@ $$^ $$(ISA_LIBS_$(1))
endef
$(foreach s,$(ISA_SUITES),$(eval $(call isa_program,$(s))))

.PHONY: test-isa isa-tools
isa-tools:
	$(Q)tools/need.sh riscv64-linux-gnu-gcc riscv64-linux-gnu-objdump libunicorn $(if $(shell command -v qemu-riscv64-static),,qemu-riscv64)
$(ISA_SUITES:%=$(BUILD)/obj/hosted/test/isa/%.c.o): | isa-tools
ISA_ARM64 := $(BUILD)/hosted/test-isa-arm64_objdump $(BUILD)/hosted/test-isa-arm64_unicorn
test-isa: $(ISA_PROGRAMS) $(ISA_ARM64) ## instructions against Unicorn, qemu-riscv64 and binutils, on both engines
	$(Q)test/isa/coverage.sh $(ISA_PROGRAMS)
	$(Q)UNIT_ENGINE=jit test/isa/coverage.sh $(ISA_PROGRAMS)
	$(Q)$(BUILD)/hosted/test-isa-arm64_objdump
	$(Q)$(BUILD)/hosted/test-isa-arm64_unicorn
	$(Q)UNIT_ENGINE=jit $(BUILD)/hosted/test-isa-arm64_unicorn

$(eval $(call isa_program,arm64_objdump))
$(eval $(call isa_program,arm64_unicorn))
$(ISA_ARM64:$(BUILD)/hosted/test-isa-%=$(BUILD)/obj/hosted/test/isa/%.c.o): | isa-tools-arm64
.PHONY: isa-tools-arm64
isa-tools-arm64:
	$(Q)tools/need.sh aarch64-linux-gnu-ld libunicorn
SUITES_EXTRA += isa-arm64='$(BUILD)/hosted/test-isa-arm64_objdump' isa-arm64-run='$(BUILD)/hosted/test-isa-arm64_unicorn' \
                isa-arm64-jit='UNIT_ENGINE=jit $(BUILD)/hosted/test-isa-arm64_unicorn'
TEST_PREREQUISITES += $(ISA_ARM64)

TEST_PREREQUISITES += $(ISA_PROGRAMS)
SUITES_EXTRA += isa='test/isa/coverage.sh $(ISA_PROGRAMS)' isa-jit='UNIT_ENGINE=jit test/isa/coverage.sh $(ISA_PROGRAMS)'

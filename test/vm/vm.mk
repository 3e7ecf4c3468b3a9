# SPDX-License-Identifier: Apache-2.0
# Suites of the virtual machines' lives, on the hosted hypervisor under ASan and UBSan: hostile guests beside a good one,
# files and words that must be refused, ends and signals. `make test-vm ONLY=word` runs some rows.
sanitize_of_san  := address,undefined
sanitize_of_tsan := thread
define vm_san_rules
$(BUILD)/$(1)/hospes: $(call objs,$(1)) $(HOSTED_MAIN:%=$(BUILD)/obj/$(1)/%.o)
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	$(Q)$$(CC_of_$(1)) -pthread -fsanitize=$(sanitize_of_$(1)) -rdynamic -o $$@ $$(filter %.o,$$^)
endef
$(foreach f,san tsan,$(eval $(call vm_san_rules,$(f))))

HOSTILE_SRCS := $(wildcard test/vm/hostile/*.[cS])
$(BUILD)/test/vm/hostile.elf: $(HOSTILE_SRCS) test/vm/hostile/hostile.h test/vm/hostile/hostile.ld
	@mkdir -p $(@D)
	@echo "  GUEST   hostile"
	$(Q)tools/need.sh riscv64-linux-gnu-gcc && riscv64-linux-gnu-gcc -march=rv64imafd_zicsr_zifencei -mabi=lp64 -mcmodel=medany -O2 -std=gnu11 \
	    -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables \
	    -Wall -Wextra -Werror -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments -T test/vm/hostile/hostile.ld -o $@ $(HOSTILE_SRCS)

.PHONY: vm-suite test-vm test-vm-tsan
vm-suite: $(BUILD)/san/hospes $(BUILD)/test/vm/hostile.elf guest-demo-riscv64
	$(Q)tools/need.sh python3 expect
test-vm: vm-suite                 ## hostile guests, refusals, ends and signals (hosted, ASan and UBSan)
	$(Q)test/vm/hostile.sh $(BUILD) $(ONLY); test/vm/process.sh $(BUILD) $(ONLY)
.PHONY: torture
torture: vm-suite guest-demo-riscv64 $(if $(filter hosted,$(or $(HOST),x86_64)),,$(or $(HOST),x86_64)) ## a guest that does all it must not: HOST=hosted|x86_64|aarch64 SECONDS=600
	$(Q)tools/need.sh cpio && test/vm/torture.sh $(BUILD) $(or $(HOST),x86_64) $(or $(SECONDS),600)
SUITES_EXTRA += torture='test/vm/torture.sh $(BUILD) hosted 20' torture-x86_64='test/vm/torture.sh $(BUILD) x86_64 15' torture-aarch64='test/vm/torture.sh $(BUILD) aarch64 15'
SUITES_EXTRA += hostile='test/vm/hostile.sh $(BUILD)' process='test/vm/process.sh $(BUILD)'
TEST_PREREQUISITES += vm-suite
.PHONY: tsan-suite
tsan-suite: $(BUILD)/tsan/hospes $(BUILD)/test/vm/hostile.elf guest-demo-riscv64
test-vm-tsan: tsan-suite          ## guests with four vCPUs on four cores under the thread sanitizer
	$(Q)test/vm/tsan.sh $(BUILD)
SUITES_EXTRA += vm-tsan='test/vm/tsan.sh $(BUILD)'
TEST_PREREQUISITES += tsan-suite
SLOW_SUITES += vm-tsan-linux='test/vm/tsan.sh $(BUILD) linux'

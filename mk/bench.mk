# SPDX-License-Identifier: Apache-2.0
# `make bench`: ratios against native code and qemu-system-riscv64, then guests of the host's own kind, in one run. ROUNDS=n,
# ONLY=kernel|linux|native
BENCH_NATIVE  := aarch64 $(BUILD)/test/native/arm64.elf x86_64 $(BUILD)/test/native/trips-x86_64
BENCH_FOREIGN := hosted guest-bench guest-linux-riscv64
.PHONY: bench
bench: $(if $(filter native,$(ONLY)),,$(BENCH_FOREIGN)) $(if $(filter-out native,$(ONLY)),,$(BENCH_NATIVE))  ## speed against native code and QEMU; ONLY=kernel|linux|native
	$(Q)tools/need.sh python3 qemu-system-riscv64 qemu-system-aarch64 qemu-system-x86_64 cpio
ifneq ($(ONLY),native)
	$(Q)test/bench/run.py $(BUILD) --rounds $(or $(ROUNDS),3) $(if $(ONLY),--only $(ONLY))
endif
ifeq ($(filter-out native,$(ONLY)),)
	$(Q)test/bench/native.py $(BUILD) --rounds $(or $(ROUNDS),3)
endif

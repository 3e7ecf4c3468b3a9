# SPDX-License-Identifier: Apache-2.0
# `make bench`: ratios against native code and qemu-system-riscv64, in one run. ROUNDS=n, ONLY=kernel|linux
.PHONY: bench
bench: hosted guest-bench guest-linux-riscv64  ## speed against native code and QEMU
	$(Q)tools/need.sh python3 qemu-system-riscv64
	$(Q)test/bench/run.py $(BUILD) --rounds $(or $(ROUNDS),3) $(if $(ONLY),--only $(ONLY))

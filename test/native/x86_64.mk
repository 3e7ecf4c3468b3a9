# SPDX-License-Identifier: Apache-2.0
# Guests of the host's own kind, by hardware virtualization: whole images in QEMU (AMD-V) and Bochs (VT-x, AMD-V).
$(BUILD)/test/native/hostile-x86_64: test/native/hostile_x86_64.c guests/demo/x86_64/start.S guests/demo/x86_64/demo.h guests/demo/x86_64/demo.ld
	@mkdir -p $(@D)
	@echo "  GUEST   hostile-x86_64"
	$(Q)tools/need.sh gcc && $(X86_64_GUEST_CC) $(X86_64_GUEST_CFLAGS) -I. -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	    -Wl,--no-warn-rwx-segments -Wl,-T,guests/demo/x86_64/demo.ld -o $@ test/native/hostile_x86_64.c guests/demo/x86_64/start.S

.PHONY: native-x86_64 test-native-x86_64
native-x86_64: x86_64 guest-demo-riscv64 guest-demo-x86_64 guest-debian-x86_64 $(BUILD)/test/native/hostile-x86_64
	$(Q)tools/need.sh qemu-system-x86_64 bochs grub-mkrescue xorriso mtools grub-pc-bin
test-native-x86_64: native-x86_64  ## x86_64 guests on AMD-V and VT-x: the matrix, hostile ones, refusals
	$(Q)test/native/x86_64.sh $(BUILD) $(ONLY)
SLOW_SUITES += native-x86_64='$(MAKE) --no-print-directory test-native-x86_64' native-x86_64-all='$(MAKE) --no-print-directory test-native-x86_64 ONLY=slow'

# SPDX-License-Identifier: Apache-2.0
# Guests of the host's own kind, by hardware virtualization: whole images in QEMU (AMD-V) and Bochs (VT-x, AMD-V).
# Programs for the bare guest, with the demo kernel's entry.
NATIVE_X86_64_PROGRAMS := $(addprefix $(BUILD)/test/native/,hostile-x86_64 trips-x86_64)
$(NATIVE_X86_64_PROGRAMS): $(BUILD)/test/native/%-x86_64: test/native/%_x86_64.c guests/demo/x86_64/start.S guests/demo/x86_64/demo.h guests/demo/x86_64/demo.ld
	@mkdir -p $(@D)
	@echo "  GUEST   $*-x86_64"
	$(Q)tools/need.sh gcc && $(X86_64_GUEST_CC) $(X86_64_GUEST_CFLAGS) -I. -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	    -Wl,--no-warn-rwx-segments -Wl,-T,guests/demo/x86_64/demo.ld -o $@ $< guests/demo/x86_64/start.S

NATIVE_X86_64 := x86_64 guest-demo-riscv64 guest-demo-x86_64 guest-linux-x86_64 guest-seabios-x86_64 guest-memtest-x86_64 guest-xen-x86_64 $(NATIVE_X86_64_PROGRAMS)
.PHONY: native-x86_64-tools test-native-x86_64 test-native-x86_64-all
native-x86_64-tools:
	$(Q)tools/need.sh qemu-system-x86_64 bochs grub-mkrescue xorriso mtools grub-pc-bin objcopy cpio python3
test-native-x86_64: native-x86_64-tools $(NATIVE_X86_64)  ## x86_64 guests on AMD-V and VT-x: CPUs, ways in, hostile ones, refusals; ONLY='words' picks rows
	$(Q)test/native/x86_64.sh $(BUILD) $(ONLY)
test-native-x86_64-all: native-x86_64-tools $(NATIVE_X86_64) guest-debian-x86_64  ## the same, the whole matrix
	$(Q)test/native/x86_64.sh $(BUILD) slow $(ONLY)
SUITES_EXTRA += native-x86_64='test/native/x86_64.sh $(BUILD)'
SLOW_SUITES += native-x86_64-all='$(MAKE) --no-print-directory test-native-x86_64-all'
TEST_PREREQUISITES += native-x86_64-tools $(NATIVE_X86_64)

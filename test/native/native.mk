# SPDX-License-Identifier: Apache-2.0
# Guests of the host's own kind, on hardware (as the emulator models it).
NATIVE_ARM64_SRCS := $(addprefix test/native/arm64/,start.S main.c hostile.c good.c bench.c)
$(BUILD)/test/native/arm64.elf: $(NATIVE_ARM64_SRCS) test/native/arm64/guest.h test/native/arm64/guest.ld | tools-aarch64
	@mkdir -p $(@D)
	@echo "  GUEST   $@"
	$(Q)$(CC_aarch64) -std=gnu11 -O2 -g -I. -ffreestanding -nostdlib -static -fno-pic -fno-pie -no-pie -mgeneral-regs-only -mno-outline-atomics -mstrict-align -fno-stack-protector \
	    -fno-tree-loop-distribute-patterns -Wall -Wextra -Werror -Wl,--build-id=none,--no-warn-rwx-segments -T test/native/arm64/guest.ld -o $@ $(NATIVE_ARM64_SRCS)

NATIVE_TOOLS  := qemu-system-aarch64 expect cpio python3
NATIVE_GUESTS := $(BUILD)/aarch64/hospes.img $(BUILD)/test/native/arm64.elf guest-demo-riscv64 guest-linux-arm64 guest-debian-arm64 guest-uboot-arm64
.PHONY: test-native test-native-all native-tools
native-tools:
	$(Q)tools/need.sh $(NATIVE_TOOLS)
test-native: native-tools $(NATIVE_GUESTS)     ## guests of the host's own kind on hardware; ONLY='words' picks rows
	$(Q)BUILD=$(BUILD) test/native/native.sh $(ONLY)
test-native-all: native-tools $(NATIVE_GUESTS) ## the same, every CPU, interrupt controller and count of cores
	$(Q)BUILD=$(BUILD) FULL=1 test/native/native.sh $(ONLY)
SUITES_EXTRA += native='BUILD=$(BUILD) test/native/native.sh'
SLOW_SUITES += native-all='BUILD=$(BUILD) FULL=1 test/native/native.sh'
TEST_PREREQUISITES += native-tools $(NATIVE_GUESTS)

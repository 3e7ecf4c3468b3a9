# SPDX-License-Identifier: Apache-2.0
# Suites that boot machines. host-*: the host CPU's contract, the low rooms with test/boot/selftest.c in place of
# boot/main.c.
SELFTEST_HOST_SRCS_x86_64  := boot/acpi.c $(wildcard hv/arch/x86_64/*.c hv/arch/x86_64/*.S boot/x86_64/*.c boot/x86_64/*.S) \
    $(addprefix drivers/host/,uart_ns16550.c console_fan.c ps2_keyboard.c framebuffer.c fb_console.c terminal.c palette.c font.c) $(FONT_SRCS:$(BUILD)/%=%)
SELFTEST_HOST_SRCS_aarch64 := boot/acpi.c $(wildcard hv/arch/aarch64/*.c hv/arch/aarch64/*.S boot/aarch64/*.c boot/aarch64/*.S boot/boards/*.c) \
    $(addprefix drivers/host/,uart_pl011.c uart_cadence.c console_fan.c framebuffer.c fb_console.c terminal.c palette.c font.c) $(FONT_SRCS:$(BUILD)/%=%)
SELFTEST_LIBS_aarch64      := $(FDT_OBJ_NAMES:%=$(BUILD)/obj/aarch64/third_party/libfdt/%.o)
BOOT_TOOLS_x86_64  := qemu-system-x86_64 ovmf bochs grub-mkrescue grub-pc-bin grub-efi-amd64-bin xorriso mtools
BOOT_TOOLS_aarch64 := qemu-system-aarch64 aavmf mtools

define selftest_rules
SELFTEST_OBJS_$(1) := $(patsubst %,$(BUILD)/obj/$(1)/%.o,$(wildcard hv/base/*.c hv/core/*.c) $(SELFTEST_HOST_SRCS_$(1)) test/boot/selftest.c) $(SELFTEST_LIBS_$(1))
# It computes on the FPU, so it is compiled with it.
$(BUILD)/obj/$(1)/test/boot/selftest.c.o: test/boot/selftest.c | tools-$(1)
	@mkdir -p $$(@D)
	$(Q)$$(CC_$(1)) $$(CFLAGS_$(1)) $$(WARN) -c $$< -o $$@
$(BUILD)/test/$(1)/selftest.elf: linker/$(1).ld $$(SELFTEST_OBJS_$(1)) $(BUILD)/tools/mksyms
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	$(Q)$(call link_firmware,$(1)) -o $$@.pass1 $$(filter %.o,$$^) -lgcc
	$(Q)$$(NM_$(1)) -n $$@.pass1 | $(BUILD)/tools/mksyms > $$(@D)/symbols.S
	$(Q)$$(CC_$(1)) -c $$(@D)/symbols.S -o $$(@D)/symbols.o
	$(Q)$(call link_firmware,$(1)) -o $$@.tmp $$(filter %.o,$$^) $$(@D)/symbols.o -lgcc && mv $$@.tmp $$@

.PHONY: test-host-$(1) boot-tools-$(1)
boot-tools-$(1):
	$(Q)tools/need.sh $(BOOT_TOOLS_$(1))
test-host-$(1): boot-tools-$(1) $$(SELFTEST_IMAGES_$(1))
	$(Q)test/boot/$(1).sh $(BUILD)/test/$(1)
SUITES_EXTRA += host-$(1)='test/boot/$(1).sh $(BUILD)/test/$(1)'
TEST_PREREQUISITES += boot-tools-$(1) $$(SELFTEST_IMAGES_$(1))
endef
SELFTEST_IMAGES_x86_64  := $(BUILD)/test/x86_64/selftest.elf $(BUILD)/test/x86_64/selftest.iso
SELFTEST_IMAGES_aarch64 := $(BUILD)/test/aarch64/selftest.img
$(foreach h,x86_64 aarch64,$(eval $(call selftest_rules,$(h))))
test-host-x86_64:                 ## the x86-64 host body on QEMU's machines
test-host-aarch64:                ## the AArch64 host body on QEMU's machines

$(BUILD)/test/aarch64/selftest.img: $(BUILD)/test/aarch64/selftest.elf
	$(Q)$(OBJCOPY_aarch64) -O binary $< $@
$(BUILD)/test/x86_64/selftest.iso: $(BUILD)/test/x86_64/selftest.elf tools/mkiso.sh | boot-tools-x86_64
	$(Q)echo 'MODULE-of-ours' > $(@D)/module && tools/mkiso.sh $< $@ 'debug-exit input' $(@D)/module

# What the machine itself gives. In `make test` one row of each kind.
BOOT_MACHINE := $(BUILD)/x86_64/hospes.elf $(BUILD)/aarch64/hospes.img $(BUILD)/test/x86_64/selftest.elf $(BUILD)/test/aarch64/selftest.img guest-demo-riscv64
.PHONY: test-machine test-machine-all boot-tools-machine
boot-tools-machine:
	$(Q)tools/need.sh $(BOOT_TOOLS_x86_64) $(BOOT_TOOLS_aarch64) python3 cpio
test-machine: boot-tools-machine $(BOOT_MACHINE) ## screen, keyboard, clock, entropy, reset and power off; ONLY='words' picks rows
	$(Q)test/boot/machine.py $(BUILD) $(ONLY)
test-machine-all: boot-tools-machine $(BOOT_MACHINE) ## the same, every row
	$(Q)FULL=1 test/boot/machine.py $(BUILD)
SUITES_EXTRA += machine='test/boot/machine.py $(BUILD)'
TEST_PREREQUISITES += boot-tools-machine $(BOOT_MACHINE)

# Bad input, on every host beside a guest at work.
.PHONY: test-refusals
test-refusals: boot-tools-machine $(BOOT_MACHINE) vm-suite ## descriptions, files, bundles and device trees that are wrong; ONLY='words' picks rows
	$(Q)tools/need.sh dtc
	$(Q)test/boot/refusals.py $(BUILD) $(ONLY)
SUITES_EXTRA += refusals='tools/need.sh dtc && test/boot/refusals.py $(BUILD)'

# The third body, as a process under the thread sanitizer.
SELFTEST_OBJS_tsan := $(patsubst %,$(BUILD)/obj/tsan/%.o,$(filter-out hv/base/string.c,$(wildcard hv/base/*.c)) \
                        $(wildcard hv/core/*.c hv/arch/hosted/*.c) test/boot/selftest.c test/boot/hosted.c)
$(BUILD)/test/hosted/selftest: $(SELFTEST_OBJS_tsan)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_tsan) -pthread -fsanitize=thread -rdynamic -o $@ $^
.PHONY: test-host-hosted
test-host-hosted: $(BUILD)/test/hosted/selftest ## the hosted body as a process
	$(Q)test/boot/hosted.sh $<
SUITES_EXTRA += host-hosted='test/boot/hosted.sh $(BUILD)/test/hosted/selftest'
TEST_PREREQUISITES += $(BUILD)/test/hosted/selftest

# Whole images with guests. In `make test` Linux does its whole work once per host and a light one in the other rows.
BOOT_TOOLS_guests := $(BOOT_TOOLS_x86_64) $(BOOT_TOOLS_aarch64) expect sfdisk
BOOT_GUESTS := $(BUILD)/x86_64/hospes.elf $(BUILD)/aarch64/hospes.img guest-demo-riscv64 guest-conform-riscv64 guest-linux-riscv64 $(BUILD)/test/vm/hostile.elf \
               guest-uboot-riscv64 guest-opensbi-riscv64
.PHONY: test-boot test-boot-all boot-tools-guests
boot-tools-guests:
	$(Q)tools/need.sh $(BOOT_TOOLS_guests)
test-boot: boot-tools-guests $(BOOT_GUESTS) ## guests on every machine and by every way in; ONLY='words' picks rows
	$(Q)BUILD=$(BUILD) test/boot/guests.sh $(ONLY)
test-boot-all: boot-tools-guests $(BOOT_GUESTS) ## the same, and Linux does its whole work everywhere
	$(Q)BUILD=$(BUILD) FULL=1 test/boot/guests.sh $(ONLY)
SUITES_EXTRA += guests='BUILD=$(BUILD) test/boot/guests.sh'
TEST_PREREQUISITES += boot-tools-guests $(BOOT_GUESTS)

# The emulator killed while the event log and a guest's partition are written.
.PHONY: test-powercut
test-powercut: boot-tools-guests $(BOOT_GUESTS) ## power cuts at random moments; COUNT=200 of them, HOST=, MACHINE= as for boot
	$(Q)BUILD=$(BUILD) COUNT=$(or $(COUNT),4) test/boot/powercut.sh
SUITES_EXTRA += powercut='BUILD=$(BUILD) COUNT=3 test/boot/powercut.sh'
SLOW_SUITES += guests-linux='BUILD=$(BUILD) FULL=1 test/boot/guests.sh Linux'

# SPDX-License-Identifier: Apache-2.0
# The images: hosted/hospes, x86_64/hospes.{elf,iso}, aarch64/hospes.{elf,img,fat}.
.PHONY: hosted x86_64 aarch64 iso fat
hosted:  $(BUILD)/hosted/hospes                                   ## the hypervisor as a Linux process
x86_64:  $(BUILD)/x86_64/hospes.elf                               ## PVH and Multiboot2 image
iso:     $(BUILD)/x86_64/hospes.iso                               ## GRUB image for BIOS and UEFI
aarch64: $(BUILD)/aarch64/hospes.img                              ## Linux Image and UEFI application in one, and .elf
fat:     $(BUILD)/aarch64/hospes.fat                              ## a volume that AArch64 UEFI boots

HOSTED_MAIN := $(wildcard boot/hosted/*.c)
$(BUILD)/hosted/hospes: $(call objs,hosted) $(HOSTED_MAIN:%=$(BUILD)/obj/hosted/%.o)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_hosted) -pthread -rdynamic -o $@ $(filter %.o,$^)

# The embedded bundle: the demo guests and the configuration that starts them, or BUNDLE=FILE.
BUNDLE ?= $(BUILD)/guests/demo.cpio
ifneq ($(BUNDLE),$(file <$(BUILD)/bundle.name))
$(shell mkdir -p $(BUILD))$(file >$(BUILD)/bundle.name,$(BUNDLE))
endif
$(BUILD)/bundle.name: ;

# link_firmware HOST. AArch64 code of the small model finds everything by its distance; only pointers in data need entry.S.
LINK_x86_64   := -static -no-pie
LINK_aarch64  := -pie -Wl,--no-dynamic-linker -Wl,-z,notext
link_firmware = $(CC_of_$(1)) -nostdlib $(LINK_$(1)) -Wl,--build-id=none -Wl,--gc-sections -Wl,-z,max-page-size=4096 -Wl,-T,linker/$(1).ld
# Firmware: linked twice, the second time with the symbols of the first for backtraces.
define firmware_rules
$(BUILD)/$(1)/hospes.elf: linker/$(1).ld $(call objs,$(1)) $(BUILD)/$(1)/bundle.o $(BUILD)/tools/mksyms
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	$(Q)$(call link_firmware,$(1)) -o $$@.pass1 $$(filter %.o,$$^) -lgcc
	$(Q)$(NM_$(1)) -n $$@.pass1 | $(BUILD)/tools/mksyms > $(BUILD)/$(1)/symbols.S
	$(Q)$(CC_of_$(1)) $(NOFP_$(1)) -c $(BUILD)/$(1)/symbols.S -o $(BUILD)/$(1)/symbols.o
	$(Q)$(call link_firmware,$(1)) -o $$@.tmp $$(filter %.o,$$^) $(BUILD)/$(1)/symbols.o -lgcc && mv $$@.tmp $$@

$(BUILD)/$(1)/bundle.o: $(BUNDLE) boot/bundle.S $(BUILD)/bundle.name
	@mkdir -p $$(@D)
	$(Q)$(CC_of_$(1)) -DBUNDLE='"$(BUNDLE)"' -c boot/bundle.S -o $$@
endef
NM_x86_64  := nm
NM_aarch64 := aarch64-linux-gnu-nm
OBJCOPY_aarch64 := aarch64-linux-gnu-objcopy
$(foreach h,x86_64 aarch64,$(eval $(call firmware_rules,$(h))))

$(BUILD)/x86_64/hospes.iso: $(BUILD)/x86_64/hospes.elf tools/mkiso.sh
	@echo "  ISO     $@"
	$(Q)tools/need.sh grub-mkrescue xorriso mtools grub-pc-bin grub-efi-amd64-bin && tools/mkiso.sh $< $@

$(BUILD)/aarch64/hospes.img: $(BUILD)/aarch64/hospes.elf
	$(Q)$(OBJCOPY_aarch64) -O binary $< $@

$(BUILD)/aarch64/hospes.fat: $(BUILD)/aarch64/hospes.img tools/mkefi.sh
	@echo "  FAT     $@"
	$(Q)tools/mkefi.sh $< $@

# A bundle is a cpio archive (newc) of hospes.conf and the files it names.
$(BUILD)/guests/demo.cpio: $(BUILD)/guests/demo/kernel $(BUILD)/guests/demo/vm.conf tools/mkbundle.sh
	$(Q)tools/mkbundle.sh $@ $(BUILD)/guests/demo/vm.conf
# Any other guest's: make aarch64 BUNDLE=build/guests/linux-riscv64.cpio
$(BUILD)/guests/%.cpio: guest-% tools/mkbundle.sh
	$(Q)tools/mkbundle.sh $@ $(BUILD)/guests/$*/vm.conf

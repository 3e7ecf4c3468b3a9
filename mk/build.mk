# SPDX-License-Identifier: Apache-2.0
# How sources become objects. A *flavour* is one way to compile the whole house: $(BUILD)/obj/<flavour>/<source>.o

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef -Werror -Wno-maybe-uninitialized
BASE := -std=gnu11 -O2 -g -I. -I$(BUILD)/gen -fno-strict-aliasing -fno-common -fno-omit-frame-pointer -MMD -MP
# A stack of the firmware is 52 KiB or more (hv/arch): no frame takes a large part of it.
FREE := -ffreestanding -nostdinc -isystem third_party/include -fno-stack-protector -fno-pic -fno-pie -fno-asynchronous-unwind-tables \
        -ffunction-sections -fdata-sections -Wframe-larger-than=8192

CC_hosted      ?= gcc
CC_x86_64      ?= gcc
CC_aarch64     ?= aarch64-linux-gnu-gcc
CLANG          ?= clang

CC_of_hosted   := $(CC_hosted)
CC_of_san      := $(CC_hosted)
CC_of_tsan     := $(CC_hosted)
CC_of_fuzz     := $(CLANG)
CC_of_x86_64   := $(CC_x86_64)
CC_of_aarch64  := $(CC_aarch64)
CC_of_hosted64 := $(CC_aarch64)
TOOL_of_hosted := gcc
TOOL_of_san    := gcc
TOOL_of_tsan   := gcc
TOOL_of_fuzz   := clang clang-rt
TOOL_of_x86_64 := gcc
TOOL_of_aarch64 := aarch64-linux-gnu-gcc
TOOL_of_hosted64 := aarch64-linux-gnu-gcc aarch64-libc-dev

CFLAGS_hosted  := $(BASE) -D_GNU_SOURCE -pthread
# the hosted build of AArch64, for the emulator of user mode: the a64 back end runs there
CFLAGS_hosted64 := $(CFLAGS_hosted)
CFLAGS_san     := $(BASE) -D_GNU_SOURCE -pthread -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS_tsan    := $(BASE) -D_GNU_SOURCE -pthread -fsanitize=thread
# libFuzzer is clang's; its warnings are not asked for, gcc's are
CFLAGS_fuzz    := $(BASE) -D_GNU_SOURCE -pthread -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -w
# The compiler's own headers are asked for when it runs: it may be installed by this very make.
CFLAGS_x86_64  := $(BASE) $(FREE) -isystem `$(CC_x86_64) -print-file-name=include` -m64 -mno-red-zone -mcmodel=small -mtune=generic
CFLAGS_aarch64 = $(BASE) $(FREE) -isystem `$(CC_aarch64) -print-file-name=include` -mno-outline-atomics -mstrict-align -fno-tree-loop-distribute-patterns
# Everything but the files that compute on the host FPU keeps off its registers: interrupt handlers save none of them.
NOFP_x86_64    := -mgeneral-regs-only
NOFP_aarch64   := -mgeneral-regs-only

COMMON_SRCS := $(wildcard hv/base/*.c hv/core/*.c hv/mmu/*.c hv/ir/*.c hv/exec/*.c hv/interp/*.c hv/jit/*.c hv/jit/*/*.c hv/native/*.c hv/audit/*.c hv/isa/*.c hv/isa/*/*.c hv/vm/*.c \
                          hv/manage/*.c drivers/virt/*.c drivers/block/*.c drivers/net/*.c)
DECODED     := riscv64 arm64
GEN_SRCS    := $(DECODED:%=$(BUILD)/gen/%_decode.c)
HOSTED_SRCS := $(filter-out hv/base/string.c drivers/block/nofile.c,$(COMMON_SRCS)) $(wildcard hv/arch/hosted/*.c drivers/block/hosted/*.c drivers/net/hosted/*.c)
X86_64_SRCS := $(COMMON_SRCS) boot/main.c boot/disks.c boot/acpi.c $(wildcard hv/arch/x86_64/*.c hv/arch/x86_64/*.S boot/x86_64/*.c boot/x86_64/*.S drivers/host/*.c boot/*_bundle.S)
AARCH64_SRCS := $(COMMON_SRCS) boot/main.c boot/disks.c boot/acpi.c $(wildcard hv/arch/aarch64/*.c hv/arch/aarch64/*.S boot/aarch64/*.c boot/aarch64/*.S boot/boards/*.c drivers/host/*.c boot/*_bundle.S)
SRCS_hosted := $(HOSTED_SRCS)
SRCS_san    := $(HOSTED_SRCS)
SRCS_hosted64 := $(HOSTED_SRCS)
SRCS_tsan   := $(HOSTED_SRCS)
SRCS_fuzz   := $(HOSTED_SRCS)
SRCS_x86_64 := $(X86_64_SRCS)
SRCS_aarch64 := $(AARCH64_SRCS)
# May use the host's FP registers (ordinary C ABI; never called from interrupt handlers).
FP_SRCS := hv/ir/hostfp.c $(wildcard hv/interp/*.c)

FLAVOURS := hosted hosted64 san tsan fuzz x86_64 aarch64
objs = $(patsubst %,$(BUILD)/obj/$(1)/%.o,$(subst $(BUILD)/gen/,gen/,$(SRCS_$(1)))) $(OBJS_$(1))

define flavour_rules
$(BUILD)/obj/$(1)/gen/%.c.o: $(BUILD)/gen/%.c
	@mkdir -p $$(@D)
	$(Q)$(CC_of_$(1)) $(CFLAGS_$(1)) $(WARN) $(NOFP_$(1)) -c $$< -o $$@
$(BUILD)/obj/$(1)/%.c.o: %.c | tools-$(1) $(BUILD)/gen/riscv64_decode.h
	@mkdir -p $$(@D)
	@echo "  CC      $(1) $$<"
	$(Q)$(CC_of_$(1)) $$(CFLAGS_$(1)) $$(WARN) $$(if $$(filter $$<,$(FP_SRCS)),$(FPFLAGS_$(1)),$(NOFP_$(1))) $$(EXTRA_$(1)) -c $$< -o $$@
$(BUILD)/obj/$(1)/%.S.o: %.S | tools-$(1)
	@mkdir -p $$(@D)
	@echo "  AS      $(1) $$<"
	$(Q)$(CC_of_$(1)) $(CFLAGS_$(1)) $(NOFP_$(1)) -c $$< -o $$@
.PHONY: tools-$(1)
tools-$(1):
	$(Q)tools/need.sh $(TOOL_of_$(1))
endef
$(foreach f,$(FLAVOURS),$(eval $(call flavour_rules,$(f))))
# gcc's cross-jumping would merge the threaded dispatches that make the interpreter fast
$(foreach f,$(filter-out fuzz,$(FLAVOURS)),$(eval $(BUILD)/obj/$(f)/hv/interp/%.c.o: EXTRA_$(f) := -fno-gcse -fno-crossjumping))

FONT_SRCS   := $(BUILD)/gen/font_screen.c
SRCS_hosted += $(GEN_SRCS)
SRCS_hosted64 += $(GEN_SRCS)
SRCS_san    += $(GEN_SRCS) $(FONT_SRCS)
SRCS_tsan   += $(GEN_SRCS)
SRCS_fuzz   += $(GEN_SRCS)
SRCS_x86_64 += $(GEN_SRCS) $(FONT_SRCS)
SRCS_aarch64 += $(GEN_SRCS) $(FONT_SRCS)

# Tools of ours that run on the building machine.
$(BUILD)/tools/%: tools/%.c
	@mkdir -p $(@D)
	@echo "  TOOL    $*"
	$(Q)tools/need.sh gcc && gcc -std=gnu11 -O2 -Wall -Wextra -Werror -I. -o $@ $<

define decode_rules
$(BUILD)/gen/$(1)_decode.c $(BUILD)/gen/$(1)_decode.h &: hv/isa/$(1)/$(1).dec $(BUILD)/tools/decgen
	@mkdir -p $$(@D)
	@echo "  DECGEN  $(1)"
	$(Q)$(BUILD)/tools/decgen hv/isa/$(1)/$(1).dec $(BUILD)/gen/$(1)_decode
endef
$(foreach i,$(DECODED),$(eval $(call decode_rules,$(i))))

$(FONT_SRCS): $(FONT_PSF) $(BUILD)/tools/fontgen
	@mkdir -p $(@D)
	@echo "  FONTGEN $(notdir $(FONT_PSF))"
	$(Q)$(BUILD)/tools/fontgen $(FONT_PSF) > $@.tmp && mv $@.tmp $@

# Third-party objects, per flavour: libfdt here, SoftFloat in third_party/softfloat.mk. Their warnings are not ours.
FDT := $(TP)/libfdt/lib/libfdt
FDT_OBJ_NAMES := fdt fdt_addresses fdt_empty_tree fdt_ro fdt_rw fdt_strerror fdt_sw fdt_wip
define libfdt_rules
$(BUILD)/obj/$(1)/third_party/libfdt/%.o: $(TP)/libfdt/.stamp | tools-$(1)
	@mkdir -p $$(@D)
	$(Q)$(CC_of_$(1)) $(filter-out -MMD -MP,$(CFLAGS_$(1))) $(NOFP_$(1)) -w -I$(TP)/libfdt/include/lib/libfdt -c $(FDT)/$$*.c -o $$@
OBJS_$(1) += $$(FDT_OBJ_NAMES:%=$(BUILD)/obj/$(1)/third_party/libfdt/%.o)
endef
$(foreach f,$(FLAVOURS),$(eval $(call libfdt_rules,$(f))))
# Our sources that include <libfdt.h>
FDT_USERS := hv/isa/riscv64/fdt.c hv/isa/arm64/fdt.c boot/aarch64/boot.c boot/aarch64/fdt_boot.c boot/aarch64/fdt_check.c boot/aarch64/fdt_buses.c
$(foreach f,$(FLAVOURS),$(foreach s,$(FDT_USERS),$(eval $(BUILD)/obj/$(f)/$(s).o: CFLAGS_$(f) += -isystem $(TP)/libfdt/include/lib/libfdt)$(eval $(BUILD)/obj/$(f)/$(s).o: | $(TP)/libfdt/.stamp)))
-include third_party/softfloat.mk

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

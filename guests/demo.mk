# SPDX-License-Identifier: Apache-2.0
# The demo kernels, always built in: $(BUILD)/guests/demo-<isa>/{kernel,kernel.elf,vm.conf}. Target:
# guest-demo-riscv64.
BUILD ?= build
RISCV64_CC ?= riscv64-linux-gnu-gcc
RISCV64_OBJCOPY ?= riscv64-linux-gnu-objcopy
RISCV64_CFLAGS := -march=rv64gc -mabi=lp64d -mcmodel=medany -mno-relax -O2 -g -std=gnu11 -ffreestanding \
    -fno-builtin -fno-stack-protector -fno-pic -fno-tree-loop-distribute-patterns \
    -fno-asynchronous-unwind-tables -fno-strict-aliasing -ffp-contract=off -Wall -Wextra -Wshadow -Werror
RISCV64_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,norelro -Wl,-z,max-page-size=4096

demo_riscv64_dir := guests/demo/riscv64
demo_riscv64_out := $(BUILD)/guests/demo-riscv64
demo_riscv64_src := $(wildcard $(demo_riscv64_dir)/*.c) $(demo_riscv64_dir)/head.S
demo_riscv64_obj := $(patsubst $(demo_riscv64_dir)/%,$(demo_riscv64_out)/obj/%.o,$(demo_riscv64_src))

.PHONY: guest-demo-riscv64
guest-demo-riscv64: $(addprefix $(demo_riscv64_out)/,kernel kernel.elf vm.conf)
	@:

# the compiler for riscv64 guests
.PHONY: tools-riscv64
tools-riscv64:
	@tools/need.sh $(notdir $(RISCV64_CC))

$(demo_riscv64_out)/obj/%.o: $(demo_riscv64_dir)/% | tools-riscv64
	@mkdir -p $(@D)
	@$(RISCV64_CC) $(RISCV64_CFLAGS) -MMD -MP -c -o $@ $<

$(demo_riscv64_out)/kernel.elf: $(demo_riscv64_obj) $(demo_riscv64_dir)/demo.ld
	@$(RISCV64_CC) $(RISCV64_LDFLAGS) -T $(demo_riscv64_dir)/demo.ld -o $@ $(demo_riscv64_obj) -lgcc

$(demo_riscv64_out)/kernel: $(demo_riscv64_out)/kernel.elf
	@$(RISCV64_OBJCOPY) -O binary $< $@

$(demo_riscv64_out)/vm.conf: $(demo_riscv64_dir)/vm.conf
	@mkdir -p $(@D)
	@cp $< $@

# The x86_64 one, by the compiler of the x86_64 image.
X86_64_GUEST_CC ?= gcc
X86_64_GUEST_CFLAGS := -m64 -O2 -g -std=gnu11 -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -no-pie -mcmodel=small -mno-red-zone -mgeneral-regs-only \
    -fno-asynchronous-unwind-tables -fno-strict-aliasing -fcf-protection=none -Wall -Wextra -Wshadow -Werror
demo_x86_64_dir := guests/demo/x86_64
demo_x86_64_out := $(BUILD)/guests/demo-x86_64
demo_x86_64_src := $(wildcard $(demo_x86_64_dir)/*.c) $(demo_x86_64_dir)/start.S

.PHONY: guest-demo-x86_64
guest-demo-x86_64: $(addprefix $(demo_x86_64_out)/,kernel vm.conf)
	@:
$(demo_x86_64_out)/kernel: $(demo_x86_64_src) $(demo_x86_64_dir)/demo.h $(demo_x86_64_dir)/demo.ld
	@mkdir -p $(@D)
	@tools/need.sh gcc
	@$(X86_64_GUEST_CC) $(X86_64_GUEST_CFLAGS) -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments \
	    -Wl,-T,$(demo_x86_64_dir)/demo.ld -o $@ $(demo_x86_64_src)
$(demo_x86_64_out)/vm.conf: $(demo_x86_64_dir)/vm.conf
	@mkdir -p $(@D)
	@cp $< $@

# Three of them at once, for the monitor: what every image carries.
demo_out := $(BUILD)/guests/demo
.PHONY: guest-demo
guest-demo: $(demo_out)/kernel $(demo_out)/vm.conf
	@:
$(demo_out)/kernel: $(demo_riscv64_out)/kernel
	@mkdir -p $(@D)
	@cp $< $@
$(demo_out)/vm.conf: guests/demo/vm.conf
	@mkdir -p $(@D)
	@cp $< $@

# The machine conformance test: M-mode firmware, $(BUILD)/guests/conform-riscv64/{firmware,firmware.elf,vm.conf}.
conform_riscv64_dir := guests/demo/riscv64-mmode
conform_riscv64_out := $(BUILD)/guests/conform-riscv64
conform_riscv64_src := $(wildcard $(conform_riscv64_dir)/*.[cS]) $(demo_riscv64_dir)/fdt.c \
    $(demo_riscv64_dir)/string.c

.PHONY: guest-conform-riscv64
guest-conform-riscv64: $(addprefix $(conform_riscv64_out)/,firmware firmware.elf vm.conf)
	@:

$(conform_riscv64_out)/vm.conf: $(conform_riscv64_dir)/vm.conf
	@mkdir -p $(@D)
	@cp $< $@

$(conform_riscv64_out)/firmware.elf: $(conform_riscv64_src) $(wildcard $(conform_riscv64_dir)/*.h) \
    $(conform_riscv64_dir)/conform.ld $(demo_riscv64_dir)/demo.h | tools-riscv64
	@mkdir -p $(@D)
	@$(RISCV64_CC) $(RISCV64_CFLAGS) -I. $(RISCV64_LDFLAGS) -Wl,--no-warn-rwx-segments \
	    -T $(conform_riscv64_dir)/conform.ld -o $@ $(conform_riscv64_src) -lgcc

$(conform_riscv64_out)/firmware: $(conform_riscv64_out)/firmware.elf
	@$(RISCV64_OBJCOPY) -O binary $< $@

-include $(demo_riscv64_obj:.o=.d)

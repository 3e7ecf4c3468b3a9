# SPDX-License-Identifier: Apache-2.0
# The tools of whole runs, asked for at once before anything else: one installation instead of many, and on a machine
# where nothing may be installed one line that names all. Rules still ask for what they use: this is only the sum.
TOOLS_common  := gcc libc-dev xz cpio riscv64-linux-gnu-gcc
TOOLS_x86_64  := qemu-system-x86_64
TOOLS_aarch64 := aarch64-linux-gnu-gcc qemu-system-aarch64
TOOLS_hosted  :=
# what guests need to be built; none of it when they are in the cache
TOOLS_linux-riscv64  := gzip flex bison bc
TOOLS_debian-riscv64 := gzip
TOOLS_linux-arm64    := aarch64-linux-gnu-gcc gzip flex bison bc
TOOLS_debian-arm64   := gzip
TOOLS_linux-x86_64   := gzip flex bison bc libelf-dev
TOOLS_run     = $(TOOLS_common) $(if $(filter bochs,$(EMULATOR)),bochs,$(TOOLS_$(HOST))) $(TOOLS_$(GUEST)) \
                $(if $(filter iso,$(IMAGE))$(filter bochs,$(EMULATOR)),$(TOOLS_iso)) $(if $(filter uefi,$(FIRMWARE)),$(TOOLS_uefi_$(HOST)))
TOOLS_iso     := grub-mkrescue grub-pc-bin grub-efi-amd64-bin xorriso mtools
TOOLS_uefi_x86_64  := $(TOOLS_iso) ovmf
TOOLS_uefi_aarch64 := mtools aavmf
TOOLS_test     = $(TOOLS_common) aarch64-libc-dev qemu-aarch64 $(TOOLS_x86_64) $(TOOLS_aarch64) $(TOOLS_iso) $(TOOLS_linux-riscv64) ovmf aavmf bochs expect mke2fs \
                 riscv64-linux-gnu-objdump clang clang-rt libunicorn python3 $(if $(shell command -v qemu-riscv64-static),,qemu-riscv64)

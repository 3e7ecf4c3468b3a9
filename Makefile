# SPDX-License-Identifier: Apache-2.0
# Hospes. `make help` lists what there is; docs/building.md explains it.
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
BUILD ?= build
V ?=
Q := $(if $(V),,@)
JOBS := $(shell nproc 2>/dev/null || echo 2)
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(JOBS)
endif

include third_party/third_party.mk
include mk/tools.mk
include mk/build.mk
include mk/images.mk
include guests/guests.mk guests/demo.mk guests/bench.mk
include mk/run.mk
include mk/test.mk
include mk/bench.mk

.PHONY: all help clean layers
all: hosted x86_64 aarch64        ## every image

clean:                            ## remove what was built (not downloads, not the guests' cache)
	$(Q)rm -rf $(BUILD)

layers:                           ## check that no room includes a higher one
	$(Q)test/lint/layers.sh

help:                             ## this list
	@echo "Hospes: one hypervisor image for each host, guests that are strangers to it. docs/building.md tells more."
	@echo
	@grep -hE '^[a-z0-9_%.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | awk -F'\t' '{printf "  make %-22s %s\n", $$1, $$2}'
	@echo
	@echo "  words for run and boot:"
	@echo "    GUEST=$(subst $(eval ) ,|,$(BUILT_GUESTS)), or a folder of yours in $(BUILD)/guests"
	@echo "    HOST=x86_64|aarch64|hosted  CORES=n  TIMEOUT=seconds (boot)"
	@echo "    the guest:    VCPUS=n  MEMORY=256M  MODE=interpreter|auto  CMDLINE='...'  DISK=ram:16M|image:FILE|host:0|host:0p2|file:FILE (hosted)"
	@echo "    the host:     HOSTDISK=FILE[:FILE...]  its disks host:0, host:1  HOSTBUS=pci|mmio"
	@echo "    the machine:  HOSTMEM=1024  CPU=... as the emulator names it"
	@echo "      x86_64:     MACHINE=q35|pc|microvm  IMAGE=elf|iso  FIRMWARE=bios|uefi  SCREEN=gtk|sdl|vnc=:1 (iso)  EMULATOR=qemu|bochs (boot)"
	@echo "      aarch64:    MACHINE=virt|zcu102|raspi3b  GIC=2|3 (virt)  EL=1|2 (virt, zcu102)"
	@echo "                  FIRMWARE=uefi  TABLES=acpi|dtb  IMAGE=fat|img  SCREEN=gtk|sdl|vnc=:1 (virt)"
	@echo "  for an image: BUNDLE=FILE, the guests linked into it; $(BUILD)/guests/GUEST.cpio is a guest of ours"

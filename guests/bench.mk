# SPDX-License-Identifier: Apache-2.0
# Bench kernels, the same source three ways and in two sizes:
# $(BUILD)/guests/bench/{native,rvM,rvS}/<kernel>[-small][.elf]. Target: guest-bench.
# Both compilers get the same options: no vectors (the guest has none), no fused multiply-add.
BUILD ?= build
RISCV64_CC ?= riscv64-linux-gnu-gcc
BENCH_KERNELS := cmk sha256 nbody sieve chase calls
BENCH_OUT := $(BUILD)/guests/bench
BENCH_CFLAGS := -O2 -std=gnu11 -fno-tree-vectorize -ffp-contract=off -fno-math-errno -fno-stack-protector \
    -I. -Wall -Wextra -Wshadow -Werror
BENCH_BARE := -march=rv64gc -mabi=lp64d -mcmodel=medany -mno-relax -ffreestanding -fno-builtin -fno-pic \
    -nostdlib -static -no-pie -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns \
    -Wl,--build-id=none -Wl,-z,norelro -Wl,-z,max-page-size=4096 -T guests/bench/bare.ld
BENCH_FREE := -ffreestanding -fno-builtin-memset -fno-builtin-memcpy -fno-tree-loop-distribute-patterns

bench_names := $(BENCH_KERNELS) $(BENCH_KERNELS:%=%-small)
bench_scale = $(if $(filter %-small,$(notdir $(basename $@))),1,8)
bench_source = guests/bench/kernels/$(patsubst %-small,%,$(notdir $(basename $@))).c
bench_inputs := $(wildcard guests/bench/kernels/*.c guests/bench/*.[chS]) guests/bench/bare.ld guests/bench.mk

.PHONY: guest-bench
guest-bench: $(bench_names:%=$(BENCH_OUT)/native/%) $(bench_names:%=$(BENCH_OUT)/rvM/%.elf) \
    $(bench_names:%=$(BENCH_OUT)/rvS/%.elf)

$(bench_names:%=$(BENCH_OUT)/native/%): $(bench_inputs) | tools-hosted
	@mkdir -p $(@D)
	@$(CC) $(BENCH_CFLAGS) $(BENCH_FREE) -DSCALE=$(bench_scale) -o $@ guests/bench/native.c $(bench_source)

$(bench_names:%=$(BENCH_OUT)/rvM/%.elf): $(bench_inputs) | tools-riscv64
	@mkdir -p $(@D)
	@$(RISCV64_CC) $(BENCH_CFLAGS) $(BENCH_BARE) -DSCALE=$(bench_scale) -o $@ guests/bench/start.S \
	    guests/bench/bare.c $(bench_source) -lgcc

$(bench_names:%=$(BENCH_OUT)/rvS/%.elf): $(bench_inputs) | tools-riscv64
	@mkdir -p $(@D)
	@$(RISCV64_CC) $(BENCH_CFLAGS) $(BENCH_BARE) -DPAGED -DSCALE=$(bench_scale) -o $@ guests/bench/start.S \
	    guests/bench/bare.c $(bench_source) -lgcc

# SPDX-License-Identifier: Apache-2.0
# Fuzzers. `make test` runs each libFuzzer target of test/fuzz/fuzz_*.c over its seeds and a fixed number of mutations;
# `make fuzz SECONDS=n ONLY=target` runs them as long as one likes and keeps what it finds in $(BUILD)/fuzz.
FUZZ_TARGETS := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
FUZZ_BOOT_SRCS := boot/x86_64/multiboot2.c boot/x86_64/found.c boot/aarch64/fdt_boot.c boot/aarch64/fdt_check.c boot/aarch64/memory.c
$(BUILD)/obj/fuzz/test/fuzz/fuzz_boot.c.o $(BUILD)/obj/fuzz/boot/aarch64/fdt_boot.c.o $(BUILD)/obj/fuzz/boot/aarch64/fdt_check.c.o: CFLAGS_fuzz += -isystem $(TP)/libfdt/include/lib/libfdt
$(BUILD)/obj/fuzz/test/fuzz/fuzz_boot.c.o: | $(TP)/libfdt/.stamp

FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/fuzz-%)
$(BUILD)/fuzz/fuzz-boot: $(FUZZ_BOOT_SRCS:%=$(BUILD)/obj/fuzz/%.o)
$(FUZZ_PROGRAMS): $(BUILD)/fuzz/fuzz-%: $(BUILD)/obj/fuzz/test/fuzz/fuzz_%.c.o $(BUILD)/obj/fuzz/test/fuzz/input.c.o $(BUILD)/obj/fuzz/test/fuzz/fail.c.o $(call objs,fuzz)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CLANG) -pthread -fsanitize=fuzzer,address,undefined -rdynamic -o $@ $(filter %.o,$^)

.PHONY: fuzz fuzz-virtio
fuzz: $(FUZZ_PROGRAMS)            ## libFuzzer over every parser and device, SECONDS=60 each; ONLY=target
	$(Q)test/fuzz/run.sh $(BUILD) $(or $(SECONDS),60) $(ONLY)
SUITES_EXTRA += fuzz='test/fuzz/run.sh $(BUILD) 0'
TEST_PREREQUISITES += $(FUZZ_PROGRAMS)

# The same hostile driver by seeds, with another vCPU that scribbles meanwhile. SECONDS=n, SEED=first
$(BUILD)/hosted/fuzz-virtio: $(BUILD)/obj/san/test/fuzz/virtio.c.o $(BUILD)/obj/san/test/fuzz/fail.c.o $(call objs,san)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_san) -pthread -fsanitize=address,undefined -rdynamic -o $@ $(filter %.o,$^)
fuzz-virtio: $(BUILD)/hosted/fuzz-virtio  ## a hostile virtio driver against the block, console, entropy and network devices (SECONDS=60)
	$(Q)$< $(or $(SECONDS),60) $(SEED)

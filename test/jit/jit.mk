# SPDX-License-Identifier: Apache-2.0
# Encodings of both back ends against binutils' disassembler.
$(BUILD)/hosted/test-jit-encodings: $(BUILD)/obj/hosted/test/jit/encodings.c.o $(BUILD)/hosted/libhv.a
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_hosted) -pthread -o $@ $^
.PHONY: test-jit
test-jit: $(BUILD)/hosted/test-jit-encodings   ## what the JIT's back ends write, read by binutils
	$(Q)test/jit/encodings.sh $<
TEST_PREREQUISITES += $(BUILD)/hosted/test-jit-encodings
SUITES_EXTRA += jit-encodings='test/jit/encodings.sh $(BUILD)/hosted/test-jit-encodings'

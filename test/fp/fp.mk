# SPDX-License-Identifier: Apache-2.0
# riscv64's floating point against Berkeley TestFloat: one more instruction suite, whose rows count with the others'.
#   make test-fp            about ten seconds
#   make test-fp LEVEL=2    the long form: TestFloat's level 2, minutes
include third_party/testfloat.mk
LEVEL ?= 1
FP_PROGRAM := $(BUILD)/hosted/test-fp-riscv64
$(BUILD)/obj/hosted/test/fp/%.c.o: EXTRA_hosted += -DFLOAT64 -isystem $(TF)/source -isystem $(TP)/fp/tests/fp/berkeley-softfloat-3/source/include
$(BUILD)/obj/hosted/test/fp/riscv64_testfloat.c.o: | $(TP)/fp/.stamp
$(FP_PROGRAM): $(BUILD)/obj/hosted/test/fp/riscv64_testfloat.c.o $(TF_OBJS) $(BUILD)/hosted/libhv.a
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_hosted) -pthread -o $@ $^

.PHONY: test-fp
test-fp: $(FP_PROGRAM)            ## riscv64 floating point against TestFloat; LEVEL=2: the long form
	$(Q)$(FP_PROGRAM) $(LEVEL)

test-isa: $(FP_PROGRAM)
ISA_PROGRAMS += $(FP_PROGRAM)
TEST_PREREQUISITES += $(FP_PROGRAM)

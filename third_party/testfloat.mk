# SPDX-License-Identifier: Apache-2.0
# Berkeley TestFloat 3e, as a library for hosted tests: its case generators, and `slowfloat`, its own plain arithmetic.
# Nothing of SoftFloat is in it, so that what we compute with is not judged by itself.
TF       := $(TP)/fp/tests/fp/berkeley-testfloat-3
TF_NAMES := slowfloat uint128 random fail genCases_common genCases_i32 genCases_i64 genCases_ui32 genCases_ui64 genCases_f32 genCases_f64
TF_FLAGS := -std=gnu11 -O2 -g -DFLOAT64 -I$(TF)/build/Linux-x86_64-GCC -I$(TF)/source -I$(TP)/fp/tests/fp/berkeley-softfloat-3/source/include
TF_OBJS  := $(TF_NAMES:%=$(BUILD)/obj/hosted/third_party/testfloat/%.o)
$(TF_OBJS): $(BUILD)/obj/hosted/third_party/testfloat/%.o: $(TP)/fp/.stamp | tools-hosted
	@mkdir -p $(@D)
	$(Q)$(CC_of_hosted) $(TF_FLAGS) -w -c $(TF)/source/$*.c -o $@

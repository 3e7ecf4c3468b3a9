# SPDX-License-Identifier: Apache-2.0
# Berkeley SoftFloat 3e, binary32 and binary64, RISC-V specialisation, per flavour. Its three global variables become
# words of the core that computes: each name is a macro that calls hv/ir/softfp.c.
SF      := $(TP)/fp/tests/fp/berkeley-softfloat-3
SF_BIN  := add sub mul div sqrt mulAdd roundToInt eq le lt eq_signaling le_quiet lt_quiet to_i32 to_i64 to_ui32 to_ui64
SF_NAMES := $(foreach o,$(SF_BIN),f32_$(o) f64_$(o)) f32_to_f64 f64_to_f32 f32_isSignalingNaN f64_isSignalingNaN \
    $(foreach i,i32 i64 ui32 ui64,$(i)_to_f32 $(i)_to_f64) \
    $(foreach w,32 64,s_addMagsF$(w) s_subMagsF$(w) s_mulAddF$(w) s_normRoundPackToF$(w) s_roundPackToF$(w) s_normSubnormalF$(w)Sig) \
    s_roundToI32 s_roundToI64 s_roundToUI32 s_roundToUI64 s_countLeadingZeros8 s_countLeadingZeros32 s_countLeadingZeros64 \
    s_approxRecip_1Ks s_approxRecip32_1 s_approxRecipSqrt_1Ks s_approxRecipSqrt32_1 s_shiftRightJam32 s_shiftRightJam64 \
    s_shiftRightJam64Extra s_shortShiftRightJam64 s_shiftRightJam128 s_shortShiftRightJam128 s_add128 s_sub128 s_mul64To128 s_shortShiftLeft128
SF_RISCV := s_commonNaNToF32UI s_commonNaNToF64UI s_f32UIToCommonNaN s_f64UIToCommonNaN s_propagateNaNF32UI s_propagateNaNF64UI \
    softfloat_raiseFlags
SF_FLAGS := -Ithird_party/softfloat -I$(SF)/source/include -I$(SF)/source/RISCV -DSOFTFLOAT_ROUND_ODD -DINLINE_LEVEL=5 -DSOFTFLOAT_FAST_DIV32TO16 \
    -DSOFTFLOAT_FAST_DIV64TO32 -DSOFTFLOAT_FAST_INT64 '-Dsoftfloat_roundingMode=(*softfp_round())' '-Dsoftfloat_exceptionFlags=(*softfp_flags())' \
    '-Dsoftfloat_detectTininess=(*softfp_tininess())'
define softfloat_rules
$(BUILD)/obj/$(1)/third_party/softfloat/%.o: $(TP)/fp/.stamp | tools-$(1)
	@mkdir -p $$(@D)
	$(Q)$(CC_of_$(1)) $$(filter-out -MMD -MP -I.,$(CFLAGS_$(1))) $(NOFP_$(1)) -w $(SF_FLAGS) -c $$(firstword $$(wildcard $(SF)/source/$$*.c $(SF)/source/RISCV/$$*.c)) -o $$@
OBJS_$(1) += $$(patsubst %,$(BUILD)/obj/$(1)/third_party/softfloat/%.o,$(SF_NAMES) $(SF_RISCV))
$(BUILD)/obj/$(1)/hv/ir/softfp.c.o: EXTRA_$(1) += -isystem third_party/softfloat -isystem $(SF)/source/include
$(BUILD)/obj/$(1)/hv/ir/softfp.c.o: | $(TP)/fp/.stamp
endef
$(foreach f,$(FLAVOURS),$(eval $(call softfloat_rules,$(f))))

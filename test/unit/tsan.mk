# SPDX-License-Identifier: Apache-2.0
# The unit tests that use several threads, once more under the thread sanitizer.
$(BUILD)/obj/tsan/test/%.c.o: WARN += -Wno-missing-prototypes -Wno-clobbered
# The sanitizer does not model bare fences; guest memory is atomics throughout, so nothing is missed.
$(BUILD)/obj/tsan/%.c.o: WARN += -Wno-tsan
TSAN_UNIT_SRCS := test/harness/harness.c $(wildcard test/unit/smp_test.c test/unit/*_threads_test.c)
$(BUILD)/hosted/unit-tsan: $(TSAN_UNIT_SRCS:%=$(BUILD)/obj/tsan/%.o) $(call objs,tsan)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC_of_tsan) -pthread -fsanitize=thread -rdynamic -o $@ $(filter %.o,$^)

.PHONY: test-tsan
RUN_TSAN := TSAN_OPTIONS=exitcode=66 $(BUILD)/hosted/unit-tsan
test-tsan: $(BUILD)/hosted/unit-tsan ## harts on several threads, under the thread sanitizer
	$(Q)$(RUN_TSAN)
	$(Q)UNIT_ENGINE=jit $(RUN_TSAN)
SUITES_EXTRA += tsan='$(RUN_TSAN)' tsan-jit='UNIT_ENGINE=jit $(RUN_TSAN)'
TEST_PREREQUISITES += $(BUILD)/hosted/unit-tsan

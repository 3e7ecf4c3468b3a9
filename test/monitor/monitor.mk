# SPDX-License-Identifier: Apache-2.0
# Suites of the monitor on the hosted build; their rows on machines are in test/boot/guests.sh.
.PHONY: monitor-suite test-monitor test-slow
monitor-suite: vm-suite
	$(Q)tools/need.sh cpio
test-monitor: monitor-suite       ## the monitor in scripts: every command, hostile guests, lives by the dozen; ACCEPT=1 takes a new transcript
	$(Q)test/monitor/commands.sh $(BUILD) hosted; test/monitor/scene.sh $(BUILD) hosted demo; test/monitor/cycles.sh $(BUILD) hosted 50
SUITES_EXTRA += monitor-commands='test/monitor/commands.sh $(BUILD) hosted' monitor-scene='test/monitor/scene.sh $(BUILD) hosted demo' monitor-cycles='test/monitor/cycles.sh $(BUILD) hosted 50'
TEST_PREREQUISITES += monitor-suite

# The long forms, on all three hosts: Linux beside the hostile guests, a thousand lives.
SLOW_HOSTS := hosted x86_64 aarch64
SLOW_SUITES += $(foreach h,$(SLOW_HOSTS),scene-$(h)='HOSPES=hosted/hospes test/monitor/scene.sh $(BUILD) $(h) linux' cycles-$(h)='test/monitor/cycles.sh $(BUILD) $(h) 1000')
test-slow: monitor-suite tsan-suite hosted x86_64 aarch64 guest-linux-riscv64 boot-tools-guests ## what takes too long for test: all hosts
	$(Q)test/run-suites.sh $(SLOW_SUITES)

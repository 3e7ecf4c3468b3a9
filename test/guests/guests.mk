# SPDX-License-Identifier: Apache-2.0
# Suite guests-hosted: real guests in the hypervisor as a process. `make test-guests-hosted ONLY=word` runs some.
$(BUILD)/test/talk: test/guests/talk.c | tools-hosted
	@mkdir -p $(@D)
	$(Q)$(CC_of_hosted) -std=gnu11 -D_GNU_SOURCE -O2 $(WARN) -o $@ $<

.PHONY: guests-hosted test-guests-hosted
guests-hosted: $(BUILD)/hosted/hospes $(BUILD)/test/talk guest-demo-riscv64 guest-conform-riscv64 guests
	$(Q)tools/need.sh cpio mke2fs
test-guests-hosted: guests-hosted ## real guests under the hypervisor as a process
	$(Q)test/guests/hosted.sh $(BUILD) $(ONLY)
SUITES_EXTRA += guests-hosted='test/guests/hosted.sh $(BUILD)'
TEST_PREREQUISITES += guests-hosted

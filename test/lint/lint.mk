# SPDX-License-Identifier: Apache-2.0
include test/lint/freestanding.mk
# Suites that read the sources instead of running them. `make lint` runs them alone.
LINTS := negative='test/lint/negative.sh' codegen='test/lint/codegen.sh' errors='test/lint/errors.sh' comments='test/lint/comments.sh' \
         rows='test/lint/vm_core_rows.sh' pages='test/lint/pages.sh' \
         addresses='test/lint/addresses.sh' interface='test/lint/interface.sh'
SUITES_EXTRA += $(LINTS)
.PHONY: lint lint-tools docs-rows
lint-tools:
	$(Q)tools/need.sh gcc
lint: lint-tools                  ## what the sources alone must show: comments, errors, types
	$(Q)test/run-suites.sh $(LINTS)
TEST_PREREQUISITES += lint-tools
docs-rows:                        ## docs/vm-core.md: write anew which tests show which row
	$(Q)test/lint/vm_core_rows.sh --write

# SPDX-License-Identifier: Apache-2.0
# What must hold of sources and images whatever they do.
FREESTANDING := test/lint/freestanding.sh $(foreach h,x86_64 aarch64,$(NM_$(h))=$(BUILD)/$(h)/hospes.elf)
.PHONY: test-freestanding
test-freestanding: $(BUILD)/x86_64/hospes.elf $(BUILD)/aarch64/hospes.elf ## firmware images need no library
	$(Q)$(FREESTANDING)
SUITES_EXTRA += freestanding='$(FREESTANDING)'
TEST_PREREQUISITES += $(BUILD)/x86_64/hospes.elf $(BUILD)/aarch64/hospes.elf

# The tables in the documents are what the suites did.
.PHONY: docs-isa
docs-isa: $(ISA_PROGRAMS) $(ISA_ARM64) ## write the coverage tables of docs/isa-*.md anew
	$(Q)for t in riscv64:table.sh arm64:arm64_table.sh; do \
	    test/isa/$${t#*:} $(BUILD)/hosted > $(BUILD)/isa-table && \
	    sed -i -e '/^<!-- made by test/,/^<!-- end/{/^<!--/!d}' -e '/^<!-- made by test/r $(BUILD)/isa-table' docs/isa-$${t%:*}.md || exit 1; done
SUITES_EXTRA += isa-table='test/isa/table.sh $(BUILD)/hosted docs/isa-riscv64.md' isa-table-arm64='test/isa/arm64_table.sh $(BUILD)/hosted docs/isa-arm64.md'

# SPDX-License-Identifier: Apache-2.0
# What must hold of sources and images whatever they do.
FREESTANDING := test/lint/freestanding.sh $(foreach h,x86_64 aarch64,$(NM_$(h))=$(BUILD)/$(h)/hospes.elf)
.PHONY: test-freestanding
test-freestanding: $(BUILD)/x86_64/hospes.elf $(BUILD)/aarch64/hospes.elf ## firmware images need no library
	$(Q)$(FREESTANDING)
SUITES_EXTRA += freestanding='$(FREESTANDING)'
TEST_PREREQUISITES += $(BUILD)/x86_64/hospes.elf $(BUILD)/aarch64/hospes.elf

# The table in the document is what the suites did.
.PHONY: docs-isa
docs-isa: $(ISA_PROGRAMS)         ## write the coverage table of docs/isa-riscv64.md anew
	$(Q)test/isa/table.sh $(BUILD)/hosted > $(BUILD)/isa-table && \
	sed -i -e '/^<!-- made by test/,/^<!-- end/{/^<!--/!d}' -e '/^<!-- made by test/r $(BUILD)/isa-table' docs/isa-riscv64.md
SUITES_EXTRA += isa-table='test/isa/table.sh $(BUILD)/hosted docs/isa-riscv64.md'

# SPDX-License-Identifier: Apache-2.0
# Third-party sources: fetched at build time, never committed. Each tree is $(TP)/NAME, whole when its .stamp exists:
# what compiles from it depends on that stamp. Tarballs are cached per user and shared by all clones.
#   make third_party | make third_party-clean
BUILD ?= build
TP    ?= $(BUILD)/third_party

# device trees (BSD-2-Clause). The pattern also matches include/lib/libfdt: tar gives each member to its first one.
libfdt_SRC  := arm-trusted-firmware
libfdt_FILE := arm-trusted-firmware_2.8.0+dfsg.orig.tar.xz
libfdt_SUM  := a4ecc35e0b893fe8682c075fc1bdb858de87e4cb18fbed9a1597e2c9f6d320de
libfdt_WANT := */lib/libfdt/*

# SoftFloat and TestFloat 3e (BSD-3-Clause): nothing else of that tarball is unpacked
fp_SRC  := qemu
fp_FILE := qemu_7.2+dfsg.orig.tar.xz
fp_SUM  := 91aca71520040edc40b8d437aa3004dae614f58e286cf653ee8996c07af2962f
fp_WANT := */tests/fp/berkeley-softfloat-3/* */tests/fp/berkeley-testfloat-3/*

# TCP/IP (BSD-3-Clause), for the network to come
lwip_SRC  := lwip
lwip_FILE := lwip_2.1.3+dfsg1.orig.tar.xz
lwip_SUM  := 0a8276d09fc4e97bbba2f953d74af2388fc2195ea156be9d7589e297a68fde24
lwip_WANT := */src/* */COPYING

# the screen's font (Terminus, SIL OFL 1.1): a console font of 8x16 pixels with a table of Unicode, out of a binary package
FONT_PIN  := bookworm all console-setup-linux pool/main/c/console-setup/console-setup-linux_1.221_all.deb \
             65fac4777b0d36e48d90c577ba296c9ceeb051210aa1bf405925e2bf6bc6fecd
FONT_FILE := ./usr/share/consolefonts/Uni2-Terminus16.psf.gz
FONT_PSF  := $(TP)/font/Uni2-Terminus16.psf
$(FONT_PSF): tools/fetch-deb.sh
	@mkdir -p $(@D)
	@tools/need.sh gzip && deb=$$(tools/fetch-deb.sh $(FONT_PIN)) && \
	dpkg-deb --fsys-tarfile "$$deb" | tar -xOf - $(FONT_FILE) | gzip -d > $@.tmp && mv $@.tmp $@

# the trees in use; the others are only pins
TP_USED := libfdt fp
.PHONY: third_party third_party-clean
third_party: $(TP_USED:%=$(TP)/%/.stamp) $(FONT_PSF) ## fetch the third-party sources

# A tree is laid anew when its pin or patches change: its .stamp holds them.
define tp_rule
$(TP)/$(1)/.stamp: third_party/third_party.mk $$(wildcard third_party/patches/$(1)-*.patch)
	@pin='$$($(1)_SUM) $$($(1)_WANT) '$$$$(cat /dev/null $$(wildcard third_party/patches/$(1)-*.patch) | cksum); \
	if [ -f $$@ ] && [ "$$$$(cat $$@)" = "$$$$pin" ]; then touch $$@; exit 0; fi; \
	tools/need.sh xz $$(if $$(wildcard third_party/patches/$(1)-*.patch),patch) && \
	tarball=$$$$(tools/fetch-src.sh $$($(1)_SRC) $$($(1)_FILE) $$($(1)_SUM)) && \
	echo "  UNPACK  $(1)" && \
	rm -rf $(TP)/$(1) && mkdir -p $(TP)/$(1) && \
	tar -xf "$$$$tarball" -C $(TP)/$(1) --strip-components=1 --no-same-owner --no-same-permissions --wildcards \
	    $$(foreach w,$$($(1)_WANT),'$$(w)') && \
	for p in $$(wildcard third_party/patches/$(1)-*.patch); do \
	    patch -s -d $(TP)/$(1) -p1 < $$$$p || exit 1; done && \
	printf '%s\n' "$$$$pin" > $$@
endef
$(foreach t,$(TP_USED) lwip,$(eval $(call tp_rule,$(t))))

third_party-clean:
	rm -rf $(TP)

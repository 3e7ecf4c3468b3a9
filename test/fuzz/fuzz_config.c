// SPDX-License-Identifier: Apache-2.0
/* Any text as a description of VMs; what is accepted holds what docs/configuration.md promises. */
#include "hv/vm/config.h"
#include "test/fuzz/input.h"

static void say(void *ctx, const char *message)
{
    unsigned *count = ctx;
    CHECK(*message && strlen(message) < 320 && !strchr(message, '\n'));
    (*count)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct config config;
    unsigned errors = 0;
    char *text = malloc(size_bytes + 1);
    CHECK(text);
    memcpy(text, data, size_bytes);
    bool is_good = !vm_failed(config_parse(text, size_bytes, "fuzz.conf", &config, say, &errors));
    CHECK(is_good == (errors == 0) && errors <= CONFIG_MAX_ERRORS + 1);
    CHECK(config.count <= CONFIG_MAX_VMS && (config.count || !is_good || config.events));
    for (unsigned i = 0; i < config.count; i++) {
        const struct vm_config *c = &config.vm[i];
        CHECK(strlen(c->name) < VM_NAME_BYTES && c->vcpu_count >= 1 && c->vcpu_count <= VM_MAX_VCPUS);
        CHECK(c->disk_count <= VM_MAX_DISKS && c->option_count <= VM_MAX_OPTIONS && c->nic_count <= VM_MAX_NICS && c->memory_size % HV_PAGE_BYTES == 0);
        for (unsigned k = 0; is_good && k < c->option_count; k++) CHECK(strchr(c->option[k], '='));
    }
    free(text);
    return 0;
}

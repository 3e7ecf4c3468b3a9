// SPDX-License-Identifier: Apache-2.0
/* Making and unmaking a VM's parts; see make.h. */
#include "hv/vm/make.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/entropy.h"
#include "hv/core/heap.h"
#include "hv/vm/console.h"
#include "hv/vm/hostdisk.h"
#include "hv/vm/network.h"
#include "hv/vm/sched.h"

static uint64_t wall_time_s(void) { return arch_wall_time_s(); }

/* The reason of a refusal that names a file; the operator makes one VM at a time. */
static char refusal[256];

static struct vm_error refuse(const char *key, const char *why)
{
    hv_snprintf(refusal, sizeof refusal, "%s: %s", key, why);
    return vm_error_because(VM_CORE_CONFIG, refusal);
}

/* What was opened stays open as long as the VM: a reset reads it again. */
static struct vm_error open_blob(struct vm *vm, const char *key, const char *path, struct blob *out)
{
    if (!path) return VM_SUCCESS;
    const char *why = vm->files.open(vm->files.ctx, path, out);
    if (why) return refuse(key, why);
    vm->blob[vm->blob_count++] = *out;
    return out->size_bytes ? VM_SUCCESS : refuse(key, "the file is empty");
}

static struct vm_error make_image_disk(struct vm *vm, const struct disk_config *d, struct block **out)
{
    struct blob image;
    struct block *base;
    struct vm_error e = open_blob(vm, "disk", d->path, &image);
    if (!vm_failed(e)) e = block_image_create(image.data, image.size_bytes, &base);
    if (vm_failed(e)) return e;
    if (!d->has_overlay) {
        *out = base;
        return VM_SUCCESS;
    }
    e = block_overlay_create(base, out);
    if (vm_failed(e)) block_destroy(base);
    return e;
}

static struct vm_error make_disk(struct vm *vm, const struct disk_config *d, struct block **out)
{
    switch (d->kind) {
    case DISK_RAM:   return block_ram_create(d->size_bytes, out);
    case DISK_FILE:  return block_file_create(d->path, d->is_read_only, out);
    case DISK_IMAGE: return make_image_disk(vm, d, out);
    case DISK_HOST:  return host_disk_open(d->path, d->is_read_only, out);
    }
    return vm_error_because(VM_CORE_INTERNAL, "disk kind");
}

void vm_unmake(struct vm *vm)
{
    unsigned n = vm->config.vcpu_count;
    sched_vm_forget(vm);
    if (vm->vcpus) {
        for (unsigned i = 0; i < n; i++) {
            if (vm->vcpus[i].engine) vm->vcpus[i].engine->vcpu_destroy(&vm->vcpus[i]);
            mmu_destroy(&vm->vcpus[i].mmu);
        }
    }
    mmio_destroy(&vm->bus);
    if (vm->machine) vm->ops->destroy(vm->machine);
    gmem_free(&vm->gmem);
    for (unsigned i = 0; i < vm->machine_config.disk_count; i++) block_destroy(vm->machine_config.disk[i]);
    for (unsigned i = 0; i < vm->machine_config.nic_count; i++) net_port_destroy(vm->machine_config.nic[i].port);
    console_destroy(vm->console);
    for (unsigned i = 0; vm->files.close && i < vm->blob_count; i++) vm->files.close(vm->files.ctx, &vm->blob[i]);
    if (vm->engine_vm) vm->engine->vm_destroy(vm->engine_vm);
    heap_free(vm->sched);
    heap_free(vm->vcpus);
    heap_free(vm->text);
    heap_free(vm);
}

/* Somebody wrote guest memory through a vCPU's MMU (a debugger, a loader): all vCPUs of the VM look at their code again. */
static void code_changed(void *vcpu, guest_phys_addr at, uint64_t size_bytes)
{
    struct vm *vm = ((struct vcpu *)vcpu)->vm;
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        if (&vm->vcpus[i] == vcpu) vcpu_code_changed(vcpu, at, size_bytes);
        else vcpu_fence_ask(&vm->vcpus[i], VCPU_FENCE_CODE);
    }
}

/* Devices of one kind are told apart by their address. */
static void name_devices(struct vm *vm)
{
    for (unsigned i = 0; i < vm->bus.count; i++) {
        const struct mmio_region *r = &vm->bus.region[i];
        unsigned same = 0;
        for (unsigned n = 0; n < vm->bus.count; n++) same += !strcmp(vm->bus.region[n].ops->name, r->ops->name);
        if (same > 1) hv_snprintf(vm->device_name[i], sizeof vm->device_name[i], "%s@%lx", r->ops->name, (unsigned long)r->base.v);
        else hv_snprintf(vm->device_name[i], sizeof vm->device_name[i], "%s", r->ops->name);
    }
}

static struct vm_error make_vcpu(struct vm *vm, unsigned id)
{
    struct vcpu *v = &vm->vcpus[id];
    v->id = id;
    v->isa = vm->ops->isa;
    v->clock = &vm->clock;
    v->deadline_ns = UINT64_MAX;
    sched_vcpu_init(vm, id);
    struct vm_error e = mmu_init(&v->mmu, &vm->gmem, &vm->bus, v->isa->walk, v);
    if (vm_failed(e)) return e;
    v->mmu.code_changed = code_changed;
    v->mmu.devices = v->exits.device;
    v->engine_vm = vm->engine_vm;
    v->code_limit_bytes = vm->config.code_cache_bytes;
    e = vm->engine->vcpu_init(v);
    if (!vm_failed(e)) v->engine = vm->engine;
    return e;
}

struct vm_error vm_make(struct vm *vm, const struct file_source *files, vm_power_fn *power)
{
    const struct vm_config *c = &vm->config;
    struct machine_config *mc = &vm->machine_config;
    const struct machine_host host = { .vm = vm, .power = power, .console_write = console_guest_output,
                                       .wall_time_s = wall_time_s, .random = entropy_read };
    *mc = (struct machine_config){ .memory_size = c->memory_size, .vcpu_count = c->vcpu_count, .cmdline = c->cmdline ? c->cmdline : "",
                                   .options = c->option, .option_count = c->option_count };
    vm->files = *files;
    struct vm_error e = open_blob(vm, "kernel", c->kernel_path, &mc->kernel);
    if (!vm_failed(e)) e = open_blob(vm, "firmware", c->firmware_path, &mc->firmware);
    if (!vm_failed(e)) e = open_blob(vm, "initrd", c->initrd_path, &mc->initrd);
    struct machine_config whole = *mc;
    whole.disk_count = c->disk_count;
    whole.nic_count = c->nic_count;
    if (!vm_failed(e)) e = vm->ops->check(&whole);
    if (vm_failed(e)) return e;
    for (unsigned i = 0; i < c->disk_count; i++) {
        e = make_disk(vm, &c->disk[i], &mc->disk[i]);
        if (vm_failed(e)) return e;
        mc->disk_count++;
    }
    for (unsigned i = 0; i < c->nic_count; i++) {
        e = network_port(vm->name, i, &c->nic[i], &mc->nic[i].port);
        if (vm_failed(e)) return e;
        mc->nic[i].pairs = c->nic[i].pairs;
        mc->nic_count++;
    }
    vm->vcpus = heap_alloc(sizeof *vm->vcpus * c->vcpu_count);
    vm->sched = heap_alloc(sizeof *vm->sched * c->vcpu_count);
    if (!vm->vcpus || !vm->sched) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for vCPUs");
    e = console_create(vm, &vm->console);
    if (vm_failed(e)) return e;
    if (vm->engine->vm_init) e = vm->engine->vm_init(&vm->engine_vm);
    for (unsigned i = 0; i < c->vcpu_count && !vm_failed(e); i++) {
        e = make_vcpu(vm, i);
    }
    if (vm_failed(e)) return e;
    guest_clock_start(&vm->clock, 10000000);
    guest_clock_pause(&vm->clock);
    e = vm->ops->create(mc, &host, &vm->gmem, &vm->bus, vm->vcpus, &vm->clock, &vm->machine);
    if (vm_failed(e)) return e;
    mmio_freeze(&vm->bus);
    name_devices(vm);
    return vm->ops->reset(vm->machine);
}


// SPDX-License-Identifier: Apache-2.0
/* The host's disks by name, and who may have what: hv/vm/hostdisk.h; VMs and the event store on them. */
#include "hv/vm/hostdisk.h"
#include "hv/vm/config.h"
#include "hv/vm/history.h"
#include "test/unit/block_faulty.h"
#include "test/unit/disk.h"
#include "test/unit/gpt_table.h"
#include "test/unit/pages.h"
#include "test/unit/sweep.h"

static struct faulty *whole, *parted, *fixed;
static struct block *a, *b;
static char said[2000];

/* Disks are there for ever: one set for all tests, whose contents each test makes anew. */
static void start(void)
{
    static const struct gpt_row rows[] = { { 64, 127, "boot" }, { 200, 499, "data" }, { 500, 999, "events" } };
    test_pages();
    if (!whole) {
        whole = faulty_new(), parted = faulty_new(), fixed = faulty_new();
        fixed->block.is_read_only = true;
        host_disk_add(&whole->block, "test 0");
        host_disk_add(&parted->block, "test 1");
        host_disk_add(&fixed->block, "test 2");
    }
    memset(whole->data, 0, sizeof whole->data);
    memset(parted->data, 0, sizeof parted->data);
    gpt_make(parted->data, FAULTY_SECTORS, rows, ARRAY_COUNT(rows));
}
static struct vm_error open_disk(const char *spec, bool is_read_only, struct block **out) { return host_disk_open(spec, is_read_only, out); }
static bool opens(const char *spec, bool is_read_only, struct block **out) { return !vm_failed(open_disk(spec, is_read_only, out)); }
static void say(void *ctx, const char *line)
{
    (void)ctx;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", line);
}

TEST(host_disks_open_by_number_and_partition)
{
    uint8_t data[512];
    start();
    CHECK(host_disk_count() == 3);
    CHECK(opens("host:0", false, &a) && a->sector_count == FAULTY_SECTORS && !a->is_read_only);
    CHECK(opens("1p2", false, &b) && b->sector_count == 300);
    memset(data, 0x77, sizeof data);
    CHECK(disk_ok(b, BLOCK_WRITE, 0, 1, data) && parted->data[200 * 512] == 0x77);
    block_destroy(a);
    block_destroy(b);
    CHECK(!whole->is_destroyed && !parted->is_destroyed);
}

TEST(host_disks_that_are_not_there_are_refused_in_one_line)
{
    static const struct { const char *spec, *why; } bad[] = {
        { "3",     "host:3: this host has 3 disks" },              { "1p4",  "host:1p4: the partition table has no such partition" },
        { "0p1",   "host:0p1: the disk has no GUID" },             { "",     "a host's disk is written host:0" },
        { "p1",    "is written host:0" },                          { "1p0",  "is written host:0" },
        { "0x",    "is written host:0" },                          { "1p",   "is written host:0" },
        { "99999999999999999999999999", "is written host:0" },     { "2",    "host:2: the disk is read-only: add ,ro" },
    };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        struct vm_error e = open_disk(bad[i].spec, false, &a);
        if (!vm_failed(e) || !strstr(e.reason, bad[i].why)) test_fail(__FILE__, __LINE__, "%s: \"%s\"", bad[i].spec, vm_failed(e) ? e.reason : "opened");
    }
    CHECK(opens("2", true, &a) && a->is_read_only);
    block_destroy(a);
}

TEST(a_host_disk_that_somebody_writes_is_his_alone_readers_share)
{
    struct block *c;
    start();
    CHECK(opens("1p1", false, &a) && opens("1p2", false, &b));
    CHECK(open_disk("1p1", false, &c).kind == VM_DEVICE_BUSY && open_disk("1p1", true, &c).kind == VM_DEVICE_BUSY);
    CHECK(open_disk("1", false, &c).kind == VM_DEVICE_BUSY && open_disk("1", true, &c).kind == VM_DEVICE_BUSY);
    block_destroy(a);
    CHECK(opens("1p1", true, &a) && opens("1p1", true, &c));
    CHECK(open_disk("1p1", false, &c).kind == VM_DEVICE_BUSY);
    said[0] = 0;
    host_disk_list(say, NULL);
    CHECK(strstr(said, "host:0") && strstr(said, "host:1p1") && strstr(said, "boot, being read") && strstr(said, "data, in use") && strstr(said, "events\n"));
    block_destroy(a);
    block_destroy(b);
    block_destroy(c);
    CHECK(opens("1", false, &a));
    block_destroy(a);
}

static struct vm_error open_and_close(void)
{
    struct vm_error e = host_disk_open("1p2", false, &a);
    if (vm_failed(e)) return e;
    CHECK(a->sector_count == 300);
    block_destroy(a);
    return e;
}

TEST(a_partition_opens_or_stays_free_whichever_object_or_page_is_missing)
{
    start();
    CHECK(sweep(&sweep_objects, "a partition", open_and_close) + sweep(&sweep_pages, "a partition", open_and_close) >= 2);
    CHECK(opens("1", false, &b));                                    /* nobody has a part of it */
    block_destroy(b);
}

static const char *no_file(void *ctx, const char *path, struct blob *out)
{
    (void)ctx, (void)path, (void)out;
    return "no such file";
}

TEST(a_vm_has_a_host_disk_until_it_is_destroyed)
{
    char text[] = "[host]\nevents = host:1p3\n[vm a]\nmemory = 4M\ndisk = host:1p2\n[vm b]\nmemory = 4M\ndisk = host:1p2,ro\n";
    const struct file_source files = { .open = no_file };
    static struct config c;
    struct vm *vm, *other;
    start();
    CHECK(!vm_failed(config_parse(text, sizeof text - 1, "t", &c, NULL, NULL)) && c.count == 2);
    CHECK_STR(c.events, "1p3");
    CHECK(c.vm[1].disk[0].kind == DISK_HOST && c.vm[1].disk[0].is_read_only);
    CHECK(!vm_failed(vm_create(&c.vm[0], &files, &vm)));
    struct vm_error e = vm_create(&c.vm[1], &files, &other);
    CHECK(e.kind == VM_DEVICE_BUSY && strstr(e.reason, "host:1p2: in use already"));
    CHECK(!vm_failed(vm_destroy(vm)) && !vm_failed(vm_create(&c.vm[1], &files, &other)) && !vm_failed(vm_destroy(other)));
}

TEST(R11_vms_of_a_later_start_get_higher_numbers_and_the_earlier_ones_events_are_listed)
{
    const struct file_source files = { .open = no_file };
    struct vm_config c = vm_config_default();
    uint32_t number[3], vms[8];
    unsigned count;
    start();
    c.memory_size = MIB(4);
    c.name = "the-one-with-a-long-name";
    for (unsigned life = 0; life < 3; life++) {
        struct event got[4];
        struct vm *vm;
        vm_history_start("1p3");
        struct event_store *s = vm_events();
        CHECK(s && !strcmp(s->ops->name, "log"));
        CHECK(!vm_failed(vm_create(&c, &files, &vm)));
        number[life] = vm->number;
        vm_history_flush();
        CHECK(!life || number[life] > number[life - 1]);
        CHECK(!vm_failed(event_list_vms(s, vms, 8, &count)) && count == life + 1);
        CHECK(!vm_failed(event_load(s, number[0], 0, UINT64_MAX, got, 4, &count)) && count == 1 && got[0].kind == EVENT_VM_CREATED);
        CHECK(!memcmp(got[0].payload + 24, "the-one-with-a-l", 16) && load_le64(got[0].payload) == MIB(4));
        vm_history_open(NULL);                                       /* as a power cut: the VM's end is not told */
        event_store_destroy(s);
        CHECK(!vm_failed(vm_destroy(vm)));
    }
}

TEST(events_go_to_memory_when_their_disk_does_not_serve)
{
    static const char *const bad[] = { "7", "1p9", "2", "0p1", "1" };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        vm_history_start(bad[i]);
        struct event_store *s = vm_events();
        CHECK(s && !strcmp(s->ops->name, "memory"));
        vm_history_open(NULL);
        event_store_destroy(s);
    }
    CHECK(opens("1", false, &a));                                    /* nobody holds anything */
    block_destroy(a);
}

TEST(the_host_section_has_its_own_keys_and_errors)
{
    static const struct { const char *text, *want; } bad[] = {
        { "[host]\nevents = disk3\n[vm a]\n",              "t:2: events: 'disk3' is neither memory nor host:0p3\n" },
        { "[host]\nevents = host:x\n[vm a]\n",             "t:2: events: 'host:x' names no disk of the host (write host:0 or host:0p2)\n" },
        { "[host]\nevent = host:0\n[vm a]\n",              "t:2: event: no such key of [host] (there is events)\n" },
        { "[host]\nevents = host:0\nevents = memory\n[vm a]\n", "t:3: events: 'memory' is given twice\n" },
        { "[host]\n[host]\n[vm a]\n",                      "t:2: the host is described twice\n" },
        { "[vm a]\ndisk = host:\n",                        "t:2: disk: 'host:' names no disk of the host (write host:0 or host:0p2)\n" },
        { "[vm a]\ndisk = host:0p\n",                      "t:2: disk: 'host:0p' names no disk of the host (write host:0 or host:0p2)\n" },
        { "[vm a]\ndisk = host:0p2p3\n",                   "t:2: disk: 'host:0p2p3' names no disk of the host (write host:0 or host:0p2)\n" },
    };
    static struct config c;
    char text[200];
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        snprintf(text, sizeof text, "%s", bad[i].text);
        said[0] = 0;
        CHECK(vm_failed(config_parse(text, strlen(text), "t", &c, say, NULL)));
        CHECK_STR(said, bad[i].want);
    }
    snprintf(text, sizeof text, "[vm a]\n[host]\nevents = memory\n[vm b]\n");
    CHECK(!vm_failed(config_parse(text, strlen(text), "t", &c, say, NULL)) && c.count == 2 && !c.events);
}

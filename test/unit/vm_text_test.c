// SPDX-License-Identifier: Apache-2.0
/* Descriptions of VMs as text: hv/vm/config.h. Tables of good and bad texts, then random damage to a good one. */
#include "hv/vm/config.h"
#include "test/harness/test.h"

static struct config config;
static char text[16384], said[4096];
static unsigned said_count;

static void say(void *ctx, const char *message)
{
    size_t n = strlen(said);
    (void)ctx;
    said_count++;
    snprintf(said + n, sizeof said - n, "%s\n", message);
}

static bool parse_bytes(const char *from, size_t length)
{
    CHECK(length < sizeof text);
    memcpy(text, from, length);
    text[length] = '!';                                      /* the parser ends the text itself */
    said[0] = 0;
    said_count = 0;
    struct vm_error e = config_parse(text, length, "vm.conf", &config, say, NULL);
    CHECK(vm_failed(e) == (said_count != 0));
    CHECK(!vm_failed(e) || e.kind == VM_CORE_INVALID_CONFIG);
    return !vm_failed(e);
}
static bool parse(const char *from) { return parse_bytes(from, strlen(from)); }

static const char whole[] =
    "# two machines\n"
    "[vm one]\n"
    "arch = riscv64\n"
    "memory = 256M\n"
    "vcpus = 4\n"
    "mode = auto\n"
    "kernel = a folder/Image\n"
    "firmware = fw.bin\n"
    "initrd = initrd.gz\n"
    "cmdline = console=ttyS0 root=/dev/vda # no comment\n"
    "disk = ram:16M\n"
    "disk = image:root.img,ro\n"
    "disk = image:root.img\n"
    "disk = file:data.img\n"
    "disk = data2.img,ro\n"
    "net = switch\n"
    "net = switch,vlan=7,trunk,any-mac,queues=4,rate=2M,mac=52:54:00:ab:CD:01\n"
    "option = ad=svade\n"
    "option = sstc=off\n"
    "weight = 400\n"
    "cap = 150%\n"
    "cpus = 0,2-3,63\n"
    "restart = on-failure\n"
    "watchdog = 30:stop\n"
    "autostart = no\n"
    "audit = yes\n"
    "code_cache = 128K\n"
    "\n"
    "[vm two]\n"
    "kernel=k\n";

TEST(description_sets_every_key)
{
    CHECK(parse(whole));
    CHECK_EQ_U64(config.count, 2);
    CHECK_EQ_U64(config.broken, 0);
    const struct vm_config *c = &config.vm[0];
    CHECK_STR(c->name, "one");
    CHECK(c->weight == 400 && c->cap_percent == 150 && c->cpus == (0xd | 1ull << 63) && c->is_manual);
    CHECK(c->restart == RESTART_ON_FAILURE && c->watchdog_s == 30 && c->watchdog == WATCHDOG_STOP);
    CHECK(c->guest_arch == GUEST_RISCV64 && c->is_mode_auto && c->is_audited && c->code_cache_bytes == KIB(128));
    CHECK_EQ_U64(c->memory_size, MIB(256));
    CHECK_EQ_U64(c->vcpu_count, 4);
    CHECK_STR(c->kernel_path, "a folder/Image");
    CHECK_STR(c->firmware_path, "fw.bin");
    CHECK_STR(c->initrd_path, "initrd.gz");
    CHECK_STR(c->cmdline, "console=ttyS0 root=/dev/vda # no comment");
    static const struct disk_config disks[] = {
        { .kind = DISK_RAM, .size_bytes = MIB(16) },          { .kind = DISK_IMAGE, .path = "root.img", .is_read_only = true },
        { .kind = DISK_IMAGE, .path = "root.img", .has_overlay = true }, { .kind = DISK_FILE, .path = "data.img" },
        { .kind = DISK_FILE, .path = "data2.img", .is_read_only = true },
    };
    CHECK_EQ_U64(c->disk_count, ARRAY_COUNT(disks));
    for (unsigned i = 0; i < ARRAY_COUNT(disks); i++) {
        const struct disk_config *got = &c->disk[i], *want = &disks[i];
        CHECK(got->kind == want->kind && got->size_bytes == want->size_bytes);
        CHECK(got->is_read_only == want->is_read_only && got->has_overlay == want->has_overlay);
        if (want->path) CHECK_STR(got->path, want->path);
        else CHECK(!got->path);
    }
    const struct nic_config *plain = &c->nic[0], *card = &c->nic[1];
    CHECK(c->nic_count == 2 && plain->pairs == 1 && !plain->has_mac && !plain->is_trunk && !plain->has_any_mac && !plain->vlan && !plain->rate_bytes);
    CHECK(card->vlan == 7 && card->is_trunk && card->has_any_mac && card->pairs == 4 && card->rate_bytes == MIB(2) && card->has_mac);
    CHECK(!memcmp(card->mac, "\x52\x54\0\xab\xcd\1", 6));
    CHECK_EQ_U64(c->option_count, 2);
    CHECK_STR(c->option[1], "sstc=off");
    CHECK_STR(config.vm[1].name, "two");
    CHECK_STR(config.vm[1].kernel_path, "k");
    CHECK_EQ_U64(config.vm[1].memory_size, MIB(128));
    CHECK(!config.vm[1].is_mode_auto && !config.vm[1].cmdline && !config.vm[1].disk_count);
}

TEST(description_with_crlf_tabs_mark_and_no_last_newline_is_the_same)
{
    static const char *const same[] = {
        "[vm a]\nkernel = k\nmemory = 4M\n",
        "[vm a]\nkernel = k\nmemory = 4M",
        "[vm a]\r\nkernel = k\r\nmemory = 4M\r\n",
        "[vm a]\r\nkernel = k\r\nmemory = 4M\r",
        "\xef\xbb\xbf[vm a]\nkernel = k\nmemory = 4M\n",
        "\t[vm\ta]\t\n\tkernel\t=\tk\t\n \t memory=4M \t\n",
        "\n\n  # comment\n\t#\n[vm   a  ]  \n\n\nmemory=4096K\n\nkernel=k\n\n\n",
        "[vm a]\nkernel = k\nmemory = 0x400000\n",
        "[vm a]\nkernel = k\nmemory = 4m\n",
    };
    for (unsigned i = 0; i < ARRAY_COUNT(same); i++) {
        CHECK(parse(same[i]));
        CHECK_EQ_U64(config.count, 1);
        CHECK_STR(config.vm[0].name, "a");
        CHECK_STR(config.vm[0].kernel_path, "k");
        CHECK_EQ_U64(config.vm[0].memory_size, MIB(4));
    }
}

#define HEAD "[vm a]\n"
static const struct { const char *text, *said; } bad[] = {
    { "", "vm.conf: no [vm NAME] in it\n" },
    { "\n# only words\n", "vm.conf: no [vm NAME] in it\n" },
    { "\xef\xbb\xbf", "vm.conf: no [vm NAME] in it\n" },
    { "memory = 4M\n", "vm.conf:1: a description starts with [vm NAME]\n" },
    { "[vm]\n", "vm.conf:1: a section is written [vm NAME] or [host]\n" },
    { "[vm a\n", "vm.conf:1: a section is written [vm NAME] or [host]\n" },
    { "[vm a] b\n", "vm.conf:1: a section is written [vm NAME] or [host]\n" },
    { "[machine a]\n", "vm.conf:1: a section is written [vm NAME] or [host]\n" },
    { "[vm ]\n", "vm.conf:1: a VM's name is 1 to 31 letters, digits, '-', '_' or '.'\n" },
    { "[vm a b]\n", "vm.conf:1: a VM's name is 1 to 31 letters, digits, '-', '_' or '.'\n" },
    { "[vm a\"]\n", "vm.conf:1: a VM's name is 1 to 31 letters, digits, '-', '_' or '.'\n" },
    { "[vm 12345678901234567890123456789012]\n", "vm.conf:1: a VM's name is 1 to 31 letters, digits, '-', '_' or '.'\n" },
    { HEAD "kernel=k\n[vm a]\n", "vm.conf:3: this VM is described twice\n" },
    { HEAD "kernel\n", "vm.conf:2: neither [vm NAME], [host] nor key = value\n" },
    { HEAD "\n\nkernel =\n", "vm.conf:4: kernel: has no value\n" },
    { HEAD "= k\n", "vm.conf:2: : no such key\n" },
    { HEAD "kernl = k\n", "vm.conf:2: kernl: no such key (did you mean kernel?)\n" },
    { HEAD "vcpu = 2\n", "vm.conf:2: vcpu: no such key (did you mean vcpus?)\n" },
    { HEAD "Memory = 2M\n", "vm.conf:2: Memory: no such key (did you mean memory?)\n" },
    { HEAD "colour = 2\n", "vm.conf:2: colour: no such key\n" },
    { HEAD "a\x01\x1b[2J = 2\n", "vm.conf:2: a??[2J: no such key\n" },
    { HEAD "memory = 1G\nmemory = 2G\n", "vm.conf:3: memory: given twice\n" },
    { HEAD "kernel = a\nkernel = a\n", "vm.conf:3: kernel: given twice\n" },
    { HEAD "arch = sparc\n", "vm.conf:2: arch: 'sparc' is no guest architecture (riscv64, arm64, x86_64, ppc64)\n" },
    { HEAD "arch = RISCV64\n", "vm.conf:2: arch: 'RISCV64' is no guest architecture (riscv64, arm64, x86_64, ppc64)\n" },
    { HEAD "mode = fast\n", "vm.conf:2: mode: 'fast' is no mode (interpreter, jit, hardware, auto)\n" },
    { HEAD "memory = lots\n", "vm.conf:2: memory: 'lots' is no size (write 128M or 1G)\n" },
    { HEAD "memory = 128MB\n", "vm.conf:2: memory: '128MB' is no size (write 128M or 1G)\n" },
    { HEAD "memory = 1T\n", "vm.conf:2: memory: '1T' is no size (write 128M or 1G)\n" },
    { HEAD "memory = 1.5G\n", "vm.conf:2: memory: '1.5G' is no size (write 128M or 1G)\n" },
    { HEAD "memory = -1\n", "vm.conf:2: memory: '-1' is no size (write 128M or 1G)\n" },
    { HEAD "memory = 64 M\n", "vm.conf:2: memory: '64 M' is no size (write 128M or 1G)\n" },
    { HEAD "memory = 99999999999999999999\n", "vm.conf:2: memory: '99999999999999999999' is no size (write 128M or 1G)\n" },
    { HEAD "memory = 17179869184G\n", "vm.conf:2: memory: '17179869184G' is no size (write 128M or 1G)\n" },
    { HEAD "memory = 0\n", "vm.conf:2: memory: '0' must be a multiple of 4K and not 0\n" },
    { HEAD "memory = 128\n", "vm.conf:2: memory: '128' must be a multiple of 4K and not 0\n" },
    { HEAD "memory = 1025G\n", "vm.conf:2: memory: '1025G' is more than 1024G\n" },
    { HEAD "vcpus = two\n", "vm.conf:2: vcpus: 'two' is no number\n" },
    { HEAD "vcpus = 2K\n", "vm.conf:2: vcpus: '2K' is no number\n" },
    { HEAD "vcpus = 0\n", "vm.conf:2: vcpus: '0' must be 1 to 64\n" },
    { HEAD "vcpus = 65\n", "vm.conf:2: vcpus: '65' must be 1 to 64\n" },
    { HEAD "weight = 0\n", "vm.conf:2: weight: '0' must be 1 to 10000 (100 is usual)\n" },
    { HEAD "weight = 10001\n", "vm.conf:2: weight: '10001' must be 1 to 10000 (100 is usual)\n" },
    { HEAD "cap = half\n", "vm.conf:2: cap: 'half' is no part of a core (write 50%, or 150% for one and a half; 0: none)\n" },
    { HEAD "cap = 6401%\n", "vm.conf:2: cap: '6401%' is no part of a core (write 50%, or 150% for one and a half; 0: none)\n" },
    { HEAD "cpus = 3-1\n", "vm.conf:2: cpus: '3-1' is no list of cores (write 0 or 0,2-3; there are at most 64)\n" },
    { HEAD "cpus = 0,,1\n", "vm.conf:2: cpus: '0,,1' is no list of cores (write 0 or 0,2-3; there are at most 64)\n" },
    { HEAD "cpus = 64\n", "vm.conf:2: cpus: '64' is no list of cores (write 0 or 0,2-3; there are at most 64)\n" },
    { HEAD "restart = sometimes\n", "vm.conf:2: restart: 'sometimes' is no policy (never, on-failure, always)\n" },
    { HEAD "watchdog = 5:bark\n", "vm.conf:2: watchdog: '5:bark' is no watchdog (write 30, 30:reset, 30:stop or 30:log; 0: none)\n" },
    { HEAD "watchdog = 86401\n", "vm.conf:2: watchdog: '86401' is more than a day (86400)\n" },
    { HEAD "audit = perhaps\n", "vm.conf:2: audit: 'perhaps' is neither yes nor no\n" },
    { HEAD "code_cache = big\n", "vm.conf:2: code_cache: 'big' is no size (write 512K or 4M)\n" },
    { HEAD "code_cache = 60K\n", "vm.conf:2: code_cache: '60K' must be 64K to 8M\n" },
    { HEAD "code_cache = 9M\n", "vm.conf:2: code_cache: '9M' must be 64K to 8M\n" },
    { HEAD "code_cache = 65537\n", "vm.conf:2: code_cache: '65537' must be a multiple of 4K\n" },
    { HEAD "autostart = maybe\n", "vm.conf:2: autostart: 'maybe' is neither yes nor no\n" },
    { HEAD "vcpus = 65537\n", "vm.conf:2: vcpus: '65537' must be 1 to 64\n" },
    { HEAD "disk = ram:\n", "vm.conf:2: disk: 'ram:' has no size (write ram:16M)\n" },
    { HEAD "disk = ram:0\n", "vm.conf:2: disk: 'ram:0' has no size (write ram:16M)\n" },
    { HEAD "disk = ram:2048G\n", "vm.conf:2: disk: 'ram:2048G' is more than 1024G\n" },
    { HEAD "disk = ram:1M,ro\n", "vm.conf:2: disk: 'ram:1M,ro' is RAM and read-only: it would be empty for ever\n" },
    { HEAD "disk = image:\n", "vm.conf:2: disk: 'image:' names no file\n" },
    { HEAD "disk = file:,ro\n", "vm.conf:2: disk: 'file:,ro' names no file\n" },
    { HEAD "net = wire\n", "vm.conf:2: net: 'wire' is no network (write switch)\n" },
    { HEAD "net = switch,vlan=4095\n", "vm.conf:2: net: 'switch,vlan=4095' has no VLAN (0 to 4094)\n" },
    { HEAD "net = switch,queues=0\n", "vm.conf:2: net: 'switch,queues=0' has no number of queues (1 to 4)\n" },
    { HEAD "net = switch,rate=1\n", "vm.conf:2: net: 'switch,rate=1' has no rate (bytes a second, rate=1M)\n" },
    { HEAD "net = switch,mac=52:54:00:12:34\n", "vm.conf:2: net: 'switch,mac=52:54:00:12:34' has no MAC address (write mac=52:54:00:12:34:56)\n" },
    { HEAD "net = switch,mac=52:54:00:12:34:5\n", "vm.conf:2: net: 'switch,mac=52:54:00:12:34:5' has no MAC address (write mac=52:54:00:12:34:56)\n" },
    { HEAD "net = switch,mac=52:54:00:12:34:567\n", "vm.conf:2: net: 'switch,mac=52:54:00:12:34:567' has no MAC address (write mac=52:54:00:12:34:56)\n" },
    { HEAD "net = switch,mac=53:54:00:12:34:56\n", "vm.conf:2: net: 'switch,mac=53:54:00:12:34:56' has a MAC address that is no single card's\n" },
    { HEAD "net = switch,\n", "vm.conf:2: net: 'switch,' has an unknown word (mac=, vlan=, trunk, any-mac, queues=, rate=)\n" },
    { HEAD "net=switch\nnet=switch\nnet=switch\nnet=switch\nnet=switch\n", "vm.conf:6: net: 'switch' is one network card too many (4 at most)\n" },
    { HEAD "disk = f,rw\n", "vm.conf:2: disk: 'f,rw' has an unknown word after the comma (only ro)\n" },
    { HEAD "disk=a\ndisk=a\ndisk=a\ndisk=a\ndisk=a\ndisk=a\ndisk=a\ndisk=a\ndisk=a\n", "vm.conf:10: disk: 'a' is one disk too many (8 at most)\n" },
    { HEAD "option = svade\n", "vm.conf:2: option: 'svade' is not of the form key=value\n" },
    { HEAD "memory = 1X\nvcpus = 99\n[vm b]\nkernl = k\n",
      "vm.conf:2: memory: '1X' is no size (write 128M or 1G)\nvm.conf:3: vcpus: '99' must be 1 to 64\n"
      "vm.conf:5: kernl: no such key (did you mean kernel?)\n" },
};

TEST(description_errors_name_file_line_key_and_reason)
{
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK(!parse(bad[i].text));
        CHECK_STR(said, bad[i].said);
    }
}

TEST(description_errors_cost_only_the_machine_they_are_about)
{
    CHECK(!parse("[vm a]\nkernel=k\n[vm b]\nvcpus=0\nmemory=1Q\n[vm c]\nkernel=k\n[vm c]\nvcpus=0\n[vm d]\nkernel=k\n"));
    CHECK_EQ_U64(config.count, 4);
    CHECK_EQ_U64(config.broken, 2);
    CHECK_EQ_U64(said_count, 4);                             /* the second c, and the 0 in it, too */
    CHECK_EQ_U64(config.vm[2].vcpu_count, 1);
}

TEST(description_with_a_zero_byte_is_refused_at_its_line)
{
    static const char nul[] = "[vm a]\nker\0nel = k\nmemory = 4M\n";
    CHECK(!parse_bytes(nul, sizeof nul - 1));
    CHECK_STR(said, "vm.conf:2: a zero byte in the line: this is no text\n");
    CHECK_EQ_U64(config.vm[0].memory_size, MIB(4));
    CHECK(!parse_bytes("\0\0\0\0", 4));
}

TEST(description_with_very_long_lines)
{
    static char long_text[12000];
    char *at = long_text + sprintf(long_text, "[vm a]\ncmdline = ");
    memset(at, 'x', 4095);
    at[4095] = 0;
    CHECK(parse(long_text));
    CHECK_EQ_U64(strlen(config.vm[0].cmdline), 4095);
    memset(at, 'x', 4096);
    at[4096] = 0;
    CHECK(!parse(long_text));
    CHECK(strstr(said, "vm.conf:2: cmdline: 'xxxxx") && strstr(said, "...' is longer than 4095 bytes\n"));
    memset(long_text, 'k', 10000);                           /* no key at all, then a key as long */
    memcpy(long_text, "[vm a]\n", 7);
    long_text[10000] = 0;
    CHECK(!parse(long_text));
    CHECK_STR(said, "vm.conf:2: neither [vm NAME], [host] nor key = value\n");
    strcat(long_text, "=1");
    CHECK(!parse(long_text));
    CHECK(strstr(said, "kkk...: no such key\n") && strlen(said) < 80);
}

TEST(description_tells_at_most_twenty_errors)
{
    char many[2000] = "";
    for (unsigned i = 0; i < 100; i++) strcat(many, "x\n");
    CHECK(!parse(many));
    CHECK_EQ_U64(said_count, CONFIG_MAX_ERRORS + 1);
    CHECK(strstr(said, "vm.conf: more errors follow\n"));
}

TEST(description_has_at_most_sixteen_machines)
{
    char many[1000] = "";
    for (unsigned i = 0; i < 16; i++) sprintf(many + strlen(many), "[vm m%u]\nkernel=k\n", i);
    CHECK(parse(many));
    CHECK_EQ_U64(config.count, 16);
    strcat(many, "[vm one-more]\nvcpus=3\n");
    CHECK(!parse(many));
    CHECK_STR(said, "vm.conf:33: too many VMs (16 at most)\n");
    CHECK_EQ_U64(config.vm[15].vcpu_count, 1);
}

TEST(distance_counts_changed_letters)
{
    static const struct { const char *a, *b; unsigned n; } row[] = {
        { "", "", 0 }, { "a", "", 1 }, { "", "abc", 3 }, { "kernel", "kernel", 0 }, { "kernl", "kernel", 1 }, { "kenrel", "kernel", 2 },
        { "memory", "memo", 2 }, { "disk", "disc", 1 }, { "flaw", "lawn", 2 },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(row); i++) {
        CHECK_EQ_U64(config_distance(row[i].a, row[i].b), row[i].n);
        CHECK_EQ_U64(config_distance(row[i].b, row[i].a), row[i].n);
    }
    char far[200];
    memset(far, 'q', sizeof far);
    far[199] = 0;
    CHECK(config_distance(far, "kernel") >= 18 && config_distance("kernel", far) >= 18);
}

/* What came out must be sound whatever went in: strings inside the text, counts within their arrays. */
static bool is_inside(const char *s) { return !s || (s >= text && s <= text + sizeof text && strnlen(s, sizeof text) < sizeof text); }

static void check_sound(void)
{
    CHECK(config.count <= CONFIG_MAX_VMS && !(config.broken >> config.count));
    for (unsigned i = 0; i < config.count; i++) {
        const struct vm_config *c = &config.vm[i];
        CHECK(c->disk_count <= VM_MAX_DISKS && c->option_count <= VM_MAX_OPTIONS && c->nic_count <= VM_MAX_NICS);
        CHECK(c->vcpu_count >= 1 && c->vcpu_count <= VM_MAX_VCPUS && c->memory_size && c->memory_size % 4096 == 0);
        CHECK((unsigned)c->guest_arch < GUEST_ARCH_COUNT && (unsigned)c->exec_mode < EXEC_MODE_COUNT);
        CHECK(is_inside(c->name) && is_inside(c->kernel_path) && is_inside(c->firmware_path) && is_inside(c->initrd_path) && is_inside(c->cmdline));
        for (unsigned d = 0; d < c->disk_count; d++) CHECK(is_inside(c->disk[d].path) && (c->disk[d].path || c->disk[d].kind == DISK_RAM));
        for (unsigned o = 0; o < c->option_count; o++) CHECK(is_inside(c->option[o]) && strchr(c->option[o], '='));
    }
}

TEST(fuzz_description_survives_random_damage)
{
    static const char awkward[] = "\n\r\t =[]#,:\0\x7f\xffvm0123456789KMG";
    char damaged[sizeof whole + 64];
    for (unsigned round = 0; round < 20000; round++) {
        size_t length = sizeof whole - 1;
        memcpy(damaged, whole, length);
        for (uint64_t changes = 1 + test_random() % 8; changes; changes--) {
            uint64_t r = test_random();
            size_t at = (r >> 8) % (length + 1), n = (r >> 32) % 24;
            char c = (r >> 60) & 1 ? awkward[(r >> 24) % sizeof awkward] : (char)(r >> 24);
            if (at + n > length) n = length - at;
            switch (r % 4) {
            case 0: if (at < length) damaged[at] = c; break;
            case 1: memmove(damaged + at, damaged + at + n, length - at - n); length -= n; break;      /* cut out */
            case 2: length = at; break;                                                                /* cut off */
            case 3: if (length < sizeof damaged - 1) memmove(damaged + at + 1, damaged + at, length++ - at), damaged[at] = c; break;
            }
        }
        (void)parse_bytes(damaged, length);
        check_sound();
    }
}

// SPDX-License-Identifier: Apache-2.0
/* Calls to the firmware (RISC-V SBI 2.0). Any hart may call; the table of what exists is written once,
 * early. */
#include "demo.h"

struct sbi_result { long error, value; };

enum { BASE = 0x10 };
enum { BASE_VERSION = 0, BASE_IMPLEMENTATION = 1, BASE_IMPLEMENTATION_VERSION = 2, BASE_PROBE = 3 };
enum { SRST_SHUTDOWN = 0, SRST_COLD_REBOOT = 1 };
enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333, FINISHER_RESET = 0x7777 };

static struct { u64 id; const char *name; bool present; } extensions[SBI_EXTENSIONS] = {
    [SBI_TIME] = {0x54494d45, "TIME", false},   [SBI_IPI] = {0x735049, "IPI", false},
    [SBI_RFENCE] = {0x52464e43, "RFENCE", false}, [SBI_HSM] = {0x48534d, "HSM", false},
    [SBI_SRST] = {0x53525354, "SRST", false},   [SBI_DBCN] = {0x4442434e, "DBCN", false},
};

static struct sbi_result sbi_call(u64 extension, u64 function, u64 a, u64 b, u64 c, u64 d)
{
    register u64 a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
    register u64 a6 __asm__("a6") = function, a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(long)a0, (long)a1};
}

void sbi_init(void)
{
    for (u32 i = 0; i < SBI_EXTENSIONS; i++) {
        struct sbi_result r = sbi_call(BASE, BASE_PROBE, extensions[i].id, 0, 0, 0);
        extensions[i].present = !r.error && r.value;
    }
}

bool sbi_has(enum sbi_extension extension)
{
    return extensions[extension].present;
}

void sbi_describe(void)
{
    static const char *const names[] = {"BBL", "OpenSBI", "Xvisor", "KVM", "RustSBI", "Diosix"};
    long version = sbi_call(BASE, BASE_VERSION, 0, 0, 0, 0).value;
    u64 who = (u64)sbi_call(BASE, BASE_IMPLEMENTATION, 0, 0, 0, 0).value;
    long release = sbi_call(BASE, BASE_IMPLEMENTATION_VERSION, 0, 0, 0, 0).value;
    print("  sbi        %ld.%ld, ", version >> 24 & 0x7f, version & 0xffffff);
    if (who < COUNT_OF(names)) {
        print("%s %ld.%ld:", names[who], release >> 16, release & 0xffff);
    } else {
        print("implementation 0x%lx release 0x%lx:", who, release);
    }
    for (u32 i = 0; i < SBI_EXTENSIONS; i++) {
        print("%s%s", extensions[i].present ? " " : "", extensions[i].present ? extensions[i].name : "");
    }
    print("\n");
}

void sbi_set_timer(u64 deadline)
{
    sbi_call(extensions[SBI_TIME].id, 0, deadline, 0, 0, 0);
}

long sbi_send_ipi(u64 hart_id)
{
    return sbi_call(extensions[SBI_IPI].id, 0, 1, hart_id, 0, 0).error;
}

long sbi_remote_sfence(u64 hart_id, u64 address, u64 size_bytes)
{
    return sbi_call(extensions[SBI_RFENCE].id, 1, 1, hart_id, address, size_bytes).error;
}

long sbi_hart_start(u64 hart_id, u64 entry, u64 opaque)
{
    return sbi_call(extensions[SBI_HSM].id, 0, hart_id, entry, opaque, 0).error;
}

long sbi_console_write(const char *text, u64 length)         /* text must be identity mapped */
{
    struct sbi_result r = sbi_call(extensions[SBI_DBCN].id, 0, length, (u64)text, 0, 0);
    return r.error ? r.error : r.value;
}

int sbi_console_read(void)
{
    static u8 byte;
    struct sbi_result r = sbi_call(extensions[SBI_DBCN].id, 1, 1, (u64)&byte, 0, 0);
    return !r.error && r.value == 1 ? byte : -1;
}

long sbi_null_call(void)
{
    return sbi_call(BASE, BASE_VERSION, 0, 0, 0, 0).value;
}

void machine_stop(bool reboot, bool failed)
{
    interrupts_off();
    if (sbi_has(SBI_SRST)) {
        sbi_call(extensions[SBI_SRST].id, 0, reboot ? SRST_COLD_REBOOT : SRST_SHUTDOWN, failed, 0, 0);
    }
    if (machine.finisher.base) {
        u32 code = failed ? 1 << 16 | FINISHER_FAIL : FINISHER_PASS;
        *(volatile u32 *)machine.finisher.base = reboot ? FINISHER_RESET : code;
    }
    print("no way to stop this machine\n");
    for (;;) {
        __asm__ volatile("wfi");
    }
}

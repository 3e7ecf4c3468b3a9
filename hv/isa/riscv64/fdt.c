// SPDX-License-Identifier: Apache-2.0
/* The riscv64 machine's device tree, written front to back with libfdt: names and compatibles are those of
 * QEMU's `virt`, so that kernels and firmware made for it run unmodified. Runs at reset, no state.
 * Devicetree Specification 0.4; Linux Documentation/devicetree/bindings. */
#include "hv/isa/riscv64/board.h"
#include "hv/isa/fdt_writer.h"
#include "hv/isa/riscv64/state.h"

/* Who may be pointed at, by number. */
static uint32_t phandle_cpu(unsigned hart)                 { return 1 + 2 * hart; }
static uint32_t phandle_intc(unsigned hart)                { return 2 + 2 * hart; }
static uint32_t phandle_plic(const struct rv_fdt *d)       { return 1 + 2 * d->hart_count; }
static uint32_t phandle_test(const struct rv_fdt *d)       { return 2 + 2 * d->hart_count; }

static void put_chosen(struct tree *t, const struct rv_fdt *d)
{
    begin(t, "chosen");
    put_text(t, "bootargs", d->cmdline);
    put_text(t, "stdout-path", "/soc/serial@10000000");
    if (d->initrd_end > d->initrd_from) {
        put_u64(t, "linux,initrd-start", d->initrd_from);
        put_u64(t, "linux,initrd-end", d->initrd_end);
    }
    if (d->has_seed) put(t, "rng-seed", d->seed, sizeof d->seed);
    end(t);
}

static void put_cpus(struct tree *t, const struct rv_fdt *d)
{
    static const char *const mmu_types[] = { [RV_SV39] = "riscv,sv39", [RV_SV48] = "riscv,sv48",
                                             [RV_SV57] = "riscv,sv57" };
    begin(t, "cpus");
    PUT_CELLS(t, "#address-cells", 1);
    PUT_CELLS(t, "#size-cells", 0);
    PUT_CELLS(t, "timebase-frequency", RV_TIMEBASE_HZ);
    for (unsigned h = 0; h < d->hart_count; h++) {
        begin_at(t, "cpu", h);
        PUT_CELLS(t, "phandle", phandle_cpu(h));
        put_text(t, "device_type", "cpu");
        PUT_CELLS(t, "reg", h);
        put_text(t, "status", "okay");
        put_text(t, "compatible", "riscv");
        put_text(t, "riscv,isa", d->options.has_sstc ? "rv64imafdc_zicsr_zifencei_zba_zbb_zbs_sstc"
                                                     : "rv64imafdc_zicsr_zifencei_zba_zbb_zbs");
        put_text(t, "mmu-type", mmu_types[d->options.satp_mode]);
        begin(t, "interrupt-controller");
        PUT_CELLS(t, "#interrupt-cells", 1);
        put(t, "interrupt-controller", "", 0);
        put_text(t, "compatible", "riscv,cpu-intc");
        PUT_CELLS(t, "phandle", phandle_intc(h));
        end(t);
        end(t);
    }
    begin(t, "cpu-map");
    begin(t, "cluster0");
    for (unsigned h = 0; h < d->hart_count; h++) {
        char name[16];
        hv_snprintf(name, sizeof name, "core%u", h);
        begin(t, name);
        PUT_CELLS(t, "cpu", phandle_cpu(h));
        end(t);
    }
    end(t);
    end(t);
    end(t);
}

/* interrupts-extended of a chip with two wires to every hart. */
static void put_wires(struct tree *t, const struct rv_fdt *d, enum rv_irq first, enum rv_irq second)
{
    uint32_t cells[RV_MAX_HARTS * 4];
    unsigned n = 0;
    for (unsigned h = 0; h < d->hart_count; h++) {
        cells[n++] = __builtin_bswap32(phandle_intc(h));
        cells[n++] = __builtin_bswap32(first);
        cells[n++] = __builtin_bswap32(phandle_intc(h));
        cells[n++] = __builtin_bswap32(second);
    }
    put(t, "interrupts-extended", cells, n * sizeof cells[0]);
}

static void put_irq(struct tree *t, const struct rv_fdt *d, uint32_t source)
{
    PUT_CELLS(t, "interrupts", source);
    PUT_CELLS(t, "interrupt-parent", phandle_plic(d));
}

static void put_soc(struct tree *t, const struct rv_fdt *d)
{
    begin(t, "soc");
    PUT_CELLS(t, "#address-cells", 2);
    PUT_CELLS(t, "#size-cells", 2);
    put_text(t, "compatible", "simple-bus");
    put(t, "ranges", "", 0);

    begin_at(t, "plic", RV_PLIC_BASE);
    PUT_CELLS(t, "phandle", phandle_plic(d));
    PUT_CELLS(t, "riscv,ndev", RV_PLIC_SOURCES);
    put_reg(t, RV_PLIC_BASE, RV_PLIC_BYTES);
    put_wires(t, d, RV_IRQ_MEI, RV_IRQ_SEI);
    put(t, "interrupt-controller", "", 0);
    PUT_TEXTS(t, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
    PUT_CELLS(t, "#address-cells", 0);
    PUT_CELLS(t, "#interrupt-cells", 1);
    end(t);

    begin_at(t, "clint", RV_CLINT_BASE);
    put_wires(t, d, RV_IRQ_MSI, RV_IRQ_MTI);
    put_reg(t, RV_CLINT_BASE, RV_CLINT_BYTES);
    PUT_TEXTS(t, "compatible", "sifive,clint0\0riscv,clint0");
    end(t);

    begin_at(t, "test", RV_TEST_BASE);
    PUT_CELLS(t, "phandle", phandle_test(d));
    put_reg(t, RV_TEST_BASE, RV_TEST_BYTES);
    PUT_TEXTS(t, "compatible", "sifive,test1\0sifive,test0\0syscon");
    end(t);

    begin_at(t, "rtc", RV_RTC_BASE);
    put_irq(t, d, RV_RTC_IRQ);
    put_reg(t, RV_RTC_BASE, RV_RTC_BYTES);
    put_text(t, "compatible", "google,goldfish-rtc");
    end(t);

    begin_at(t, "serial", RV_UART_BASE);
    put_irq(t, d, RV_UART_IRQ);
    PUT_CELLS(t, "clock-frequency", RV_UART_HZ);
    put_reg(t, RV_UART_BASE, RV_UART_BYTES);
    put_text(t, "compatible", "ns16550a");
    end(t);

    for (unsigned n = 0; n < RV_VIRTIO_SLOTS; n++) {    /* upwards: who probes in this order calls slot 0 vda */
        uint64_t base = RV_VIRTIO_BASE + (uint64_t)n * RV_VIRTIO_BYTES;
        begin_at(t, "virtio_mmio", base);
        put_irq(t, d, RV_VIRTIO_IRQ + n);
        put_reg(t, base, RV_VIRTIO_BYTES);
        put_text(t, "compatible", "virtio,mmio");
        end(t);
    }
    end(t);
}

static void put_syscon(struct tree *t, const struct rv_fdt *d, const char *name, const char *compatible,
                       uint32_t value)
{
    begin(t, name);
    PUT_CELLS(t, "value", value);
    PUT_CELLS(t, "offset", 0);
    PUT_CELLS(t, "regmap", phandle_test(d));
    put_text(t, "compatible", compatible);
    end(t);
}

bool rv_fdt_make(void *out, size_t cap_bytes, const struct rv_fdt *d, size_t *size_bytes)
{
    struct tree t = start(out, cap_bytes);
    put_text(&t, "compatible", "riscv-virtio");
    put_text(&t, "model", "riscv-virtio,hospes");
    put_chosen(&t, d);
    begin_at(&t, "memory", RV_RAM_BASE);
    put_text(&t, "device_type", "memory");
    put_reg(&t, RV_RAM_BASE, d->memory_size);
    end(&t);
    put_cpus(&t, d);
    put_soc(&t, d);
    put_syscon(&t, d, "poweroff", "syscon-poweroff", RV_TEST_PASS);
    put_syscon(&t, d, "reboot", "syscon-reboot", RV_TEST_RESET);
    end(&t);
    return finish(&t, size_bytes);
}

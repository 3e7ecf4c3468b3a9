// SPDX-License-Identifier: Apache-2.0
/* The arm64 machine's device tree: names and compatibles are those of QEMU's `virt`, so that kernels and firmware made for it
 * run unmodified. Runs at reset, no state. Linux Documentation/devicetree/bindings. */
#include "hv/isa/arm64/machine.h"
#include "hv/isa/fdt_writer.h"

enum { PHANDLE_GIC = 1, PHANDLE_CLOCK = 2, PHANDLE_CPU = 16 };
enum { SPI, PPI };                                   /* interrupt cells: kind, number, flags */
enum { EDGE = 1, LEVEL_HIGH = 4, LEVEL_LOW = 8 };

static void put_chosen(struct tree *t, const struct arm64_fdt *d)
{
    begin(t, "chosen");
    put_text(t, "bootargs", d->cmdline);
    put_text(t, "stdout-path", "/pl011@9000000");
    if (d->initrd_end > d->initrd_from) {
        put_u64(t, "linux,initrd-start", d->initrd_from);
        put_u64(t, "linux,initrd-end", d->initrd_end);
    }
    if (d->has_seed) put(t, "rng-seed", d->seed, sizeof d->seed);
    end(t);
}

static void put_cpus(struct tree *t, const struct arm64_fdt *d)
{
    begin(t, "cpus");
    PUT_CELLS(t, "#address-cells", 1);
    PUT_CELLS(t, "#size-cells", 0);
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        begin_at(t, "cpu", arm64_mpidr(i));
        PUT_CELLS(t, "phandle", PHANDLE_CPU + i);
        put_text(t, "device_type", "cpu");
        PUT_CELLS(t, "reg", (uint32_t)arm64_mpidr(i));
        put_text(t, "compatible", "arm,armv8");
        put_text(t, "enable-method", "psci");
        end(t);
    }
    end(t);

    begin(t, "psci");
    PUT_TEXTS(t, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    put_text(t, "method", "hvc");
    end(t);

    begin(t, "timer");                               /* secure physical, physical, virtual, hypervisor */
    PUT_TEXTS(t, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    put(t, "always-on", "", 0);
    uint32_t mask = d->gic_version == 2 ? ((1u << d->vcpu_count) - 1) << 8 : 0;
    const uint32_t cells[] = { PPI, 13, LEVEL_HIGH | mask, PPI, 14, LEVEL_HIGH | mask, PPI, 11, LEVEL_HIGH | mask, PPI, 10, LEVEL_HIGH | mask };
    uint32_t raw[ARRAY_COUNT(cells)];
    for (unsigned i = 0; i < ARRAY_COUNT(cells); i++) raw[i] = __builtin_bswap32(cells[i]);
    put(t, "interrupts", raw, sizeof raw);
    end(t);
}

static void put_gic(struct tree *t, const struct arm64_fdt *d)
{
    bool is_v3 = d->gic_version == 3;
    uint64_t second = is_v3 ? ARM64_GICR_BASE : ARM64_GICC_BASE, second_bytes = is_v3 ? (uint64_t)GICR_BYTES * d->vcpu_count : ARM64_GICC_BYTES;
    begin_at(t, "intc", ARM64_GICD_BASE);
    PUT_CELLS(t, "phandle", PHANDLE_GIC);
    put_text(t, "compatible", is_v3 ? "arm,gic-v3" : "arm,cortex-a15-gic");
    PUT_CELLS(t, "reg", 0, ARM64_GICD_BASE, 0, is_v3 ? GICD_BYTES : 0x1000, 0, (uint32_t)second, 0, (uint32_t)second_bytes);
    put(t, "interrupt-controller", "", 0);
    PUT_CELLS(t, "#interrupt-cells", 3);
    PUT_CELLS(t, "#address-cells", 2);
    PUT_CELLS(t, "#size-cells", 2);
    if (is_v3) PUT_CELLS(t, "#redistributor-regions", 1);
    put(t, "ranges", "", 0);
    end(t);
}

static void put_primecell(struct tree *t, const char *name, uint64_t base, const char *compatible, size_t compatible_bytes, uint32_t irq, unsigned clocks)
{
    begin_at(t, name, base);
    put(t, "compatible", compatible, compatible_bytes);
    put_reg(t, base, 0x1000);
    PUT_CELLS(t, "interrupts", SPI, irq, LEVEL_HIGH);
    if (clocks == 2) {
        PUT_CELLS(t, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
        PUT_TEXTS(t, "clock-names", "uartclk\0apb_pclk");
    } else {
        PUT_CELLS(t, "clocks", PHANDLE_CLOCK);
        put_text(t, "clock-names", "apb_pclk");
    }
    end(t);
}

static void put_devices(struct tree *t)
{
    static const char pl011[] = "arm,pl011\0arm,primecell", pl031[] = "arm,pl031\0arm,primecell";
    begin(t, "apb-pclk");
    PUT_CELLS(t, "phandle", PHANDLE_CLOCK);
    put_text(t, "compatible", "fixed-clock");
    PUT_CELLS(t, "#clock-cells", 0);
    PUT_CELLS(t, "clock-frequency", ARM64_UART_HZ);
    put_text(t, "clock-output-names", "clk24mhz");
    end(t);
    put_primecell(t, "pl011", ARM64_UART_BASE, pl011, sizeof pl011, ARM64_UART_IRQ, 2);
    put_primecell(t, "pl031", ARM64_RTC_BASE, pl031, sizeof pl031, ARM64_RTC_IRQ, 1);
    for (unsigned n = 0; n < ARM64_VIRTIO_SLOTS; n++) {      /* upwards: who probes in this order calls slot 0 vda */
        uint64_t base = ARM64_VIRTIO_BASE + (uint64_t)n * ARM64_VIRTIO_BYTES;
        begin_at(t, "virtio_mmio", base);
        put_text(t, "compatible", "virtio,mmio");
        put_reg(t, base, ARM64_VIRTIO_BYTES);
        PUT_CELLS(t, "interrupts", SPI, ARM64_VIRTIO_IRQ + n, EDGE);
        put(t, "dma-coherent", "", 0);
        end(t);
    }
}

bool arm64_fdt_make(void *out, size_t cap_bytes, const struct arm64_fdt *d, size_t *size_bytes)
{
    struct tree t = start(out, cap_bytes);
    put_text(&t, "compatible", "linux,dummy-virt");
    put_text(&t, "model", "linux,dummy-virt");
    PUT_CELLS(&t, "interrupt-parent", PHANDLE_GIC);
    put_chosen(&t, d);
    begin_at(&t, "memory", ARM64_RAM_BASE);
    put_text(&t, "device_type", "memory");
    put_reg(&t, ARM64_RAM_BASE, d->memory_size);
    end(&t);
    put_cpus(&t, d);
    put_gic(&t, d);
    put_devices(&t);
    end(&t);
    return finish(&t, size_bytes);
}

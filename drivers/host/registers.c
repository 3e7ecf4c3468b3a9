// SPDX-License-Identifier: Apache-2.0
/* Registers in memory; see registers.h. */
#include "drivers/host/registers.h"

static uint32_t get(void *ctx, uintptr_t at, unsigned bytes)
{
    (void)ctx;
    return bytes == 1 ? *(volatile uint8_t *)at : bytes == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

static void put(void *ctx, uintptr_t at, unsigned bytes, uint32_t v)
{
    (void)ctx;
    if (bytes == 1) *(volatile uint8_t *)at = (uint8_t)v;
    else if (bytes == 2) *(volatile uint16_t *)at = (uint16_t)v;
    else *(volatile uint32_t *)at = v;
}

const struct register_ops REGISTERS_IN_MEMORY = { get, put };

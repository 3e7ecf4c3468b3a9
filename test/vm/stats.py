#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# stats.py FILE - is that the statistics of two machines, good and bad, complete and with the vCPUs' sums?
import json
import sys

FIGURES = "executed_insns mem_accesses exec_time_ns tlb_hits tlb_misses jit_compiles jit_compile_time_ns".split()
ENDS = {"good": ("stopped", "power-off", 0), "bad": ("stopped", "code", 4660)}
vms = json.load(open(sys.argv[1]))["vms"]
assert [v["name"] for v in vms] == ["good", "bad"], vms
for v in vms:
    assert (v["state"], v["exit_reason"], v["exit_code"]) == ENDS[v["name"]], v
    assert v["arch"] == "riscv64" and v["mode"] == "interpreter" and v["memory_size"] == 16 << 20, v
    assert len(v["vcpu"]) == v["vcpus"], v
    for f in FIGURES:
        assert isinstance(v[f], int) and v[f] == sum(c[f] for c in v["vcpu"]), (f, v)
    assert v["exits"], v
    for e in v["exits"]:
        assert e["mean_ns"] == e["time_ns"] // e["count"], e
        assert e["mean_ticks"] is None or e["reason"].startswith("mmio-"), e
    assert v["executed_insns"] > 0 and v["exec_time_ns"] > 0 and v["jit_compiles"] == 0, v

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: CPU seconds as ratios in one run. Each kernel runs natively, in our hosted JIT and
interpreter and in qemu-system-riscv64, all under Sv39 with 4 KiB pages, the same source; then Linux from power-on to GUEST-READY and
GUEST-WORK-OK. Median of several rounds; the rounds interleave, so a noisy machine is noisy to all.
shows: R56

    run.py BUILD [--rounds N] [--only WORD]"""
import math
import os
import select
import statistics
import subprocess
import sys
import time

sys.path.insert(0, "guests/bench")
import measure  # noqa: E402

KERNELS = ("cmk", "sha256", "nbody", "sieve", "chase", "calls")
QEMU = ["qemu-system-riscv64", "-M", "virt", "-display", "none", "-monitor", "none", "-serial", "stdio"]


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def kernels(build, rounds, only):
    """One line a kernel; the geometric means last."""
    ours = lambda k, mode: [f"{build}/hosted/hospes", "run", "--firmware", f"{build}/guests/bench/rvS/{k}-small.elf", "--memory", "128M",
                            "--mode", mode, "--quiet"]
    commands = {
        "native": lambda k: [f"{build}/guests/bench/native/{k}-small"],
        "jit": lambda k: ours(k, "jit"),
        "interp": lambda k: ours(k, "interpreter"),
        "qemu": lambda k: QEMU + ["-bios", "none", "-kernel", f"{build}/guests/bench/rvS/{k}-small.elf"],
    }
    pairs = (("jit", "native"), ("jit", "qemu"), ("interp", "native"), ("interp", "qemu"))
    print(f"{'kernel':10}" + "".join(f" {who + ' s':>9}" for who in commands) + "".join(f" {a + '/' + b:>13}" for a, b in pairs))
    ratios = {pair: [] for pair in pairs}
    for k in (k for k in KERNELS if not only or only in k):
        seconds, sums = {who: [] for who in commands}, set()
        for n in range(rounds):
            for who, command in commands.items():
                progress(f"{k}: {who}, round {n + 1} of {rounds}")
                result = measure.measure(command(k))
                seconds[who].append(result.seconds)
                sums.add(result.checksum)
        progress("")
        if len(sums) != 1:
            sys.exit(f"{k}: checksums differ: {sorted(sums)}")
        m = {who: statistics.median(s) for who, s in seconds.items()}
        for a, b in pairs:
            ratios[a, b].append(m[a] / m[b])
        print(f"{k:10}" + "".join(f" {m[who]:9.3f}" for who in commands) + "".join(f" {m[a] / m[b]:13.2f}" for a, b in pairs), flush=True)
    mean = {pair: math.exp(statistics.fmean(map(math.log, r))) for pair, r in ratios.items()}
    print(f"{'geomean':10}" + " " * 10 * len(commands) + "".join(f" {mean[pair]:13.2f}" for pair in pairs))


def boot(command, marks, timeout=600):
    """CPU seconds of the process when each mark is printed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, found, deadline = b"", [], time.monotonic() + timeout
    try:
        while len(found) < len(marks):
            if not select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                sys.exit(f"no {marks[len(found)]} within {timeout} s: {output[-300:]!r}")
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                sys.exit(f"ended without {marks[len(found)]}: {output[-300:]!r}")
            output += data
            while len(found) < len(marks) and marks[len(found)].encode() in output:
                found.append(measure.cpu_seconds(process.pid))
        return found
    finally:
        process.kill()
        process.wait()


def linux(build, rounds):
    guest = f"{build}/guests/linux-riscv64"
    words = "console=ttyS0 hv.work hv.poweroff"
    ours = [f"{build}/hosted/hospes", "run", "--kernel", f"{guest}/kernel", "--initrd", f"{guest}/initrd", "--cmdline", words, "--memory",
            "256M", "--disk", "ram:16M", "--quiet", "--mode"]
    commands = {
        "jit": ours + ["jit"],
        "interp": ours + ["interpreter"],
        "qemu": QEMU + ["-m", "256", "-kernel", f"{guest}/kernel", "-initrd", f"{guest}/initrd", "-append", words],
    }
    marks = ("GUEST-READY", "GUEST-WORK-OK")
    seconds = {who: [] for who in commands}
    for n in range(rounds):
        for who, command in commands.items():
            progress(f"Linux: {who}, round {n + 1} of {rounds}")
            seconds[who].append(boot(command, marks))
    progress("")
    print(f"\n{'Linux':22}" + "".join(f" {who + ' s':>9}" for who in commands) + f" {'jit/qemu':>10} {'interp/qemu':>12}")
    for i, mark in enumerate(marks):
        m = {who: statistics.median(s[i] for s in all) for who, all in seconds.items()}
        print(f"to {mark:19}" + "".join(f" {m[who]:9.2f}" for who in commands) + f" {m['jit'] / m['qemu']:10.2f} {m['interp'] / m['qemu']:12.2f}")


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    build, rounds, only = arguments[0], 3, None
    for word, value in zip(arguments[1::2], arguments[2::2]):
        if word == "--rounds":
            rounds = int(value)
        elif word == "--only":
            only = value
    if only and only not in ("kernel", "linux") and not any(only in k for k in KERNELS):
        sys.exit(f"bench: no kernel is named {only}; there are {', '.join(KERNELS)}")
    if only != "linux":
        kernels(build, rounds, None if only == "kernel" else only)
    if not only or only == "linux":
        linux(build, rounds)


main(sys.argv[1:])

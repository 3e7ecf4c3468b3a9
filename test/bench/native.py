#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench ONLY=native: guests of the host's own kind, in QEMU. Round trips out of a guest in instructions of the emulated CPU
(-icount: the guest's own instructions included), and work that needs nobody with us and without us in the same emulator: in instructions,
and in CPU seconds of the emulator, median of several rounds that interleave.
shows: R62

    native.py BUILD [--rounds N] [--check] [--host aarch64|x86_64]      --check: trips alone; a mark that is missed is exit status 1"""
import os
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, "guests/bench")
import measure  # noqa: E402

MARKS = {"hypercall": 400, "mmio": 1000}         # by what a trip's name begins with
WORK_MARK = 1.05


class Machine:
    """An emulated host, and how the same program gets there: as our guest, and alone."""

    def __init__(self, name, emulator, words, icount, image, guest, bare):
        self.name, self.emulator, self.words, self.icount, self.image = name, emulator, words, icount, image
        self.guest, self.bare = guest, bare

    def hospes(self, build, run, folder, icount):
        with open(f"{folder}/vm.conf", "w", encoding="ascii") as f:
            f.write(f"[vm bench]\n{self.guest(build)}mode = hardware\nmemory = 64M\ncmdline = {run}\n")
        subprocess.run(["tools/mkbundle.sh", f"{folder}/bundle.cpio", f"{folder}/vm.conf"], check=True)
        return ([self.emulator] + self.words("hospes") + ["-kernel", f"{build}/{self.image}", "-initrd", f"{folder}/bundle.cpio", "-append", "exit"]
                + (self.icount if icount else []))

    def alone(self, build, run, folder, icount):
        return [self.emulator] + self.words("bare") + ["-kernel", self.bare(build, folder), "-append", run] + (self.icount if icount else [])


COMMON = ["-m", "512", "-smp", "1", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-net", "none"]


def arm64(cpu, gic):
    return Machine(
        f"{cpu} GICv{gic}", "qemu-system-aarch64",
        lambda who: ["-M", f"virt,gic-version={gic},virtualization={'on' if who == 'hospes' else 'off'}", "-cpu", cpu] + COMMON,
        ["-icount", "shift=4,sleep=off"],          # 16 ns each: a tick of the machine's 62.5 MHz counter
        "aarch64/hospes.img",
        lambda build: f"arch = arm64\nkernel = {os.path.realpath(build)}/test/native/arm64.elf\n",
        lambda build, folder: f"{build}/test/native/arm64.elf")


def by_pvh(build, folder):
    """QEMU would take a multiboot header first, and then refuses a 64-bit image: a copy without it."""
    with open(f"{build}/test/native/trips-x86_64", "rb") as f:
        image = f.read()
    with open(f"{folder}/alone", "wb") as f:
        f.write(image.replace((0x1BADB002).to_bytes(4, "little"), bytes(4)))
    return f"{folder}/alone"


def x86_64(cpu):
    return Machine(
        f"x86_64 {cpu} AMD-V", "qemu-system-x86_64",
        lambda who: ["-M", "q35" if who == "hospes" else "microvm", "-accel", "tcg", "-cpu", cpu] + COMMON,
        ["-icount", "shift=0,sleep=off"],          # 1 ns each: a tick of the TSC
        "x86_64/hospes.elf",
        lambda build: f"arch = x86_64\nkernel = {os.path.realpath(build)}/test/native/trips-x86_64\n",
        by_pvh)


TRIPS, WORK = "run=trips", "run=work bare"        # on the program's command line
MACHINES = [arm64("cortex-a53", 2), arm64("cortex-a53", 3), arm64("max", 3), x86_64("max")]


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def version(emulator):
    return subprocess.run([emulator, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]


def output_of(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=600, check=False)
    return done.stdout


def numbers(output, pattern, what):
    found = {name: int(n) for name, n in re.findall(pattern, output)}
    if not found:
        sys.exit(f"{what}: nothing was measured: {output[-500:]}")
    return found


def mark_of(name):
    return next((mark for begin, mark in MARKS.items() if name.startswith(begin)), None)


def trips(build, folder, machines):
    """A row a trip, a column a machine. -> whether every mark is held."""
    columns = []
    for m in machines:
        progress(f"trips: {m.name}")
        columns.append(numbers(output_of(m.hospes(build, TRIPS, folder, True)), r"trip (\S+) (\d+) instructions", m.name))
    progress("")
    print(f"{'round trip, instructions':26}" + "".join(f" {m.name:>18}" for m in machines) + f" {'mark':>6}")
    is_held = True
    for name in dict.fromkeys(name for c in columns for name in c):
        mark = mark_of(name)
        counts = [c.get(name) for c in columns]
        is_missed = mark is not None and any(n is not None and n > mark for n in counts)
        is_held = is_held and not is_missed
        print(f"{name:26}" + "".join(f" {'-' if n is None else n:>18}" for n in counts) + (f" {mark:>6}" if mark else "") + (" missed" if is_missed else ""))
    return is_held


def work(build, folder, rounds, machines):
    """The program's own count of instructions, and the emulator's CPU seconds between its marks."""
    print(f"\n{'work':26} {'alone':>12} {'guest':>12} {'ratio':>7}   mark {WORK_MARK}")
    for m in machines:
        progress(f"work: {m.name}, instructions")
        pattern = r"(work) (?:took )?(\d+) instructions"
        alone, guest = (numbers(output_of(c), pattern, m.name)["work"] for c in (m.alone(build, WORK, folder, True), m.hospes(build, WORK, folder, True)))
        print(f"{m.name + ', instructions':26} {alone:12} {guest:12} {guest / alone:7.4f}")
        seconds = ([], [])
        for n in range(rounds):
            sums = set()
            for i, command in enumerate((m.alone(build, WORK, folder, False), m.hospes(build, WORK, folder, False))):
                progress(f"work: {m.name}, round {n + 1} of {rounds}")
                result = measure.measure(command)
                seconds[i].append(result.seconds)
                sums.add(result.checksum)
            if len(sums) != 1:
                sys.exit(f"{m.name}: checksums differ: {sorted(sums)}")
        progress("")
        alone, guest = map(statistics.median, seconds)
        print(f"{m.name + ', CPU seconds':26} {alone:12.3f} {guest:12.3f} {guest / alone:7.3f}", flush=True)


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    build, rounds, is_check = arguments[0], 5, "--check" in arguments
    if "--rounds" in arguments:
        rounds = int(arguments[arguments.index("--rounds") + 1])
    host = arguments[arguments.index("--host") + 1] if "--host" in arguments else ""
    machines = [m for m in MACHINES if m.emulator.endswith(host)]
    for emulator in dict.fromkeys(m.emulator for m in machines):
        print(f"{emulator}: {version(emulator)}, -icount {next(m.icount[1] for m in machines if m.emulator == emulator)}")
    with tempfile.TemporaryDirectory() as folder:
        is_held = trips(build, folder, machines)
        if not is_check:
            work(build, folder, rounds, machines)
    sys.exit(0 if is_held or not is_check else 1)


main(sys.argv[1:])

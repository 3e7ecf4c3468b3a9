#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command and prints the CPU seconds its process spends between the lines START and END <checksum>.

    measure.py [--timeout S] COMMAND [ARGUMENT...]      ->  "<cpu seconds> <checksum>", exit 0
As a module: measure(command, timeout) -> Result. The time is user + system of the whole process, all threads,
read from its CPU clock when a mark arrives. Only the started process counts, so do not wrap it in a shell."""
import os
import select
import subprocess
import sys
import time
from typing import NamedTuple


class Result(NamedTuple):
    seconds: float      # CPU seconds between the marks
    checksum: str
    status: int         # exit status of the process; negative = signal, None = killed by us
    wall_seconds: float


class MeasureError(Exception):
    pass


def cpu_seconds(pid):
    """The CPU-time clock of another process (clock_getcpuclockid(3) as Linux numbers it), in seconds."""
    return time.clock_gettime((~pid << 3) | 2)


def measure(command, timeout=600.0, grace=5.0):
    """Raises MeasureError if the marks do not come. After END the process has `grace` seconds to end; status
    None says that it did not."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    deadline = time.monotonic() + timeout
    output, start, checksum, seconds = b"", None, None, None
    try:
        while checksum is None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise MeasureError(f"no {'END' if start else 'START'} within {timeout:g} s")
            data = os.read(process.stdout.fileno(), 65536)
            cpu, wall = cpu_seconds(process.pid), time.monotonic()
            if not data:
                tail = output[-400:].decode(errors="replace")
                raise MeasureError(f"ended (status {process.wait()}) without its marks: {tail}")
            output += data
            *lines, output = output.split(b"\n")
            for line in lines:
                words = line.decode(errors="replace").split()
                if words[-1:] == ["START"]:
                    start = (cpu, wall)
                elif words[-2:-1] == ["END"] and start:
                    seconds, checksum, took = cpu - start[0], words[-1], wall - start[1]
        try:
            status = process.wait(grace)
        except subprocess.TimeoutExpired:
            status = None
        return Result(seconds, checksum, status, took)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def main(arguments):
    timeout = 600.0
    if arguments[:1] == ["--timeout"]:
        timeout, arguments = float(arguments[1]), arguments[2:]
    if not arguments:
        sys.exit(__doc__)
    try:
        result = measure(arguments, timeout)
    except (MeasureError, OSError) as error:
        sys.exit(f"measure: {error}")
    print(f"{result.seconds:.4f} {result.checksum}")
    if result.status != 0:
        sys.exit(f"measure: the process ended with status {result.status}")


if __name__ == "__main__":
    main(sys.argv[1:])

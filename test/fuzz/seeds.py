#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seeds.py BUILD OUT - a few inputs of each kind for the fuzzers to start from: OUT/TARGET/N. Made, not kept."""
import os, random, struct, sys, zlib

build, out = sys.argv[1:3]
random.seed(1)


def keep(target, *inputs):
    os.makedirs(f"{out}/{target}", exist_ok=True)
    for n, data in enumerate(inputs):
        with open(f"{out}/{target}/{n}", "wb") as f:
            f.write(data)


def read(path, most):
    try:
        with open(f"{build}/{path}", "rb") as f:
            return f.read(most)
    except FileNotFoundError:
        return b""


def cpio(*files):
    data = b""
    for name, body in files + (("TRAILER!!!", b""),):
        n = name.encode() + b"\0"
        head = "070701" + "".join("%08x" % v for v in (1, 0o100644, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(n), 0))
        data += head.encode() + n
        data += b"\0" * (-len(data) % 4) + body
        data += b"\0" * (-len(data) % 4)
    return data


def elf(machine, entry, at, body):
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 7, 120, at, at, len(body), len(body) + 64, 4096) + body


def linux_image(magic2):
    return struct.pack("<IIQQQIIQQII", 0x13, 0, 0x200000, 0x1000, 0, 2, 0, 0, 0x5643534952, magic2, 0) + bytes(64)


def gpt():
    """Protective MBR, header, one array of four entries; as chunks of (sector / 2, 512 bytes)."""
    entries = b"".join(bytes([n + 1] * 16) + bytes([n + 9] * 16) + struct.pack("<QQQ", 40 + 60 * n, 90 + 60 * n, 0) + "p".encode("utf-16le").ljust(72, b"\0")
                       for n in range(4)).ljust(128 * 128, b"\0")
    def header(my, other, table):
        h = b"EFI PART" + struct.pack("<IIIIQQQQ16sQIII", 0x10000, 92, 0, 0, my, other, 34, 477, b"G" * 16, table, 128, 128, zlib.crc32(entries))
        return (h[:16] + struct.pack("<I", zlib.crc32(h)) + h[20:]).ljust(512, b"\0")
    return b"".join((bytes([0]) + (bytes(446) + b"\0\0\2\0\xee\xff\xff\xff" + struct.pack("<II", 1, 511) + bytes(48) + b"\x55\xaa"),
                     bytes([1]) + entries[:512])) + b"\x00" + header(1, 511, 2)[:200]


def tree():
    strings, words = b"", []
    def prop(name, value):
        nonlocal strings
        words.append(struct.pack(">III", 3, len(value), len(strings)) + value + bytes(-len(value) % 4))
        strings += name + b"\0"
    def begin(name):
        words.append(struct.pack(">I", 1) + name + b"\0" + bytes(-(len(name) + 1) % 4))
    end = struct.pack(">I", 2)
    begin(b""); prop(b"#address-cells", struct.pack(">I", 2)); prop(b"#size-cells", struct.pack(">I", 2)); prop(b"compatible", b"linux,dummy-virt\0")
    begin(b"memory@40000000"); prop(b"device_type", b"memory\0"); prop(b"reg", struct.pack(">QQ", 0x40000000, 0x10000000)); words.append(end)
    begin(b"chosen"); prop(b"bootargs", b"exit\0"); prop(b"linux,initrd-start", struct.pack(">Q", 0x48000000)); prop(b"linux,initrd-end", struct.pack(">Q", 0x48001000)); words.append(end)
    begin(b"pl011@9000000"); prop(b"compatible", b"arm,pl011\0arm,primecell\0"); prop(b"reg", struct.pack(">QQ", 0x9000000, 0x1000)); words.append(end)
    begin(b"cpus"); begin(b"cpu@0"); prop(b"device_type", b"cpu\0"); prop(b"reg", struct.pack(">I", 0)); words += [end, end]
    words += [end, struct.pack(">I", 9)]
    struct_block = b"".join(words)
    total = 40 + 16 + len(struct_block) + len(strings)
    return struct.pack(">IIIIIIIIII", 0xd00dfeed, total, 56, 56 + len(struct_block), 40, 17, 16, 0, len(strings), len(struct_block)) + bytes(16) + struct_block + strings


def multiboot2():
    tags = struct.pack("<II", 1, 13) + b"exit\0" + bytes(3)
    tags += struct.pack("<IIII", 6, 16 + 48, 24, 0) + struct.pack("<QQIIQQII", 0, 0x9fc00, 1, 0, 0x100000, 0x7f00000, 1, 0)
    tags += struct.pack("<IIII", 3, 24, 0x1000000, 0x1001000) + b"bundle\0\0"
    tags += struct.pack("<IIQIIIBBH", 8, 38, 0xfd000000, 4096, 1024, 768, 32, 1, 0) + bytes([16, 8, 8, 8, 0, 8]) + bytes(2)
    return struct.pack("<II", 8 + len(tags) + 8, 0) + tags + struct.pack("<II", 0, 8)


text = b"[vm a]\narch = riscv64\nmemory = 64M\nvcpus = 2\nkernel = k\ninitrd = i\ncmdline = console=ttyS0\ndisk = ram:1M\ndisk = image:d,ro\noption = ad=svade\n"
keep("config", text, text.replace(b"64M", b"0x4000000") + b"# end\n[host]\nevents = host:0p3\n[vm b]\nfirmware = f\n", b"[vm \xff]\nmemory\n= 3\n")
keep("bundle", cpio(("hospes.conf", text), ("0-kernel", b"K" * 40)), cpio(("./dir/kernel", b""), ("autoexec", b"vm list\n")))
keep("image", b"\0" + elf(243, 0x80001000, 0x80000000, b"\x13\0\0\0" * 8), b"\1" + elf(183, 0x80000000, 0x80000000, b"\0" * 32),
     b"\0" + linux_image(0x05435352), b"\1" + linux_image(0x644d5241), b"\0" + b"\x1f\x8b\x08\0" * 4)
keep("decode", b"\0" + read("guests/demo-riscv64/kernel", 3000)[64:], b"\x1f" + bytes(random.randrange(256) for _ in range(600)))
keep("ir", *(bytes(random.randrange(256) for _ in range(700)) for _ in range(4)))
keep("virtio", *(bytes([kind]) + bytes(random.randrange(256) for _ in range(900)) for kind in range(5)))
keep("gic", *(bytes([kind]) + bytes(random.randrange(256) for _ in range(800)) for kind in (0, 1, 2, 3, 0x6c, 0x6e, 0xfd, 0x1e)))
keep("pl011", b"\0\0", bytes([0x0b, 2, 0x10, 0, 0x0c, 2, 0x01, 3, 0x0e, 2, 0xff, 7] + [20, 0, 0, 1, 0, 1] * 40), bytes(random.randrange(256) for _ in range(600)))
keep("x86_64", b"\1" + b"".join(struct.pack("<BBH15sBQBHBH", how, mode, 0x200, code, 7, 0xfee00300, 0, 0x300, kind, 0x3f8) for code in (
    b"\x89\x07", b"\x8b\x07", b"\x0f\xb6\x07", b"\x48\x8b\x07", b"\xf3\xab", b"\xf3\xa4", b"\x81\x07\0\1\0\0", b"\xf0\x0f\xb1\x0f", b"\x0f\xba\x2f\1", b"\xa3\0\3\xe0\xfe", b"\x0f\x22\xc0", b"\x6e")
    for mode in (0, 1, 2) for how, kind in ((8, 0), (0x28, 3), (0xa8, 3), (0x28, 10), (0x28, 2), (0x28, 1))))
keep("arm64", b"\xff\xff" + b"".join(struct.pack("<IBHI", w, how, at, esr) for w in (0xa9400440, 0xf8408440, 0xa8c10440, 0xb85f8c40, 0x29007c40, 0x38c01440) for how in (0, 1)
                for at, esr in ((0x10, 0x92000044), (0xff8, 0x92000004))), bytes(random.randrange(256) for _ in range(900)))
keep("disk", gpt(), b"".join(bytes([n]) + bytes(512) for n in range(3)))
keep("monitor", b"help\rvm list\rvm create a memory=4M\rvm start a\rinfo regs a 0 all\rvm pause a\rdisas a\rvm stop a\rvm destroy a\r",
     b"vm l\tis\x1b[D\x1b[C\x17x\x01\x05\x15\x10\x1b[A\rinfo \tevents list\rstats json\rlog debug\recho 'a b'; echo c\r")
wrapped = bytearray(tree())
wrapped[76:80] = b"\xff\xff\xff\xf4"                    # the first property's length: an offset that goes back
keep("boot", b"\0" + tree(), b"\1" + multiboot2(), b"\0" + bytes(wrapped))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""refusals.py BUILD [WORD...] - bad input on every host: each bad description or file costs only its own VM and one line that names
it, while a guest beside it does its work; broken bundles; on AArch64 a device tree that lies: the machine boots with what is
plausible and says what it ignored, or ends in one clear line. Only rows whose name has all WORDs; JOBS=n at a time. Ends in
`N passed, N failed`."""
import concurrent.futures, os, re, selectors, shutil, struct, subprocess, sys, tempfile, time

BUILD = os.path.realpath(sys.argv[1])
TMP = tempfile.mkdtemp()
PATIENCE = 240                                            # seconds: far more than it takes
DEMO = BUILD + '/guests/demo-riscv64/kernel'
HOSTILE = BUILD + '/test/vm/hostile.elf'
HOSPES = f'{BUILD}/{os.environ.get("HOSPES", "san/hospes")}'
X86 = ['qemu-system-x86_64', '-M', 'q35', '-cpu', 'max', '-smp', '2', '-m', '512', '-kernel', BUILD + '/x86_64/hospes.elf']
ARM = ['qemu-system-aarch64', '-M', 'virt,virtualization=on,gic-version=3', '-cpu', 'cortex-a57', '-smp', '2', '-m', '512',
       '-kernel', BUILD + '/aarch64/hospes.img']
QEMU = ['-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-net', 'none', '-no-reboot']
HURT = r'Sanitizer|runtime error|hospes panic|crashed'
GOOD = '[vm good]\nmemory = 16M\nkernel = demo\ncmdline = autotest\ndisk = ram:1M\n'
WORKED = r'(^|\| )DEMO-OK'


class Failed(Exception):
    pass


def run(command, wanted, cwd=None):
    """What it says until it ends or has said all that is wanted, in any order; one that does neither has failed."""
    text, end = '', time.time() + PATIENCE
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd)
    os.set_blocking(p.stdout.fileno(), False)
    with selectors.DefaultSelector() as s:
        s.register(p.stdout, selectors.EVENT_READ)
        while time.time() < end:
            if not s.select(1):
                continue
            data = os.read(p.stdout.fileno(), 65536)
            if not data:
                break
            text += data.decode('utf-8', 'replace').replace('\r', '')
            if all(re.search(w, text, re.M) for w in wanted):
                break
    p.kill()
    p.stdout.close()
    p.wait()
    for w in wanted:
        if not re.search(w, text, re.M):
            raise Failed(f'no "{w}" in\n' + '\n'.join('    ' + line for line in text.split('\n')[-40:]))
    return text


# ---- files ----
def cut(path, size):
    return open(path, 'rb').read()[:size]


def files():
    return {'demo': cut(DEMO, None), 'headless.elf': cut(HOSTILE, 20), 'half.elf': cut(HOSTILE, os.path.getsize(HOSTILE) // 2),
            'header.image': b'MZ' + bytes(30), 'large': bytes(8 << 20), 'empty': b'', 'odd': b'odd' * 333}


def folder(contents):
    """A folder with these files."""
    path = tempfile.mkdtemp(dir=TMP)
    for name, data in contents.items():
        with open(f'{path}/{name}', 'wb') as f:
            f.write(data if isinstance(data, bytes) else data.encode())
    return path


def bundle(contents):
    """The same as an archive, names in order."""
    path = folder(contents)
    subprocess.run(['cpio', '-o', '-H', 'newc', '--quiet', '-F', path + '.cpio'], input='\n'.join(sorted(contents)), text=True, cwd=path, check=True)
    return path + '.cpio'


# ---- what is wrong in a description: the VM, its lines, the one line that says so (hosted, firmware) ----
BAD = [
    ('key',       'kernl = demo',                          r'hospes.conf:\d+: kernl: no such key \(did you mean kernel\?\)', None),
    ('size',      'memory = 12Q',                          r"hospes.conf:\d+: memory: '12Q' is no size .*", None),
    ('odd-size',  'memory = 5000',                         r"hospes.conf:\d+: memory: '5000' must be a multiple of 4K and not 0", None),
    ('none',      'vcpus = 0',                             r"hospes.conf:\d+: vcpus: '0' must be 1 to 64", None),
    ('many',      'vcpus = 65',                            r"hospes.conf:\d+: vcpus: '65' must be 1 to 64", None),
    ('memory',    'kernel = demo\nmemory = 1024G',         r'memory: memory: wants 1048576 MiB .*', r'vm memory: .*memory: more than this host has free'),
    ('missing',   'kernel = nofile',                       r'missing: kernel: nofile: No such file or directory', r'vm missing: .*kernel: the bundle has no file nofile'),
    ('empty',     'kernel = empty',                        r'empty: kernel: the file is empty', r'vm empty: .*kernel: the file is empty'),
    ('elf-head',  'firmware = headless.elf',               r'elf-head: ELF: the file ends inside its header', r'vm elf-head: .*ELF: the file ends inside its header'),
    ('elf-half',  'firmware = half.elf',                   r'elf-half: ELF: a segment lies outside the file', r'vm elf-half: .*ELF: a segment lies outside the file'),
    ('image',     'kernel = header.image',                 r'image: Linux Image: the file is cut off', r'vm image: .*Linux Image: the file is cut off'),
    ('large',     'kernel = large\nmemory = 8M',           r"large: kernel: does not fit into the guest's memory", r"vm large: .*kernel: does not fit into the guest's memory"),
    ('overlap',   'firmware = large\nkernel = demo',       r'overlap: kernel and firmware want the same memory', r'vm overlap: .*kernel and firmware want the same memory'),
    ('good',      'kernel = demo',                         r'hospes.conf:\d+: this VM is described twice', None),
    ('ram-disk',  'kernel = demo\ndisk = ram:1000G',       r'ram-disk: memory: wants .* MiB with its RAM disks, .*', r'vm ram-disk: .*no memory for a RAM disk'),
    ('no-image',  'kernel = demo\ndisk = image:nofile',    r'no-image: disk: nofile: No such file or directory', r'vm no-image: .*disk: the bundle has no file nofile'),
    ('odd-name',  'kernel = demo\ndisk = host:x',          r"hospes.conf:\d+: disk: 'host:x' names no disk of the host .*", None),
    ('host-disk', 'kernel = demo\ndisk = host:0',          r'host-disk: host:0: this host has no disk that we can drive', r'vm host-disk: .*host:0: this host has no disk that we can drive'),
]
HALF = len(BAD) // 2                                      # a description has sixteen VMs


def one_line_each(host, rows):
    good = GOOD if any(name == 'good' for name, *_ in rows) else GOOD + '[vm odd]\nmemory = 16M\nkernel = demo\ncmdline = autotest\ndisk = image:odd\n'
    contents = dict(files(), **{'hospes.conf': good + ''.join(f'[vm {name}]\n{lines}\n' for name, lines, *_ in rows)})
    lines = [on_hosted if host == 'hosted' or not on_firmware else on_firmware for _, _, on_hosted, on_firmware in rows]
    if host == 'hosted':
        where = folder(contents)
        text = run([HOSPES, 'run', 'hospes.conf', '--cores', '2', '--timeout', '200'], ['^hospes: good: powered off$'], where)
        said = re.findall(r'^hospes: (?!.*: powered off$)(.*)$', text, re.M)
    else:
        base = X86 if host == 'x86_64' else ARM
        text = run(base + QEMU + ['-initrd', bundle(contents), '-append', 'exit loglevel=info'], ['^hospes: status 1$'])
        said = re.findall(r'^\[ *\d+\.\d+\] error: (.*)$', text, re.M)
    if not re.search(WORKED, text, re.M):
        raise Failed('the good guest has not done its work')
    if re.search(HURT, text):
        raise Failed('the hypervisor is hurt:\n' + text)
    for line in lines:
        if sum(bool(re.fullmatch(line, s)) for s in said) != 1:
            raise Failed(f'not one line "{line}" among\n' + '\n'.join('    ' + s for s in said))
    if len(said) != len(lines):
        raise Failed(f'{len(said)} lines for {len(lines)} faults:\n' + '\n'.join('    ' + s for s in said))
    return f'{len(lines)} lines'


# ---- bundles ----
def whole_bundle():
    conf = GOOD + '[vm late]\nmemory = 16M\nkernel = z-late\n'
    path = bundle({'demo': cut(DEMO, None), 'hospes.conf': conf, 'z-late': bytes(100000)})
    return open(path, 'rb').read()


def broken_bundle(host, change, wanted):
    path = tempfile.mktemp(dir=TMP)
    open(path, 'wb').write(change(whole_bundle()))
    base = X86 if host == 'x86_64' else ARM
    if re.search(HURT, run(base + QEMU + ['-initrd', path, '-append', 'exit'], wanted)):
        raise Failed('the hypervisor is hurt')


def bad_header(data):
    """The last file's size is no number."""
    at = data.index(b'z-late\0') - 110
    return data[:at + 54] + b'zzzzzzzz' + data[at + 62:]


BUNDLES = [
    ('cut in a file',       lambda b: b[:b.index(b'z-late\0') + 5000], [WORKED, 'error: vm late: .*kernel: the bundle has no file z-late', '^hospes: status 1$']),
    ('a broken header',     bad_header,                                [WORKED, 'error: vm late: .*kernel: the bundle has no file z-late', '^hospes: status 1$']),
    ('cut before its text', lambda b: b[:b.index(b'hospes.conf\0') + 8], ['error: the bundle has no hospes.conf', '^hospes: status 1$']),
    ('no archive',          lambda b: b'nothing of that kind' * 100,   [r'error: boot module 0 \(.*\) is no cpio archive: ignored', 'demo>|vm demo']),
]


# ---- device trees that lie. Not by QEMU's -dtb, which sets memory right: image, tree and bundle are put into RAM as they are ----
TREE, IMAGE, BUNDLE = 0x80000000, 0x80400000, 0x88000000
VIRT = ['qemu-system-aarch64', '-M', 'virt,virtualization=on,gic-version=3', '-cpu', 'cortex-a57', '-smp', '2', '-m', '2G']
UART, GIC = '/pl011@9000000', '/intc@8000000'


class Tree:
    """A tree of QEMU's in a file, to be made worse."""

    def __init__(self):
        self.path = tempfile.mktemp(dir=TMP)
        subprocess.run(VIRT[:1] + [VIRT[1], VIRT[2] + f',dumpdtb={self.path}'] + VIRT[3:] + ['-display', 'none'], check=True, stderr=subprocess.DEVNULL)
        self.bundle = bundle({'demo': cut(DEMO, None), 'hospes.conf': GOOD})
        self.initrd(BUNDLE, BUNDLE + os.path.getsize(self.bundle))
        self.text('/chosen', 'bootargs', 'exit')
        self.after = lambda data: data

    def put(self, *words):
        subprocess.run(['fdtput', *words], check=True, stderr=subprocess.DEVNULL)

    def cells(self, node, name, *cells):
        self.put('-t', 'x', self.path, node, name, *(f'{c:x}' for c in cells))

    def bytes(self, node, name, *values):
        self.put('-t', 'bx', self.path, node, name, *(f'{v:x}' for v in values))

    def text(self, node, name, value):
        self.put('-t', 's', self.path, node, name, value)

    def remove(self, node):
        self.put('-r', self.path, node)

    def memory(self, at, size, node='/memory@40000000'):
        self.put('-c', '-p', self.path, node)
        self.text(node, 'device_type', 'memory')
        self.cells(node, 'reg', at >> 32, at & 0xffffffff, size >> 32, size & 0xffffffff)

    def initrd(self, start, end):
        self.cells('/chosen', 'linux,initrd-start', 0, start)
        self.cells('/chosen', 'linux,initrd-end', 0, end)

    def word(self, offset, value):
        """A word of the header."""
        def change(data, before=self.after):
            data = before(data)
            return data[:offset] + struct.pack('>I', value) + data[offset + 4:]
        self.after = change

    def boot(self, wanted):
        data = open(self.path, 'rb').read()
        open(self.path, 'wb').write(self.after(data))
        loads = [f'file={BUILD}/aarch64/hospes.img,addr={IMAGE},force-raw=on', f'file={self.path},addr={TREE},force-raw=on',
                 f'file={self.bundle},addr={BUNDLE},force-raw=on', f'addr={IMAGE},cpu-num=0']
        return run(VIRT + QEMU + [w for load in loads for w in ('-device', 'loader,' + load)], wanted)


def reserve_all(t):
    t.put('-c', '-p', t.path, '/reserved-memory/all')
    t.cells('/reserved-memory', '#address-cells', 2)
    t.cells('/reserved-memory', '#size-cells', 2)
    t.cells('/reserved-memory/all', 'reg', 0, 0x40000000, 0, 0x80000000)


def twice_the_same_core(t):
    t.put('-c', '-p', t.path, '/cpus/cpu@9')
    t.text('/cpus/cpu@9', 'device_type', 'cpu')
    t.cells('/cpus/cpu@9', 'reg', 1)


def break_structure(data):
    at = struct.unpack('>I', data[8:12])[0]
    return data[:at] + b'\0\0\0\x77' + data[at + 4:]


def set_after(t, change):
    t.after = change


BOOTS, CLEAN = [WORKED, '^hospes: status 0$'], 'the loader tells of'
def ignored(what):
    return BOOTS + [f'error: the loader tells of {what}: 0x[0-9a-f]+, 0x[0-9a-f]+; ignored']
def ends(what):
    return [rf'hospes panic on cpu 0: {what}', r'^\*\*\* halted']


TREES = [
    ('the truth',                 lambda t: None, BOOTS),
    ('memory told twice',         lambda t: t.memory(0x50000000, 0x40000000, '/memory@50000000'), ignored('memory twice')),
    ('memory that wraps',         lambda t: t.memory(0xfffffffffffff000, 0x2000, '/memory@50000000'), ignored('memory that cannot be')),
    ('memory of no size beside',  lambda t: t.memory(0x50000000, 0, '/memory@50000000'), ignored('memory that cannot be')),
    ('memory over devices',       lambda t: t.memory(0x08000000, 0xb8000000), [r'tells of memory over a device|hospes panic on cpu 0']),
    ('memory without the image',  lambda t: t.memory(0x84000000, 0x3c000000), BOOTS),
    ('memory beyond what is',     lambda t: t.memory(0x40000000, 0x1000000000), BOOTS),
    ('no memory',                 lambda t: t.remove('/memory@40000000'), ends('the loader tells of no memory that we could use')),
    ('memory of no size',         lambda t: t.memory(0x40000000, 0), ends('the loader tells of no memory that we could use')),
    ('all memory reserved',       reserve_all, ends('the loader tells of no memory that we could use')),
    ('no GIC',                    lambda t: t.remove(GIC), ends('no interrupt controller that we drive')),
    ('a GIC of no size',          lambda t: t.cells(GIC, 'reg', 0, 0x8000000, 0, 0, 0, 0x80a0000, 0, 0), ends('no interrupt controller that we drive')),
    ('redistributors of no size', lambda t: t.cells(GIC, 'reg', 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0), ends('GICv3: core 0x0 has no redistributor')),
    ('a GIC where RAM is',        lambda t: t.cells(GIC, 'reg', 0, 0x60000000, 0, 0x10000, 0, 0x60100000, 0, 0x100000), ends('(no interrupt of the timer arrives|GICv3: core)')),
    ('a GIC where nothing is',    lambda t: t.cells(GIC, 'reg', 0x20, 0, 0, 0x10000, 0x20, 0x100000, 0, 0x100000), ends('data abort, .*external')),
    ('timer of no sense',         lambda t: t.cells('/timer', 'interrupts', *[7, 9999, 4] * 4), ignored(r'a timer without its interrupts \(the usual ones are taken\)')),
    ('timer by another line',     lambda t: t.cells('/timer', 'interrupts', *[1, 5, 4] * 4), ends('no interrupt of the timer arrives')),
    ('UART of no size',           lambda t: t.cells(UART, 'reg', 0, 0x9000000, 0, 0), ignored('a console whose registers have that size')),
    ('console of no sense',       lambda t: t.text('/chosen', 'stdout-path', '/no/such@thing:x'), BOOTS),
    ('a board of no name',        lambda t: t.bytes('/', 'compatible', 0x1b, 0x5b, 0x32, 0x4a, 0), BOOTS + ['on a board without a name']),
    ('words without end',         lambda t: t.bytes('/chosen', 'stdout-path', *b'abc'), BOOTS),
    ('the same core twice',       twice_the_same_core, BOOTS),
    ('a core that is not',        lambda t: t.cells('/cpus/cpu@1', 'reg', 0x77), BOOTS + ['error: core 0x77 refused to start: PSCI -?[0-9]+']),
    ('cells of no sense',         lambda t: t.cells('/cpus', '#address-cells', 9), BOOTS),
    ('initrd outside of memory',  lambda t: t.initrd(0xf0000000, 0xf0001000), ['tells of an initrd outside of memory: 0xf0000000, 0x1000; ignored', 'vm demo']),
    ('a bus of no size',          lambda t: t.cells('/pcie@10000000', 'reg', 0x40, 0x10000000, 0, 0), BOOTS),
    ('total size too small',      lambda t: t.word(4, 0x100), ignored('a total size that cannot be')),
    ('total size too large',      lambda t: t.word(4, 0xffffffff), ignored('a total size that cannot be')),
    ('a broken structure',        lambda t: set_after(t, break_structure), ['Hospes: the loader gives no device tree that can be read']),
    ('no tree',                   lambda t: set_after(t, lambda data: bytes(len(data))), ['Hospes: the loader gives no device tree that can be read']),
]


def boots_or_says(lie, wanted):
    t = Tree()
    lie(t)
    text = t.boot(wanted)
    if lie is TREES[0][1] and re.search(CLEAN, text):
        raise Failed('something is ignored of a tree that does not lie')


ROWS = [(f'{host}, bad VMs beside a good one, {i + 1}', lambda host=host, rows=rows: one_line_each(host, rows))
        for host in ('hosted', 'x86_64', 'aarch64') for i, rows in enumerate((BAD[:HALF], BAD[HALF:]))]
ROWS += [(f'{host}, bundle: {name}', lambda host=host, change=change, wanted=wanted: broken_bundle(host, change, wanted))
         for host in ('x86_64', 'aarch64') for name, change, wanted in BUNDLES]
ROWS += [(f'aarch64, tree: {name}', lambda lie=lie, wanted=wanted: boots_or_says(lie, wanted)) for name, lie, wanted in TREES]

passed = failed = 0
try:
    rows = [row for row in ROWS if all(word in row[0] for word in sys.argv[2:])]
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get('JOBS', os.cpu_count()))) as pool:
        for (name, _), job in [(row, pool.submit(row[1])) for row in rows]:
            try:
                note = job.result()
                passed += 1
                print(f'ok   {name}' + (f': {note}' if note else ''), flush=True)
            except (Failed, subprocess.CalledProcessError) as why:
                failed += 1
                print(f'FAIL {name}: {why}', flush=True)
finally:
    shutil.rmtree(TMP, ignore_errors=True)
print(f'{passed} passed, {failed} failed')
sys.exit(failed != 0 or passed == 0)

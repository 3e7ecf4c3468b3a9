#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""machine.py BUILD [WORD...] - what the machine itself gives: screen, keyboard, clock, entropy, reset and power off, on
QEMU's machines and firmwares. The screen is read back exactly: every cell of a picture is looked up among the font's
glyphs. Only rows whose name has all WORDs (else those of SLOW only with FULL=1); KEEP=folder keeps the pictures. Ends in
`N passed, N failed`."""
import json, os, re, shutil, socket, subprocess, sys, tempfile, threading, time

BUILD = os.path.realpath(sys.argv[1])
TMP = tempfile.mkdtemp()
PATIENCE = 240                                            # seconds for anything: far more than it takes
WIDTH, HEIGHT = 8, 16


class Failed(Exception):
    pass


class Machine:
    """QEMU with its first serial port and its QMP on sockets."""

    def __init__(self, arguments, program='qemu-system-x86_64', serial=True):
        self.folder = tempfile.mkdtemp(dir=TMP)
        self.text = ''
        qmp, port = self.folder + '/qmp', self.folder + '/serial'
        command = [program, '-display', 'none', '-net', 'none', '-qmp', f'unix:{qmp},server=on,wait=off']
        command += ['-chardev', f'socket,id=s,path={port},server=on,wait=on', '-serial', 'chardev:s'] if serial else ['-serial', 'none']
        self.process = subprocess.Popen(command + arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if serial:
            self.serial = self.connect(port)
            threading.Thread(target=self.listen, daemon=True).start()
        self.qmp = self.connect(qmp).makefile('rw')
        self.qmp.readline()
        self.events = []
        self.ask('qmp_capabilities')

    def connect(self, path):
        s = socket.socket(socket.AF_UNIX)
        for _ in range(PATIENCE * 10):
            try:
                s.connect(path)
                return s
            except OSError:
                if self.process.poll() is not None:
                    raise Failed('QEMU: ' + self.process.stderr.read())
                time.sleep(0.1)
        raise Failed('QEMU does not come up')

    def listen(self):
        while data := self.serial.recv(4096):
            self.text += data.decode('utf-8', 'replace').replace('\r', '')

    def ask(self, command, **arguments):
        self.qmp.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if 'event' in answer:
                self.events.append(answer['event'])
            elif 'error' in answer:
                raise Failed(f'{command}: {answer["error"]["desc"]}')
            else:
                return answer['return']

    def wait(self, what, condition):
        for _ in range(PATIENCE * 10):
            if condition():
                return
            time.sleep(0.1)
        raise Failed(f'no {what}')

    def wait_text(self, pattern):
        self.wait(f'"{pattern}"', lambda: re.search(pattern, self.text, re.M))
        return re.search(pattern, self.text, re.M)

    def wait_off(self):
        """It has switched itself off; -no-shutdown keeps what it left."""
        self.wait('power off', lambda: self.ask('query-status')['status'] == 'shutdown')

    def type(self, text):
        self.serial.sendall(text.encode())

    def press(self, *keys):
        for key in keys:
            self.ask('send-key', keys=[{'type': 'qcode', 'data': k} for k in key.split('-')], **{'hold-time': 30})
            time.sleep(0.15)

    def picture(self):
        path = self.folder + '/screen.ppm'
        self.ask('screendump', filename=path)
        data = open(path, 'rb').read()
        magic, width, height, most, pixels = re.match(rb'(P6)\s+(\d+)\s+(\d+)\s+(\d+)\s(.*)', data, re.S).groups()
        return int(width), int(height), pixels

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def font():
    """Glyph to letter, of a PSF 1 font with a table of Unicode, read as its format says and not by our own tool."""
    data = open(BUILD + '/third_party/font/Uni2-Terminus16.psf', 'rb').read()
    assert data[:2] == b'\x36\x04' and data[2] & 2 and data[3] == HEIGHT
    count, letters = 512 if data[2] & 1 else 256, {}
    at = 4 + count * HEIGHT
    for glyph in range(count):
        lines, is_sequence = data[4 + glyph * HEIGHT:][:HEIGHT], False
        while (code := data[at] | data[at + 1] << 8) != 0xffff:
            is_sequence |= code == 0xfffe
            if not is_sequence and code < 0x80:
                letters[lines] = chr(code)
            at += 2
        at += 2
    return letters


def read_cells(picture):
    """The rows of text on a screen; each cell is one of the font's letters in two colours, or this fails."""
    width, height, pixels = picture
    letters, rows = font(), []
    for row in range(height // HEIGHT):
        text = ''
        for column in range(width // WIDTH):
            starts = [3 * ((row * HEIGHT + y) * width + column * WIDTH) for y in range(HEIGHT)]
            lines = [pixels[at:at + 3 * WIDTH] for at in starts]
            back = lines[0][:3]
            bits = bytes(sum((line[3 * x:3 * x + 3] != back) << 7 - x for x in range(WIDTH)) if line != back * WIDTH else 0 for line in lines)
            if bits not in letters:
                raise Failed(f'column {column}, row {row} of the screen shows no letter')
            text += letters[bits]
        rows.append(text.rstrip())
    return rows


def wrap(text, columns):
    """What a terminal of so many columns makes of text without control sequences."""
    rows = []
    for line in text.split('\n'):
        out = ''
        for c in line:
            if c == '\t':
                out += ' ' * (8 - len(out) % 8)
            elif c == '\b':
                out = out[:-1]
            else:
                out += c
        rows += [out[i:i + columns] for i in range(0, len(out), columns)] or ['']
    return [row.rstrip() for row in rows]


def from_hospes(text):
    """Firmware may have used the serial port before us."""
    return text[re.search(r'\[ +\d+\.\d+\] Hospes on', text).start():]


def same(rows, text, columns):
    want = wrap(text, columns)[-len(rows):]
    want += [''] * (len(rows) - len(want))
    for i, (got, wanted) in enumerate(zip(rows, want)):
        if got != wanted:
            raise Failed(f'row {i} of the screen is "{got}", the serial port said "{wanted}"')


def bundle(cmdline=''):
    path = tempfile.mktemp(dir=TMP)
    conf = path + '.conf'
    kernel = BUILD + '/guests/demo-riscv64/kernel'
    open(conf, 'w').write(f'[vm demo]\narch = riscv64\nmemory = 64M\nkernel = {kernel}\ndisk = ram:1M\n' + (f'cmdline = {cmdline}\n' if cmdline else ''))
    subprocess.run(['tools/mkbundle.sh', path, conf], check=True)
    return path


def fat(words, cmdline='', image='aarch64/hospes.img'):
    path = tempfile.mktemp(dir=TMP, suffix='.fat')
    modules = [bundle(cmdline)] if image.startswith('aarch64') else []
    subprocess.run(['tools/mkefi.sh', f'{BUILD}/{image}', path, words] + modules, check=True)
    return ['-device', 'virtio-scsi-pci', '-drive', f'if=none,id=boot,format=raw,readonly=on,file={path}', '-device', 'scsi-hd,drive=boot']


def iso(words, cmdline='', screen='', elf='x86_64/hospes.elf'):
    path = tempfile.mktemp(dir=TMP, suffix='.iso')
    modules = [bundle(cmdline)] if elf.startswith('x86') else []
    subprocess.run(['tools/mkiso.sh', f'{BUILD}/{elf}', path, words] + modules, check=True, env=dict(os.environ, GFXMODE=screen))
    return ['-cdrom', path, '-boot', 'd']


PC = ['-cpu', 'max', '-smp', '2', '-m', '512']
OVMF = ['-bios', '/usr/share/ovmf/OVMF.fd']
VIRT = ['-M', 'virt', '-smp', '2', '-m', '512']
AAVMF = ['-cpu', 'cortex-a57', '-bios', '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd']


def elf(words, cmdline=''):
    return ['-kernel', BUILD + '/x86_64/hospes.elf', '-initrd', bundle(cmdline), '-append', words]


def image(words, cmdline=''):
    return ['-kernel', BUILD + '/aarch64/hospes.img', '-initrd', bundle(cmdline), '-append', words]


def screen_shows_what_serial_says(name, *arguments, program='qemu-system-x86_64', consoles='ns16550+screen'):
    m = Machine(['-no-shutdown', *arguments], program)
    try:
        m.wait_text(r'^hospes: status 0$')
        m.wait_off()
        picture = m.picture()
        rows = read_cells(picture)
        same(rows, from_hospes(m.text), picture[0] // WIDTH)
        if not any('console ' + consoles in row for row in rows) and picture[1] > 500:
            raise Failed('the screen is not among the consoles')
        if os.environ.get('KEEP'):
            shutil.copy(m.folder + '/screen.ppm', f'{os.environ["KEEP"]}/{name.replace(" ", "-")}.ppm')
        return f'{picture[0]}x{picture[1]}, {len(rows)} rows, {sum(len(r) for r in rows)} letters'
    finally:
        m.close()


def text_screen_shows_what_serial_says(*arguments):
    m = Machine(['-no-shutdown', *arguments, *iso('exit', 'autotest', 'text')])
    try:
        m.wait_text(r'^hospes: status 0$')
        m.wait_off()
        m.ask('pmemsave', val=0xb8000, size=4000, filename=m.folder + '/text')
        cells = open(m.folder + '/text', 'rb').read()
        rows = [cells[160 * i:160 * (i + 1):2].decode('latin-1').rstrip() for i in range(25)]
        same(rows, from_hospes(m.text), 80)
    finally:
        m.close()


def panic_reaches_the_screen(*arguments, program='qemu-system-x86_64'):
    m = Machine(['-no-shutdown', *arguments], program)
    try:
        m.wait_text(r'^\*\*\* halted$')
        m.wait_off()
        picture = m.picture()
        rows = read_cells(picture)
        text = m.text[m.text.index('*** hospes panic'):]
        at = rows.index(text.split('\n')[0])
        same(rows[at:], text, picture[0] // WIDTH)
    finally:
        m.close()


def screen_and_keyboard_without_a_serial_port(*arguments):
    m = Machine([*arguments, *iso('')], serial=False)
    try:
        def screen(pattern):
            def look():
                try:
                    return any(re.search(pattern, row) for row in read_cells(m.picture()))
                except Failed:                            # a mode of the firmware's, or a letter half drawn
                    return False
            m.wait(f'"{pattern}" on the screen', look)
        screen('^demo> $|^demo>$')
        m.press(*'echo', 'spc', *'keys', 'shift-1', 'spc', 'x', 'backspace', 'shift-o', 'k', 'ret')
        screen('^keys! Ok$')
        m.press('up', 'ret')
        screen('^demo> echo keys! Ok$')
        if any('ns16550' in row for row in read_cells(m.picture())):
            raise Failed('a serial port was found that is not there')
        m.press('ctrl-bracket_right', 'q')                # the escape key, and the machine goes off
        m.wait('power off', lambda: m.process.poll() is not None)
    finally:
        m.close()


def keyboard_beside_the_serial_port(*arguments):
    m = Machine([*arguments, *elf('')])
    try:
        m.wait_text(r'^demo> ')
        m.press(*'echo', 'spc', 'caps_lock', 'a', 'caps_lock', 'b', 'ret')
        m.wait_text(r'^Ab$')
        m.type('echo cd\r')
        m.wait_text(r'^cd$')
    finally:
        m.close()


def guest_sees_the_hosts_clock(program, *arguments):
    for stamp, date in (('2031-02-03T04:05:06', '2031-02-03 04:0[5-9]'), ('1999-12-31T23:59:30', '(1999-12-31 23:59|2000-01-01 00:0[0-4])')):
        m = Machine(['-rtc', 'base=' + stamp, *arguments], program)
        try:
            m.wait_text(r'^demo> ')
            m.type('time\r')
            m.wait_text(rf'^ +date +{date}')
        finally:
            m.close()


def entropy(program, name, *arguments):
    """The log names the source, and no two boots give a guest the same bytes."""
    seen = set()
    for _ in range(2):
        m = Machine([*arguments], program)
        try:
            m.wait_text(r'^demo> ')
            said = m.wait_text(r'entropy: (.*)').group(1)
            if said != name:
                raise Failed(f'entropy is "{said}", want "{name}"')
            m.type('random\r')
            seen.add(m.wait_text(r'^00000000  ([0-9a-f ]+)').group(1))
        finally:
            m.close()
    if len(seen) != 2:
        raise Failed('two boots gave the same bytes')


def resets(program, *arguments):
    """Twice the same words: it has really started again."""
    m = Machine([*arguments], program)
    try:
        m.wait('second start', lambda: m.text.count('selftest: 0 failed') >= 2)
        m.wait('reset told by QEMU', lambda: m.ask('query-status') and 'RESET' in m.events)
    finally:
        m.close()


def powers_off(program, *arguments):
    m = Machine([*arguments], program)
    try:
        m.wait_text('selftest: 0 failed')
        m.wait('end of QEMU', lambda: m.process.poll() is not None)
        if m.process.returncode:
            raise Failed(f'QEMU ends with {m.process.returncode}')
    finally:
        m.close()


X86, ARM = 'qemu-system-x86_64', 'qemu-system-aarch64'
SELF = ['-kernel', BUILD + '/test/x86_64/selftest.elf', '-cpu', 'max', '-m', '256']
SELF_ARM = ['-kernel', BUILD + '/test/aarch64/selftest.img', '-m', '256']
RNG = ['-object', 'rng-random,id=r,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=r']
ROWS = [
    ('screen, BIOS, 32 bits a pixel', lambda n: screen_shows_what_serial_says(n, '-M', 'q35', *PC, *iso('exit', 'autotest'))),
    ('screen, UEFI', lambda n: screen_shows_what_serial_says(n, '-M', 'q35', *PC, *OVMF, *iso('exit', 'autotest'))),
    ('screen, BIOS, 24 bits a pixel', lambda n: screen_shows_what_serial_says(n, '-M', 'pc', *PC, *iso('exit', 'autotest', '1280x1024x24'))),
    ('screen, BIOS, 16 bits a pixel', lambda n: screen_shows_what_serial_says(n, '-M', 'pc', *PC, *iso('exit', 'autotest', '800x600x16'))),
    ('screen, BIOS, VGA text', lambda n: text_screen_shows_what_serial_says('-M', 'pc', *PC)),
    ('screen, a panic', lambda n: panic_reaches_the_screen('-M', 'q35', *PC, *iso('fault=panic', elf='test/x86_64/selftest.elf'))),
    *((f'screen, UEFI, aarch64, {tables}', lambda n, acpi=acpi: screen_shows_what_serial_says(n, *VIRT, '-M', acpi, *AAVMF, '-device', 'ramfb',
        *fat('exit', 'autotest'), program=ARM, consoles='pl011+screen')) for tables, acpi in (('ACPI', 'acpi=on'), ('device tree', 'acpi=off'))),
    ('screen, a panic, UEFI, aarch64', lambda n: panic_reaches_the_screen(*VIRT, *AAVMF, '-device', 'ramfb',
        *fat('fault=panic', image='test/aarch64/selftest.img'), program=ARM)),
    ('screen and keyboard alone, BIOS', lambda n: screen_and_keyboard_without_a_serial_port('-M', 'q35', *PC)),
    ('screen and keyboard alone, UEFI', lambda n: screen_and_keyboard_without_a_serial_port('-M', 'q35', *PC, *OVMF)),
    ('keyboard beside the serial port', lambda n: keyboard_beside_the_serial_port('-M', 'pc', *PC)),
    ('clock, x86_64', lambda n: guest_sees_the_hosts_clock(X86, '-M', 'q35', *PC, *elf(''))),
    ('clock, aarch64', lambda n: guest_sees_the_hosts_clock(ARM, *VIRT, '-cpu', 'cortex-a57', *image(''))),
    *((f'clock, UEFI, aarch64, {tables}', lambda n, acpi=acpi: guest_sees_the_hosts_clock(ARM, *VIRT, '-M', acpi, *AAVMF, *fat('')))
      for tables, acpi in (('ACPI', 'acpi=on'), ('device tree', 'acpi=off'))),
    ('entropy, x86_64, RDRAND', lambda n: entropy(X86, 'RDRAND', '-M', 'q35', '-cpu', 'qemu64,+rdrand', '-m', '256', *elf(''))),
    ('entropy, x86_64, virtio-rng by PCI', lambda n: entropy(X86, 'virtio-rng', '-M', 'q35', '-cpu', 'qemu64', '-m', '256', *RNG, *elf(''))),
    ('entropy, x86_64, virtio-rng by MMIO', lambda n: entropy(X86, 'virtio-rng', '-M', 'microvm', '-global', 'virtio-mmio.force-legacy=false', '-cpu',
        'qemu64', '-m', '256', '-object', 'rng-builtin,id=r', '-device', 'virtio-rng-device,rng=r', *elf(''))),
    ('entropy, x86_64, jitter', lambda n: entropy(X86, 'timing jitter', '-M', 'q35', '-cpu', 'qemu64', '-m', '256', *elf(''))),
    ('entropy, aarch64, RNDR and seed', lambda n: entropy(ARM, "RNDR, the loader's seed", *VIRT, '-cpu', 'max', *image(''))),
    ('entropy, aarch64, seed', lambda n: entropy(ARM, "the loader's seed", *VIRT, '-cpu', 'cortex-a57', *image(''))),
    ('entropy, aarch64, jitter', lambda n: entropy(ARM, 'timing jitter', '-M', 'virt,dtb-randomness=off', '-smp', '2', '-m', '512', '-cpu', 'cortex-a57', *image(''))),
    ('entropy, UEFI, aarch64, by protocol', lambda n: entropy(ARM, 'virtio-rng, UEFI', *VIRT, *AAVMF, *RNG, *fat(''))),
    *((f'reset, {kind}', lambda n, kind=kind: resets(X86, '-M', kind, *SELF, '-append', 'reboot')) for kind in ('q35', 'pc', 'microvm')),
    ('reset, UEFI', lambda n: resets(X86, '-M', 'q35', '-cpu', 'max', '-m', '512', *OVMF, *iso('reboot', elf='test/x86_64/selftest.elf'))),
    ('reset, aarch64', lambda n: resets(ARM, '-M', 'virt', '-cpu', 'cortex-a57', *SELF_ARM, '-append', 'reboot')),
    ('reset, UEFI, aarch64', lambda n: resets(ARM, *VIRT, *AAVMF, *fat('reboot', image='test/aarch64/selftest.img'))),
    ('power off, UEFI', lambda n: powers_off(X86, '-M', 'q35', '-cpu', 'max', '-m', '512', *OVMF, *iso('', elf='test/x86_64/selftest.elf'))),
    ('power off, UEFI, aarch64', lambda n: powers_off(ARM, *VIRT, *AAVMF, *fat('', image='test/aarch64/selftest.img'))),
    ('power off, aarch64', lambda n: powers_off(ARM, '-M', 'virt', '-cpu', 'cortex-a57', *SELF_ARM)),
]

# What other rows nearly show.
SLOW = ('screen, BIOS, 24 bits a pixel', 'screen, BIOS, 16 bits a pixel', 'screen and keyboard alone, UEFI', 'entropy, x86_64, RDRAND',
        'screen, UEFI, aarch64, device tree', 'clock, UEFI, aarch64, device tree', 'entropy, x86_64, virtio-rng by MMIO', 'entropy, aarch64, RNDR and seed', 'entropy, aarch64, jitter', 'reset, microvm', 'reset, pc', 'reset, UEFI')
assert set(SLOW) <= {row for row, _ in ROWS}

passed = failed = 0
try:
    for row, run in ROWS:
        if not all(word in row for word in sys.argv[2:]):
            continue
        if row in SLOW and not sys.argv[2:] and not os.environ.get('FULL'):
            continue
        begin = time.time()
        try:
            note = run(row)
            passed += 1
            print(f'ok   {row}' + (f': {note}' if note else '') + f' ({time.time() - begin:.0f} s)', flush=True)
        except (Failed, subprocess.CalledProcessError) as why:
            failed += 1
            print(f'FAIL {row}: {why}', flush=True)
finally:
    shutil.rmtree(TMP, ignore_errors=True)
print(f'{passed} passed, {failed} failed')
sys.exit(failed != 0 or passed == 0)

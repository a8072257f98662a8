"""A file system of one directory, whose files and faults come by stdin.

mount.py DIRECTORY; each order is answered with 'ok':

  put NAME BASE64   writes a file
  next NAME BASE64  when the file has been read, it becomes this; to its
                    stamps both writes are one: the moment it was looked at
  fail STEP ERROR   from now on, these requests fail, with EACCES or so; as
                    after chmod, the files have new stamps
  hang STEP...      from now on, these requests are not answered, but each is
                    told with 'asked STEP'

STEP is lookup, getattr, open, read, or later: a read behind the start; or of
a program that writes there, create, write, or sync. STEP:NAME is that step of
the file of that name alone.
  go                answers those, and all that come; nothing fails any more

The end of stdin is the end of it all: who waits for an answer gets ENOTCONN.
"""
import base64, ctypes, errno, itertools, os, select, stat, struct, sys, time

LOOKUP, GETATTR, OPEN, READ, RELEASE, INIT = 1, 3, 14, 15, 18, 26
SETATTR, UNLINK, RENAME, WRITE, SYNC, CREATE = 4, 10, 12, 16, 20, 35
OPEN_FOLDER, RELEASE_FOLDER, SYNC_FOLDER = 27, 29, 30
FORGET, INTERRUPT, FORGET_MANY = 2, 36, 42
NAMES = {LOOKUP: 'lookup', GETATTR: 'getattr', OPEN: 'open', READ: 'read',
         CREATE: 'create', WRITE: 'write', SYNC: 'sync', SYNC_FOLDER: 'sync'}
UNCACHED = 1  # FOPEN_DIRECT_IO: every read comes here
PARALLEL = 1 << 18  # FUSE_PARALLEL_DIROPS: look-ups do not wait for each other
TICK = 4_000_000  # what a kernel's clock for files may do at worst


class File:
    def __init__(self, name, contents):
        self.name = name
        self.write(contents)
        self.mode = stat.S_IFREG | 0o644
        self.links = 1
        self.node = len(nodes)
        nodes.append(self)
        self.next = None
        self.readers = set()  # handles by which it was read since next was set

    def write(self, contents):
        self.contents = contents
        self.stamp()

    def stamp(self):
        now = time.time_ns()
        self.time = now - now % TICK


files, nodes = {}, [None, None]  # by name, and by node: 1 is the directory
faults, hung, waiting = {}, set(), []
handles = itertools.count(1)


def attributes(node):
    file = nodes[node]
    mode = file.mode if file else stat.S_IFDIR | 0o755
    size = len(file.contents) if file else 0
    seconds, nanos = divmod(file.time if file else 0, 1_000_000_000)
    times = [seconds] * 3 + [nanos] * 3
    return struct.pack('<6Q10I', node, size, 1, *times[:3], *times[3:],
                       mode, file.links if file else 1, 0, 0, 0, 4096, 0)


def entry(node):
    # Kept for no time at all: everybody who looks asks us.
    return struct.pack('<4Q2I', node, 0, 0, 0, 0, 0) + attributes(node)


def opened():
    return struct.pack('<Q2I', next(handles), UNCACHED, 0)


def text(body):
    return [name.decode() for name in body.rstrip(b'\0').split(b'\0')]


def remove(name):
    if name in files:
        files.pop(name).links = 0


def name_of(step, body):
    behind = step == READ and struct.unpack_from('<Q', body, 8) > (0,)
    return 'later' if behind else NAMES.get(step)


def set_attributes(file, body):
    which, _, _, size = struct.unpack_from('<2I2Q', body)
    mode, = struct.unpack_from('<I', body, 68)
    if which & 1:
        file.mode = mode
    if which & 8:
        file.write(file.contents[:size].ljust(size, b'\0'))
    return struct.pack('<Q2I', 0, 0, 0) + attributes(file.node)


def create(_, body):
    [name] = text(body[16:])
    remove(name)
    files[name] = File(name, b'')
    files[name].mode, = struct.unpack_from('<I', body, 4)
    return entry(files[name].node) + opened()


def write(file, body):
    _, offset, size = struct.unpack_from('<2QI', body)
    before = file.contents[:offset].ljust(offset, b'\0')
    file.write(before + body[40:40 + size] + file.contents[offset + size:])
    return struct.pack('<2I', size, 0)


def unlink(_, body):
    remove(*text(body))
    return b''


def rename(_, body):
    old, new = text(body[8:])
    remove(new)
    files[new] = files.pop(old)
    files[new].name = new
    return b''


def nothing(*_):
    return b''


WRITERS = {SETATTR: set_attributes, CREATE: create, WRITE: write, UNLINK: unlink,
           RENAME: rename, SYNC: nothing, SYNC_FOLDER: nothing, RELEASE_FOLDER: nothing}


def answer(step, node, body):
    """The body of the answer; an error is an OSError."""
    if name_of(step, body) in faults:
        raise OSError(faults[name_of(step, body)], 'as ordered')
    file = nodes[node]
    if step == INIT:
        return struct.pack('<4I2H2I2H8I', 7, 31, 65536, PARALLEL, 16, 12, 65536, 1, 0, 0, *[0] * 8)
    if step == LOOKUP:
        [name] = text(body)
        if name not in files:
            raise OSError(errno.ENOENT, name)
        if files[name].next is not None:
            files[name].stamp()
        return entry(files[name].node)
    if step == GETATTR:
        return struct.pack('<Q2I', 0, 0, 0) + attributes(node)
    if step in (OPEN, OPEN_FOLDER):
        return opened()
    if step in WRITERS:
        return WRITERS[step](file, body)
    if step == READ:
        handle, offset, size = struct.unpack_from('<2QI', body)
        if file.next is not None:
            file.readers.add(handle)
        return file.contents[offset:offset + size]
    if step == RELEASE:
        # It may be late, and of somebody who read what was there before.
        if struct.unpack_from('<Q', body)[0] in file.readers:
            file.contents, file.next = file.next, None
            file.readers.clear()
        return b''
    raise OSError(errno.ENOSYS, 'not here')


def serve(request):
    _, step, unique, node = struct.unpack_from('<2I2Q', request)
    if step in (FORGET, INTERRUPT, FORGET_MANY):
        return
    body = request[40:]
    asked, file = name_of(step, body), nodes[node]
    if asked in hung or file and f'{asked}:{file.name}' in hung:
        waiting.append(request)
        print('asked', asked, flush=True)
        return
    try:
        error, body = 0, answer(step, node, body)
    except OSError as fault:
        error, body = -fault.errno, b''
    os.write(fuse, struct.pack('<IiQ', 16 + len(body), error, unique) + body)


def obey(order, *words):
    if order == 'put':
        name, contents = words[0], base64.b64decode(words[1])
        if name in files:
            files[name].write(contents)
        else:
            files[name] = File(name, contents)
    elif order == 'next':
        files[words[0]].next = base64.b64decode(words[1])
    elif order == 'fail':
        faults[words[0]] = getattr(errno, words[1])
        for file in files.values():
            file.stamp()
    elif order == 'hang':
        hung.update(words)
    elif order == 'go':
        hung.clear()
        faults.clear()
        while waiting:
            serve(waiting.pop(0))
    print('ok', flush=True)


def mount(where):
    os.makedirs(where, exist_ok=True)
    options = f'fd={fuse},rootmode=40755,user_id=0,group_id=0,allow_other'
    if libc.mount(b'lists', where.encode(), b'fuse', 0, options.encode()):
        raise OSError(ctypes.get_errno(), 'mount')


libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open('/dev/fuse', os.O_RDWR)
mount(sys.argv[1])
print('ok', flush=True)
poll = select.poll()
poll.register(0, select.POLLIN)
poll.register(fuse, select.POLLIN)
orders = b''
while True:
    for ready, _ in poll.poll():
        if ready == fuse:
            serve(os.read(fuse, 1 << 20))
            continue
        more = os.read(0, 65536)
        if not more:
            libc.umount2(sys.argv[1].encode(), 2)  # MNT_DETACH
            sys.exit()
        *lines, orders = (orders + more).split(b'\n')
        for line in lines:
            obey(*line.decode().split())

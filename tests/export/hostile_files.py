"""Damaged and forged model files, and a process that reads them within bounds.

``python hostile_files.py model.npz 10000 0`` reads so many mutations of a file, and prints
what came of them as JSON.
"""

import io
import json
import os
import pickle
import random
import re
import resource
import struct
import sys
import time
import warnings
import zipfile
import zlib
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skbn.export import load_model, predictor
from skbn.export.predictor import CHECKSUM_BYTES, HEADER, checksum

N_BYTES, N_SECONDS = 200 * 2**20, 2.0


class Evil:
    """Pickled, it would write a file when it is loaded."""

    def __reduce__(self):
        return Path.touch, (Path("evil"),)


def entries_of(data):
    """Names and contents of the entries of a file."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return [(name, file.read(name)) for name in file.namelist()]


def assembled(entries, how=zipfile.ZIP_STORED):
    """A file of entries, with the right checksum."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", how) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, data in entries:
            archive.writestr(name, data)
        archive.comment = bytes(CHECKSUM_BYTES)
    data = file.getvalue()
    return data[:-CHECKSUM_BYTES] + checksum(data)


def with_header(data, change):
    """The file with another header and the right checksums."""
    (_, raw), *arrays = entries_of(data)
    header = json.loads(raw)
    header = change(header) or header
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return assembled([(HEADER, raw), *arrays])


def with_array(data, name, change):
    """The file with another array, and the right checksums."""
    entries = entries_of(data)
    return assembled([(n, change(c) if n == f"{name}.npy" else c) for n, c in entries])


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


# Mutations at random: of bytes.


def flipped(data, draw):
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 8])):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(data, draw):
    return data[: draw.randrange(len(data))]


def lengthened(data, draw):
    return data + draw.randbytes(draw.choice([1, 22, 1000]))


def spliced(data, draw):
    start, length = draw.randrange(len(data)), draw.choice([1, 4, 100])
    return data[:start] + draw.randbytes(draw.choice([0, length, 5])) + data[start + length :]


def of_forged_sizes(data, draw):
    """A number of the ZIP file's own is another one."""
    starts = [m.start() for m in re.finditer(b"PK(\1\2|\3\4|\5\6)", data)]
    start = draw.choice(starts) + draw.randrange(4, 40, 2)
    code, value = draw.choice([("<L", 2**32 - 1), ("<L", draw.randrange(2**32)), ("<H", 65535)])
    changed = bytearray(data)
    struct.pack_into(code, changed, min(start, len(data) - 4), value)
    return bytes(changed)


# Mutations at random: of the header, with the right checksums.

STRANGE = [
    *(None, True, -1, 0, 2**31, 2**64, 10**400, 1e308, -0.5, "", "evil", "../evil", [], {}, [[]]),
    *({"tuple": 1}, {"dict": [[[], 1]]}, {"float": "1"}, {"evil": 0}, {"array": {}}, [None] * 9),
    {"array": {"dtype": "|O", "shape": [1], "values": [{"evil": 1}]}},
    {"array": {"dtype": "<U99999999", "shape": [2], "values": ["a", "b"]}},
    {"array": {"dtype": "<f8", "shape": [10**12], "values": [1.0]}},
    {"array": {"dtype": "(9999999,)f8", "shape": [1], "values": [1.0]}},
    {"scalar": {"dtype": "<M8[evil]", "shape": [], "values": [1]}},
    {"RandomState": {"key": [1], "pos": 0, "has_gauss": 0, "gauss": 0.0}},
]


def places(value, path=()):
    """All places in a header."""
    yield path
    parts = enumerate(value) if isinstance(value, list) else ()
    for key, part in value.items() if isinstance(value, dict) else parts:
        yield from places(part, (*path, key))


def of_forged_header(data, draw):
    def change(header):
        path = draw.choice([path for path in places(header) if path])
        where = header
        for key in path[:-1]:
            where = where[key]
        way = draw.randrange(4)
        if way == 0:
            del where[path[-1]]
        elif way == 1 and isinstance(where, dict):
            where[draw.choice(["evil", "../evil", "", "__class__"])] = where.pop(path[-1])
        elif way == 2 and isinstance(where, list):
            where.append(where[path[-1]])
        else:
            where[path[-1]] = draw.choice(STRANGE)

    return with_header(data, change)


def of_forged_array(data, draw):
    """An array of another dtype, shape or content."""
    entries = entries_of(data)
    number = draw.randrange(1, len(entries))
    name, content = entries[number]
    array = np.load(io.BytesIO(content))
    first = array.ravel()[:1]
    others = [
        npy(array.astype(object), allow_pickle=True),
        npy(array.astype(draw.choice(["f2", "i8", "c16", ">f4", "U5"]))),
        npy(array[None]),
        npy(np.concatenate([array, array])),
        npy(np.asfortranarray(np.broadcast_to(first, (3, 4, 5)))),
        content[:-1],
        content + b"\0",
        content[:128] + b"",
        b"",
        pickle.dumps(Evil()),
        content.replace(b"'shape': (", b"'shape': (9", 1),
        content.replace(b"\x93NUMPY\1", b"\x93NUMPY\3", 1),
    ]
    entries[number] = name, draw.choice(others)
    return assembled(entries)


def of_forged_entries(data, draw):
    """Entries that are more, fewer, others or in another order."""
    entries = entries_of(data)
    number = draw.randrange(1, len(entries))
    name, content = entries[number]
    way = draw.randrange(5)
    if way == 0:
        del entries[number]
    elif way == 1:
        entries.insert(number, (draw.choice([name, "evil.npy", "../evil", "/etc/evil"]), content))
    elif way == 2:
        entries[number] = draw.choice(["../../evil.npy", "C:evil", "evil/", name.upper()]), content
    elif way == 3:
        entries.append(entries.pop(number - 1) if number > 1 else (name, content))
    else:
        entries.append(("evil.pkl", pickle.dumps(Evil())))
    return assembled(entries)


def zipped_otherwise(data, draw):
    """The same contents by another writer of ZIP files, which may have compressed them."""
    file = io.BytesIO()
    how = draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", how) as new:
        for name in old.namelist():
            with new.open(name, "w", force_zip64=draw.random() < 0.3) as entry:
                entry.write(old.read(name))
        new.comment = draw.choice([b"", b"evil"])
    return file.getvalue()


def compressed(data, draw):
    """The same contents compressed, with the right checksum."""
    return assembled(entries_of(data), draw.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))


def of_forged_sizes_with_checksum(data, draw):
    changed = of_forged_sizes(data, draw)
    return changed[:-CHECKSUM_BYTES] + checksum(changed)


MUTATIONS = {
    flipped: 10,
    cut: 3,
    lengthened: 1,
    spliced: 3,
    of_forged_sizes: 4,
    of_forged_header: 6,
    of_forged_array: 4,
    of_forged_entries: 3,
    zipped_otherwise: 1,
    compressed: 1,
    of_forged_sizes_with_checksum: 4,
}


def mutations(data, n_files, seed):
    """Mutations of a file: the name of what was done, and the bytes."""
    draw = random.Random(seed)
    for mutation in draw.choices(list(MUTATIONS), list(MUTATIONS.values()), k=n_files):
        changed = mutation(data, draw)
        if changed != data:
            yield mutation.__name__, changed


# Files that ask for much memory or time.


def bomb(data):
    """Ten gigabytes of zeros, compressed to ten megabytes."""
    block, n_blocks = bytes(2**20), 10 * 2**10
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    part = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    packed = part * n_blocks + zlib.compressobj(1, zlib.DEFLATED, -15).flush()
    size, name = len(block) * n_blocks, b"weights_0.npy"
    zip64 = struct.pack("<HHQQ", 1, 16, size, len(packed))
    fields = 45, 0, 8, 0, 33, 0, 2**32 - 1, 2**32 - 1, len(name), len(zip64)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + name + zip64 + packed
    central = struct.pack("<4sH5H3L2H", b"PK\1\2", 45, *fields) + bytes(12) + name + zip64
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def of_bomb_as_entry(data):
    """A bomb in the place of an array of the right size."""
    entries = entries_of(data)
    packed = zlib.compress(bytes(10**8), 9)
    return assembled([*entries[:1], (entries[1][0], packed), *entries[2:]])


def with_text(text):
    return lambda data: with_header(data, lambda header: text)


def of_many_layers(data):
    return with_header(data, lambda h: h["architecture"].update(hidden_layer_sizes=[1] * 2_000_000))


def of_wide_layers(data):
    return with_header(data, lambda h: h["architecture"].update(hidden_layer_sizes=[2**31, 2**31]))


def of_many_networks(data):
    return with_header(data, lambda h: h.update(networks=h["networks"] * 5000))


def of_wide_text(data):
    """Arrays of 32 MB, each in 60 bytes."""
    array = {"array": {"dtype": "<U8000000", "shape": [1], "values": ["a"]}}
    return with_header(data, lambda h: h["parameters"].update(random_state=[array] * 100))


def of_long_shape(data):
    return with_header(data, lambda h: h["classes"].update(shape=[10**4000] * 600))


def of_many_names(data):
    names = {f"{number:x}": 1 for number in range(800_000)}
    return with_header(data, lambda h: h["parameters"].update(names))


def of_large_header(data):
    """A header that has four gigabytes by its own account."""
    return data[:18] + struct.pack("<LL", 2**32 - 1, 2**32 - 1) + data[26:]


GREEDY = {
    "a bomb": bomb,
    "a bomb as an entry": of_bomb_as_entry,
    "deep lists": with_text(b"[" * 190_000),
    "deep objects": with_text(b'{"a":' * 190_000),
    "deeper lists": with_text(b"[" * 8_000_000),
    "many lists": with_text(b"[" + b"[]," * 2_700_000 + b"[]]"),
    "many objects": with_text(b"[" + b"{}," * 2_700_000 + b"{}]"),
    "many words": with_text(b"[" + b'"ab",' * 1_600_000 + b'"ab"]'),
    "many numbers": with_text(b"[" + b"0.5," * 2_000_000 + b"0.5]"),
    "a long number": with_text(b"1" * 8_000_000),
    "a long fraction": with_text(b"0." + b"1" * 8_000_000),
    "a long text": with_text(b'"' + b"\\u1234" * 1_300_000 + b'"'),
    "no end": with_text(b'"' + b"a" * 8_000_000),
    "many layers": of_many_layers,
    "wide layers": of_wide_layers,
    "many networks": of_many_networks,
    "a large header": of_large_header,
    "wide text": of_wide_text,
    "a long shape": of_long_shape,
    "many names": of_many_names,
}


# Reading within bounds.

FORBIDDEN = re.compile(
    r"exec|compile|import|pickle\.|marshal\.|subprocess\.|os\.(?!scandir)|ctypes\.|socket\.|shutil\."
)


class Watch:
    """Notes what a reader must not do: run code, write, import."""

    def __init__(self):
        self.is_on, self.noted = False, []
        sys.addaudithook(self.note)

    def note(self, event, arguments):
        if self.is_on:
            writes = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
            if writes or FORBIDDEN.match(event):
                self.noted.append(f"{event} {arguments}"[:200])


@contextmanager
def memory_limit():
    """Let the process have so many bytes more than it has."""
    free = resource.getrlimit(resource.RLIMIT_AS)[0]
    n_pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (n_pages * resource.getpagesize() + N_BYTES, free))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (free, free))


def outcome(read, path, watch):
    """What came of reading a file: an error, or that it was read."""
    started = time.perf_counter()
    with memory_limit():
        watch.is_on = True
        try:
            read(path)
            found = "read"
        except ValueError as error:
            found = "ValueError" if str(error).startswith(f"{path} ") else f"unclear: {error}"
        except BaseException as error:
            found = f"{type(error).__name__}: {error}"
        watch.is_on = False
    return found, time.perf_counter() - started


def written(path, data, n_files, seed):
    """Write greedy files one after the other, then mutations at random, and name what they are."""
    for kind, change in GREEDY.items():
        path.write_bytes(change(data))
        yield kind
    with path.open("wb") as sparse:
        sparse.write(data)
        sparse.truncate(10 * 2**30)
    yield "ten gigabytes"
    for kind, changed in mutations(data, n_files, seed):
        path.write_bytes(changed)
        yield kind


def main(path, n_files, seed):
    """Read mutations of a file, and print what came of them."""
    data, target = Path(path).read_bytes(), Path(path).with_name("mutated.npz")
    readers = {"load_model": load_model, "predictor": predictor.load}
    for read in readers.values():
        read(path)  # imports what it needs
    counts, watch, slowest = Counter(), Watch(), 0.0
    for kind in written(target, data, int(n_files), int(seed)):
        for name, read in readers.items():
            found, seconds = outcome(read, target, watch)
            counts[f"{kind}, {name}: {found}"] += 1
            slowest = max(slowest, seconds)
    target.unlink()
    files = sorted(each.name for each in Path(path).parent.iterdir())
    result = {"counts": counts, "slowest": slowest, "noted": watch.noted, "files": files}
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])

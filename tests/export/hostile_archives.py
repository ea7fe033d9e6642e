"""Archives of skops that were changed, and a watch over what loading them does."""

import io
import json
import sys
import zipfile
from contextlib import contextmanager
from copy import deepcopy
from types import CodeType

LOADERS = (
    *("ObjectNode", "ConstructorFromReduceNode", "TypeNode", "FunctionNode", "MethodNode"),
    *("PartialNode", "OperatorFuncNode", "DictNode", "DefaultDictNode", "ListNode", "TupleNode"),
    *("SetNode", "JsonNode", "NdArrayNode", "MaskedArrayNode", "DTypeNode", "SliceNode"),
    *("BytesNode", "RandomStateNode", "RandomGeneratorNode", "SparseMatrixNode", "TreeNode"),
    *("LossNode", "CachedNode", "NoSuchNode"),
)
NAMES = (
    *("os.system", "builtins.eval", "builtins.exec", "builtins.open", "builtins.__import__"),
    *("builtins.getattr", "builtins.print", "builtins.map", "subprocess.Popen", "pickle.loads"),
    *("importlib.import_module", "functools.partial", "operator.methodcaller", "numpy.load"),
    *("operator.attrgetter", "numpy.add", "numpy.float64", "numpy.ndarray", "numpy.memmap"),
    *("scipy.stats._distn_infrastructure.rv_continuous_frozen", "joblib.memory.Memory"),
    *("scipy.stats._continuous_distns.reciprocal_gen", "pathlib.PosixPath", "builtins.dict"),
    *("scipy.stats._continuous_distns.loguniform_gen", "sklearn.pipeline.Pipeline"),
    *("sklearn.preprocessing._function_transformer.FunctionTransformer", "types.FunctionType"),
    *("skbn.search.adapters.Frozen", "skbn.search.journal.Journal", "skbn.saved_state.from_plain"),
)
FORBIDDEN = (
    *("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "sqlite3.", "marshal.", "pickle."),
    *("exec", "import", "tempfile.", "urllib.", "ftplib.", "smtplib.", "pty.", "code."),
    *("function.__new__", "mmap.", "signal.", "webbrowser."),
)
HARMLESS = ("os.listdir", "os.scandir", "os.putenv")
WRITING = 0o3  # os.O_WRONLY | os.O_RDWR


class Watch:
    """Notes what the interpreter's audit events tell of code that runs and files that open."""

    def __init__(self):
        self.events, self.known, self.is_on = [], set(), False
        sys.addaudithook(self._hear)

    def _hear(self, event, args):
        if self.is_on and self._is_forbidden(event, args):
            self.events.append((event, _text(args)))

    def _is_forbidden(self, event, args):
        if event == "open":
            _, mode, flags = args
            return any(c in (mode or "") for c in "wax+") or bool(flags & WRITING)
        return event.startswith(FORBIDDEN) and event not in HARMLESS

    @contextmanager
    def __call__(self):
        self.events, self.is_on = [], True
        try:
            yield
        finally:
            self.is_on = False

    def learn(self):
        """Take what happened for harmless from now on."""
        self.known |= set(self.events)

    @property
    def surprises(self):
        """What happened that was not known to be harmless."""
        return [event for event in self.events if event not in self.known]


def _text(args):
    # Code is equal where what it does is.
    return tuple(arg if isinstance(arg, CodeType) else repr(arg) for arg in args)


class Archive:
    """The members of a file of skops, and its tree of nodes."""

    def __init__(self, data):
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            self.members = {name: file.read(name) for name in file.namelist()}
        self.text = self.members.pop("schema.json")
        self.schema = json.loads(self.text)

    def copy(self):
        """A copy, as it was read, to change."""
        other = Archive.__new__(Archive)
        other.members, other.schema = dict(self.members), json.loads(self.text)
        return other

    def nodes(self):
        """All nodes, each with its parent and the key by which that holds it."""
        found, todo = [], [(None, None, self.schema)]
        while todo:
            parent, key, value = todo.pop()
            if isinstance(value, dict):
                if "__loader__" in value:
                    found.append((parent, key, value))
                todo += [(value, key, part) for key, part in value.items()]
            elif isinstance(value, list):
                todo += [(value, key, part) for key, part in enumerate(value)]
        return found

    def data(self):
        """The file."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            for name, content in self.members.items():
                file.writestr(name, content)
            file.writestr("schema.json", json.dumps(self.schema))
        return buffer.getvalue()


def node(name, loader, **parts):
    """A node of a type."""
    module, _, own = name.rpartition(".")
    return {"__class__": own, "__module__": module, "__loader__": loader, **parts}


def text(value):
    """A node of a value of JSON."""
    return node("builtins.str", "JsonNode", content=json.dumps(value), is_json=True)


def several(*nodes, kind="tuple"):
    """A node of a tuple, a list or a set."""
    return node(f"builtins.{kind}", f"{kind.title()}Node", content=list(nodes))


def mapping(**nodes):
    """A node of a dict by text."""
    keys = several(*[node("builtins.str", "TypeNode") for _ in nodes], kind="list")
    return node("builtins.dict", "DictNode", content=nodes, key_types=keys)


def mutated(archive, pool, names, rng):
    """An archive with some changes, or its data where these are of bytes."""
    archive = archive.copy()
    for _ in range(rng.integers(1, 4)):
        nodes = archive.nodes()
        parent, key, chosen = nodes[rng.integers(len(nodes))]
        change = CHANGES[rng.integers(len(CHANGES))]
        change(archive, parent, key, chosen, pool, names, rng)
    data = archive.data()
    if rng.random() < 0.1:
        data = _flipped(data, rng)
    return data


def _pick(values, rng):
    return values[rng.integers(len(values))]


def _flipped(data, rng):
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(data)


def _replace(archive, parent, key, chosen, pool, names, rng):
    if parent is not None:
        parent[key] = deepcopy(_pick(pool, rng))


def _rename(archive, parent, key, chosen, pool, names, rng):
    chosen["__module__"], _, chosen["__class__"] = _pick(names, rng).rpartition(".")


def _reload(archive, parent, key, chosen, pool, names, rng):
    chosen["__loader__"] = _pick(LOADERS, rng)


def _refill(archive, parent, key, chosen, pool, names, rng):
    chosen[_pick(("content", "attrs", "key_types", "shape"), rng)] = deepcopy(_pick(pool, rng))


def _call(archive, parent, key, chosen, pool, names, rng):
    content = several(*[deepcopy(_pick(pool, rng)) for _ in range(rng.integers(3))])
    loader = _pick(("ConstructorFromReduceNode", "ListNode", "TupleNode", "SetNode"), rng)
    call = node(_pick(names, rng), loader, content=content)
    if loader != "ConstructorFromReduceNode":
        call["content"] = content["content"]
    if parent is not None:
        parent[key] = call


def _rewrite(archive, parent, key, chosen, pool, names, rng):
    values = (None, True, -1, 10**30, 1e999, "", "__class__", "os.system", [], {"a": [1]})
    chosen["content"] = json.dumps(_pick(values, rng))


def _drop(archive, parent, key, chosen, pool, names, rng):
    del chosen[_pick(list(chosen), rng)]


def _share(archive, parent, key, chosen, pool, names, rng):
    ids = [each.get("__id__") for _, _, each in archive.nodes()]
    chosen["__id__"] = _pick(ids, rng)


def _redirect(archive, parent, key, chosen, pool, names, rng):
    chosen["file"] = _pick([*archive.members, "../../etc/passwd", "schema.json", "/tmp/x"], rng)


def _damage(archive, parent, key, chosen, pool, names, rng):
    if archive.members:
        name = _pick(list(archive.members), rng)
        archive.members[name] = _flipped(archive.members[name], rng)


CHANGES = (
    *(_replace, _replace, _rename, _rename, _reload, _refill, _call, _call, _rewrite, _drop),
    *(_share, _redirect, _damage),
)

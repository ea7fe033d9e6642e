"""No module reads or writes a private attribute of an object of another module's class."""

import ast
import re

import pytest
from source_files import ROOT, file_of, files_in, imports_of, tree_of

OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}
BY_NAME = {"getattr", "setattr", "delattr", "hasattr"}


def is_private(name):
    return name == "__dict__" or (name.startswith("_") and not name.endswith("__"))


def nodes_in(node, in_class=False):
    """All nodes of a tree, and whether each stands in the body of a class."""
    yield node, in_class
    for child in ast.iter_child_nodes(node):
        yield from nodes_in(child, in_class or isinstance(node, ast.ClassDef))


def is_self(node):
    """Whether an expression is ``self``, ``cls`` or ``super()``."""
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "") == "super"
    return getattr(node, "id", "") in ("self", "cls")


def names_given(call):
    """The names by which a call like ``getattr(x, "_name")`` asks for attributes."""
    function = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if function == "vars" and call.args:
        return ["__dict__"]
    arguments = call.args[1:2] if function.strip("_") in BY_NAME else []
    arguments = call.args if function == "attrgetter" else arguments
    texts = [getattr(node, "value", None) for each in arguments for node in ast.walk(each)]
    return [name for text in texts if isinstance(text, str) for name in text.split(".")]


def private_uses(tree):
    """Each private name that is read or written: the node, the name, whether it is of self."""
    for node, in_class in nodes_in(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node, node.attr, in_class and is_self(node.value)
        elif isinstance(node, ast.Call):
            for name in filter(is_private, names_given(node)):
                yield node, name, in_class and is_self(node.args[0])


def own_names(tree):
    """Private names that the classes of a module define, in their bodies or as ``self._name``."""
    defined = []
    for node, in_class in nodes_in(tree):
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                defined += getattr(each, "targets", [getattr(each, "target", each)])
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            defined += [node] if in_class and is_self(node.value) else []
    kinds = {ast.Attribute: "attr", ast.Name: "id"}
    names = {getattr(node, kinds.get(type(node), "name"), "") for node in defined}
    return {name for name in names if is_private(name) and name != "__dict__"}


def quarry(root):
    """Uses of private names of objects whose classes other modules define."""
    found = []
    for name, path in files_in(root).items():
        tree = tree_of("" if name == "_compat" else path.read_text())
        permitted = own_names(tree) | OF_NAMED_TUPLES
        for node, attribute, of_self in private_uses(tree):
            if not of_self and attribute not in permitted:
                found.append(f"{name}.py:{node.lineno}: {ast.unparse(node)}")
    return found


def names_with_bases(name, root):
    """Private names that the classes of a file define, or their bases in other files."""
    files = files_in(root)
    tree = tree_of(files[name].read_text())
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = {ast.unparse(base).split(".")[-1] for node in classes for base in node.bases}
    names = own_names(tree)
    for target in imports_of(files[name], root):
        if target.startswith("skbn.") and target.split(".")[-1] in bases:
            names |= names_with_bases(file_of(target, files), root)
    return names


def undefined(root):
    """Private names of ``self`` that neither skbn defines nor the docstring of _compat lists."""
    files = files_in(root)
    listed = re.findall(r"\b_\w+", ast.get_docstring(tree_of(files["_compat"].read_text())) or "")
    found = set()
    for name, path in files.items():
        known = names_with_bases(name, root) | OF_NAMED_TUPLES | {"__dict__", *listed}
        for _, attribute, of_self in private_uses(tree_of(path.read_text())):
            if of_self and attribute not in known:
                found.add(f"{name}.py: {attribute}")
    return sorted(found)


def test_no_module_is_a_quarry():
    found = quarry(ROOT)
    assert not found, "\n".join(found)


def test_private_names_of_self_are_defined_here_or_listed_in_compat():
    found = undefined(ROOT)
    assert not found, "define them, or list them in the docstring of _compat:\n" + "\n".join(found)


# Planted modules.


@pytest.fixture
def plant(tmp_path):
    """Write modules of a package: ``plant(module="x = 1")`` gives its folder."""

    def write(**modules):
        root = tmp_path / "skbn"
        root.mkdir()
        for name, code in {"_compat": '"""Scikit-learn has _theirs."""', **modules}.items():
            (root / f"{name}.py").write_text(code)
        return root

    return write


@pytest.mark.parametrize(
    "code",
    [
        "x._name",
        "x._name = 1",
        "x._name += 1",
        "x._name: int = 1",
        "del x._name",
        "x._method()",
        "x.y[0]._name",
        "f(x)._name",
        "type(x)._name",
        "x.__name",
        "x.__dict__",
        "x.__dict__['name'] = 1",
        "vars(x)",
        "vars(x).update(name=1)",
        "getattr(x, '_name', None)",
        "getattr(x, f'_name_{1}')",
        "setattr(x, '_name', 1)",
        "delattr(x, '_name')",
        "hasattr(x, '_name')",
        "object.__setattr__(x, '_name', 1)",
        "operator.attrgetter('y._name')(x)",
        "self._name",
        "class A:\n    def method(self):\n        self.model._name",
        "class A:\n    def method(self, other):\n        other._name",
        "class A:\n    def method(self):\n        vars(type(self))",
    ],
)
def test_private_names_of_others_are_reported(plant, code):
    (found,) = quarry(plant(good="x = 1", bad=code))
    assert found.startswith(f"bad.py:{code.count(chr(10)) + 1}: ")


@pytest.mark.parametrize(
    "code",
    [
        "from skbn import _compat\nfrom sklearn._private import _name",
        "x.__name__, x.__class__.__doc__, x.__module__, x.__file__, x.__version__",
        "x._replace(a=1), x._asdict(), x._fields, x._make([1])",
        "getattr(x, 'name', '_name'), hasattr(x, '__len__'), vars()",
        "_name = 1\n_name.name",
        "class A:\n    def method(self):\n        self._name, vars(self), self.__dict__",
        "class A:\n    def method(self):\n        return [getattr(self, '_name') for _ in ()]",
        "class A:\n    def method(self):\n        object.__setattr__(self, '_name', 1)",
        "class A:\n    @classmethod\n    def method(cls):\n        cls._name, super()._name",
        "class A:\n    def method(self):\n        self._name = 1\nx._name",
        "class A:\n    _name: int\nx._name, getattr(x, '_name')",
        "class A:\n    _name = 1\nx._name = 2",
        "class A:\n    def _name(self):\n        pass\nx._name()",
        "class A:\n    def method(self, other):\n        self._name, other._b = 1, other._name\n"
        "class B(A):\n    _b = 1",
    ],
)
def test_private_names_that_are_permitted_are_not_reported(plant, code):
    assert quarry(plant(good=code, _compat="x._name, vars(x)")) == []


def test_what_one_module_defines_is_not_permitted_in_another(plant):
    root = plant(one="class A:\n    _name = 1\nx._name", two="from skbn.one import A\nA()._name")
    assert quarry(root) == ["two.py:2: A()._name"]


def test_names_of_self_come_from_the_package_or_from_the_list(plant):
    use = "    def method(self):\n        self._one, self._theirs, super()._two, self.__dict__"
    one, two = "class A:\n    _one = 1", "from skbn.one import A\nclass B(A):\n    _two = 1"
    three = f"from skbn.two import B\nclass C(B):\n{use}"
    root = plant(one=one, two=two, three=three, four=f"import skbn.one\nclass D:\n{use}")
    assert undefined(root) == ["four.py: _one", "four.py: _two"]

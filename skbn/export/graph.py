"""A graph of ONNX in the making: nodes, constants, and the columns that they compute."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

OPSET = 13
"""Version of the operators, which later versions read as they are and onnxruntime since 1.8."""
ML_OPSET = 2
"""The same of the operators for text."""
ML_DOMAIN = "ai.onnx.ml"


@dataclass(frozen=True)
class Columns:
    """A tensor (n, n_columns).

    Parameters
    ----------
    tensor : str
    n_columns : int
    dtype : numpy dtype
        That of objects stands for text.
    """

    tensor: str
    n_columns: int
    dtype: np.dtype[Any]

    @property
    def is_text(self) -> bool:
        """Whether the cells are text."""
        return self.dtype.kind == "O"

    @property
    def content(self) -> str:
        """What the cells are, in words."""
        words = {"O": "text", "V": "cells of several types", "M": "dates", "m": "durations"}
        return words.get(self.dtype.kind, str(self.dtype))


Table = Sequence[Columns]
"""Columns side by side."""


def _check_kind(table: Table, kinds: str, wanted: str) -> None:
    if not table:
        raise ValueError("there are no columns")
    for each in table:
        if each.dtype.kind not in kinds:
            raise ValueError(f"{each.tensor} holds {each.content}, not {wanted}")


def _read(node: NodeProto) -> Iterator[str]:
    """Names of what a node reads, also in graphs within it."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for each in graph.node:
                yield from _read(each)
            yield from (output.name for output in graph.output)


def counted_names(taken: Container[str] = ()) -> Callable[[str], str]:
    """Make a function that gives ``name`` with a number after it, never one that is taken."""
    numbers = count()
    return lambda name: next(
        new for new in (f"{name}_{number}" for number in numbers) if new not in taken
    )


class Graph:
    """Nodes and constants.

    Parameters
    ----------
    dtype : numpy dtype
        Of the numbers that are computed.
    new_name : callable, optional
        Makes a name that is not taken from one that says what it is of.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    constants : list of onnx.TensorProto
    opsets : dict of str to int
        Versions of the operators, by domain.
    made : dict of str to sequence of Columns
        What steps of a Pipeline make, by their paths.
    """

    def __init__(self, dtype: npt.DTypeLike, new_name: Callable[[str], str] | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.opsets = {"": OPSET}
        self.made: dict[str, Table] = {}
        self.new_name = new_name or counted_names()

    def in_dtype(self, dtype: npt.DTypeLike) -> Graph:
        """Give the same graph for numbers of another dtype."""
        other = Graph(dtype, self.new_name)
        other.nodes, other.constants, other.opsets = self.nodes, self.constants, self.opsets
        other.made = self.made
        return other

    def node(
        self, operator: str, *inputs: Any, output: str | None = None, **attributes: Any
    ) -> str:
        """Add a node.

        Parameters
        ----------
        operator : str
            Name of an operator of ONNX.
        *inputs : str, number or array of numbers
            Names of tensors. Of others constants are made, in the dtype of the graph.
        output : str, optional
            Name of the output, if it has one already.
        **attributes
            Of the operator.

        Returns
        -------
        output : str
        """
        names = [each if isinstance(each, str) else self.number(each) for each in inputs]
        output = output or self.new_name(operator.lower())
        # With a name, of which optimisers make names that are to differ.
        self.nodes.append(helper.make_node(operator, names, [output], name=output, **attributes))
        return output

    def number(self, values: Any) -> str:
        """Add a constant in the dtype of the graph."""
        return self.constant(np.asarray(values, self.dtype))

    def integers(self, values: Any) -> str:
        """Add a constant in int64."""
        return self.constant(np.asarray(values, np.int64))

    def constant(self, array: Any) -> str:
        """Add a constant as it is; text is an array of objects."""
        name = self.new_name("constant")
        # Not by ascontiguousarray, which makes a vector of a scalar.
        self.constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def cast(self, tensor: str, dtype: npt.DTypeLike) -> str:
        """Change the dtype of a tensor; that of objects stands for text."""
        return self.node("Cast", tensor, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def codes(self, texts: str, codes: dict[str, int], default: int) -> str:
        """Look up the codes, int64, of texts."""
        self.opsets[ML_DOMAIN] = max(self.opsets.get(ML_DOMAIN, 0), ML_OPSET)
        return self.node(
            "LabelEncoder",
            texts,
            domain=ML_DOMAIN,
            keys_strings=list(codes),
            values_int64s=list(codes.values()),
            default_int64=default,
        )

    def numbers(self, table: Table) -> Columns:
        """Put columns of numbers into one tensor of the graph's dtype."""
        _check_kind(table, "biuf", "numbers")
        tensors = [
            each.tensor if each.dtype == self.dtype else self.cast(each.tensor, self.dtype)
            for each in table
        ]
        tensor = tensors[0] if len(tensors) == 1 else self.node("Concat", *tensors, axis=1)
        return Columns(tensor, sum(each.n_columns for each in table), self.dtype)

    def texts(self, table: Table) -> Columns:
        """Put columns of text into one tensor."""
        _check_kind(table, "O", "text")
        tensors = [each.tensor for each in table]
        tensor = tensors[0] if len(tensors) == 1 else self.node("Concat", *tensors, axis=1)
        return Columns(tensor, sum(each.n_columns for each in table), np.dtype(object))

    def keep(self, outputs: Sequence[str]) -> set[str]:
        """Remove what outputs do not depend on, and give the names of all that they depend on."""
        needed, nodes = set(outputs), list[NodeProto]()
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.output):
                nodes.append(node)
                needed.update(_read(node))
        self.nodes[:] = nodes[::-1]
        self.constants[:] = [each for each in self.constants if each.name in needed]
        return needed

    def rename(self, names: Mapping[str, str]) -> None:
        """Change the names of tensors that nodes read."""
        for node in self.nodes:
            node.input[:] = [names.get(each, each) for each in node.input]

    def inlined(self, model: ModelProto, rows: str, n_columns: int) -> Columns:
        """Add the nodes of a model of one input and one output."""
        prefix = self.new_name("step") + "_"
        part = compose.add_prefix_graph(model.graph, prefix)
        self.node("Identity", rows, output=part.input[0].name)
        self.nodes += part.node
        self.constants += part.initializer
        for each in model.opset_import:
            self.opsets[each.domain] = max(self.opsets.get(each.domain, 0), each.version)
        output = part.output[0]
        dtype = helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type)
        columns = Columns(output.name, n_columns, dtype)
        return columns if columns.is_text else self.numbers([columns])

    def selected(self, table: Table, positions: Sequence[int]) -> list[Columns]:
        """Take columns at positions, neighbours from one tensor together."""
        places = [(each, k) for each in table for k in range(each.n_columns)]
        selected = list[Columns]()
        for columns, run in groupby((places[each] for each in positions), key=itemgetter(0)):
            taken = [k for _, k in run]
            if taken == list(range(columns.n_columns)):
                selected.append(columns)
                continue
            tensor = self.node("Gather", columns.tensor, self.integers(taken), axis=1)
            selected.append(Columns(tensor, len(taken), columns.dtype))
        return selected

"""A graph of ONNX in the making: nodes and constants."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET = 13
"""Version of the operators, which later versions read as they are and onnxruntime since 1.8."""


def counted_names() -> Callable[[str], str]:
    """Make a function that gives ``name``, with a number after it, never the same twice."""
    numbers = count()
    return lambda name: f"{name}_{next(numbers)}"


class Graph:
    """Nodes and constants.

    Parameters
    ----------
    dtype : numpy dtype
        What numbers become that are given as inputs of nodes.
    new_name : callable, optional
        Makes a name that is not taken from one that says what it is of.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    constants : list of onnx.TensorProto
    """

    def __init__(self, dtype: npt.DTypeLike, new_name: Callable[[str], str] | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._new_name = new_name or counted_names()

    def node(
        self, operator: str, *inputs: Any, output: str | None = None, **attributes: Any
    ) -> str:
        """Add a node.

        Parameters
        ----------
        operator : str
            Name of an operator of ONNX.
        *inputs : str, number or array of floats
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
        output = output or self._new_name(operator.lower())
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def number(self, values: Any) -> str:
        """Add a constant in the dtype of the graph, which must be able to hold it."""
        return self.constant(np.asarray(values, self.dtype))

    def constant(self, array: Any) -> str:
        """Add a constant as it is; text is an array of objects."""
        name = self._new_name("constant")
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def cast(self, tensor: str, dtype: npt.DTypeLike) -> str:
        """Add a node that changes the dtype of a tensor."""
        to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.node("Cast", tensor, to=to)

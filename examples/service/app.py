"""A service that answers rows with labels and probabilities, from an ONNX file.

    MODEL=model.onnx uvicorn app:app

It needs neither skbn nor scikit-learn. The names and types of the features are those of the
file's inputs, one a column. Requests run side by side in FastAPI's threads: these share one
session, which takes one thread for each request.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, with_config
from typing_extensions import TypedDict

MAX_ROWS = 1000
"""Rows of a request."""
MAX_ERRORS = 10
"""Errors that an answer tells."""
LARGE = 1e30
"""Numbers from which on a model may overflow in float."""
DTYPES = {
    **{"float16": np.float16, "float": np.float32, "double": np.float64},
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64")},
    **{name: np.dtype(name) for name in ("uint8", "uint16", "uint32", "uint64")},
}
"""Numbers, by their names in ONNX."""


def encodable(text: str | None) -> str:
    """Refuse half a pair of surrogates, which JSON can write and no encoding has."""
    text = text or ""  # the missing text of ONNX
    text.encode()
    return text


def whole(value: Any) -> Any:
    """Make an integer of a float without a fraction, such as 38.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def number(dtype: Any) -> Any:
    """What a cell may be that becomes a number of a dtype: strictly, no text and no boolean."""
    if np.issubdtype(dtype, np.floating):
        low, high = float(np.finfo(dtype).min), float(np.finfo(dtype).max)
        # NumPy makes NaN of None, which the model fills or answers with NaN.
        return Annotated[float, Field(strict=True, ge=low, le=high, allow_inf_nan=False)] | None
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return Annotated[int, Field(strict=True, ge=low, le=high), BeforeValidator(whole)]


CELLS: dict[str, tuple[Any, Any]] = {
    "tensor(bool)": (Annotated[bool, Field(strict=True)], np.bool_),
    "tensor(string)": (Annotated[str | None, AfterValidator(encodable)], object),
    **{f"tensor({name})": (number(dtype), dtype) for name, dtype in DTYPES.items()},
}
"""What a cell may be and what it becomes, by the type of the file's input."""


def load_session(content: bytes) -> onnxruntime.InferenceSession:
    """A session on one thread a request: many requests already take all processors."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def cells_of(session: onnxruntime.InferenceSession) -> dict[str, tuple[Any, Any]]:
    """What a cell may be and what it becomes, by the name of its column."""
    inputs = session.get_inputs()
    if any(each.shape[1:] != [1] for each in inputs):
        raise ValueError("features have no names: export the model by to_onnx(model, X=frame)")
    return {each.name: CELLS[each.type] for each in inputs}


MODEL = Path(os.environ.get("MODEL", Path(__file__).with_name("model.onnx"))).read_bytes()
VERSION = hashlib.sha256(MODEL).hexdigest()[:12]
SESSION = load_session(MODEL)
COLUMNS = cells_of(SESSION)
METADATA = SESSION.get_modelmeta().custom_metadata_map
CLASSES = [str(name) for name in json.loads(METADATA["classes"])]

# A dictionary: columns may have any names.
Row = with_config(ConfigDict(extra="forbid"))(
    TypedDict("Row", {name: cell for name, (cell, _) in COLUMNS.items()})
)


class Rows(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")

    rows: Annotated[list[Row], Field(min_length=1, max_length=MAX_ROWS)]


class Prediction(BaseModel):
    """The most probable class of a row, and the probabilities of all."""

    label: str | bool | int | float
    probabilities: dict[str, float]


class Predictions(BaseModel):
    """What is answered."""

    version: str
    predictions: list[Prediction]


app = FastAPI(title="skbn", version=VERSION)


@app.exception_handler(RequestValidationError)
def refuse(request: Request, error: RequestValidationError) -> Response:
    """Say what is wrong where. What came is not repeated: JSON has no NaN to repeat it."""
    errors = [{"where": each["loc"], "what": each["msg"]} for each in error.errors()[:MAX_ERRORS]]
    return Response(json.dumps({"detail": errors}), 422, media_type="application/json")


@app.get("/health")
def health() -> dict[str, str]:
    """Whether the service runs, and with which model: the hash of its file."""
    return {"status": "ok", "version": VERSION}


def refuse_row(row: int, cells: dict[str, np.ndarray]) -> HTTPException:
    """Name the cells that may have no probabilities, or else the row."""
    floats = {name: float(cell[row, 0]) for name, cell in cells.items() if cell.dtype.kind == "f"}
    large = [name for name, cell in floats.items() if abs(cell) >= LARGE]
    missing = [name for name, cell in floats.items() if np.isnan(cell)]
    # Whether the model fills what is missing shows only when nothing is too large.
    unfilled = missing and not large
    what = "Missing, and the model does not fill it" if unfilled else "Too large for the model"
    places = [["body", "rows", row, name] for name in large or missing] or [["body", "rows", row]]
    errors = [{"where": where, "what": what} for where in places]
    return HTTPException(422, errors[:MAX_ERRORS])


# Not async: FastAPI runs it in a thread.
@app.post("/predict")
def predict(request: Rows) -> Predictions:
    """Answer the most probable class of each row, and the probabilities of all classes.

    A missing number or text may be sent as null. Status 422 names the cells that are wrong.
    """
    cells = {
        name: np.array([[row[name]] for row in request.rows], dtype)
        for name, (_, dtype) in COLUMNS.items()
    }
    labels, probabilities = SESSION.run(["label", "probabilities"], cells)
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise refuse_row(int(finite.argmin()), cells)
    return Predictions(
        version=VERSION,
        predictions=[
            Prediction(label=label, probabilities=dict(zip(CLASSES, row, strict=True)))
            for label, row in zip(labels.tolist(), probabilities.tolist(), strict=True)
        ],
    )

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
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

MAX_ROWS = 1000
"""Rows of a request."""
MAX_ERRORS = 10
"""Errors that an answer tells."""
FLOAT32 = float(np.finfo(np.float32).max)


def encodable(text: str) -> str:
    """Refuse half a pair of surrogates, which JSON can write and no encoding has."""
    text.encode()
    return text


# What a cell may be. Strict: a number in quotes is no number, nor is true.
Double = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Float = Annotated[Double, Field(ge=-FLOAT32, le=FLOAT32)]
Integer = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
Boolean = Annotated[bool, Field(strict=True)]
Text = Annotated[str, AfterValidator(encodable)]
CELLS: dict[str, tuple[Any, Any]] = {
    "tensor(float)": (Float, np.float32),
    "tensor(double)": (Double, np.float64),
    "tensor(int64)": (Integer, np.int64),
    "tensor(bool)": (Boolean, np.bool_),
    "tensor(string)": (Text, object),
}
"""What a cell may be and what it becomes, by the type of the file's input."""


def load_session(content: bytes) -> onnxruntime.InferenceSession:
    """A session on one thread a request: many requests already take all processors."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


MODEL = Path(os.environ.get("MODEL", Path(__file__).with_name("model.onnx"))).read_bytes()
VERSION = hashlib.sha256(MODEL).hexdigest()[:12]
SESSION = load_session(MODEL)
COLUMNS = {column.name: CELLS[column.type] for column in SESSION.get_inputs()}
CLASSES = [str(name) for name in json.loads(SESSION.get_modelmeta().custom_metadata_map["classes"])]

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

    label: str | int | bool
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


@app.post("/predict")
def predict(request: Rows) -> Predictions:
    """Labels and probabilities of rows. Not ``async``: FastAPI runs it in a thread."""
    cells = {
        name: np.array([[row[name]] for row in request.rows], dtype)
        for name, (_, dtype) in COLUMNS.items()
    }
    labels, probabilities = SESSION.run(["label", "probabilities"], cells)
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        where, what = ["body", "rows", int(finite.argmin())], "Values too large for the model"
        raise HTTPException(422, [{"where": where, "what": what}])
    return Predictions(
        version=VERSION,
        predictions=[
            Prediction(label=label, probabilities=dict(zip(CLASSES, row, strict=True)))
            for label, row in zip(labels.tolist(), probabilities.tolist(), strict=True)
        ],
    )

"""Make the golden files of this version: ``python tests/export/make_golden.py``.

They are made once for each release, and never again: later versions must read them as they are.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from skbn import BNSoftmaxClassifier, __version__
from skbn.export import save_model

GOLDEN = Path(__file__).parent / "golden"
# Not drawn: generators may give other numbers one day.
X = np.sin(np.arange(40 * 3).reshape(40, 3) ** 1.5)
SCORES = np.stack([X[:, 0], X[:, 1], X[:, 2]], axis=1)
MANY = SCORES.argmax(axis=1)
DAYS = np.array(["2020-02-29", "1969-12-31", "2262-01-01"], "M8[D]")
FRAME = pd.DataFrame(X, columns=["length", "width é", "3"])

KINDS = {
    # parameters, rows, labels, whether with the training state
    "text": ({"hidden_layer_sizes": (6, 5)}, FRAME, np.array(["a", "é", "漢字"], object)[MANY], 0),
    "float64": ({"dtype": "float64", "solver": "sgd", "dropout": 0.1}, X, MANY, 1),
    "booleans": ({"batch_norm": False, "activation": "logistic"}, X, MANY > 0, 0),
    "days": ({"activation": "elu", "n_members": 3}, X, DAYS[MANY], 0),
    "fixed-width": ({"activation": "tanh"}, X, np.array(["no", "yes", "?"])[MANY], 0),
    "floats": ({"activation": "identity", "n_members": 1}, X, MANY.astype(np.float32), 1),
    "uint8": ({"activation": "selu", "early_stopping": True}, X, MANY.astype(np.uint8), 0),
    "regression": ({"hidden_layer_sizes": ()}, X, MANY, 1),
    "weights": (
        {"activation": "gelu", "class_weight": {0: 1.0, 1: 2.5}, "solver": "rmsprop"},
        *(X, MANY, 0),
    ),
    "generator": ({"activation": "mish", "random_state": np.random.RandomState(1)}, X, MANY, 0),
    "arrays": (
        {"activation": "silu", "hidden_layer_sizes": np.array([4, 3]), "alpha": np.float32(0.1)},
        *(X, MANY, 0),
    ),
    "noise": (
        {"activation": "leaky_relu", "noise": 0.1, "solver": "adamw", "dtype": "float64"},
        *(X, MANY, 1),
    ),
}


def described(model, labels, training_state):
    """What a later version must find."""
    rows = FRAME if hasattr(model, "feature_names_in_") else X
    found = {
        "probabilities": model.predict_proba(rows).tolist(),
        "classes": [repr(model.classes_.dtype.str), *map(repr, model.classes_.tolist())],
        "coefs": [coef.tolist() for coef in model.coefs_],
        "history": dict(model.history_),
        "parameters": {
            name: [type(value).__name__, np.asarray(value).tolist()]
            for name, value in model.get_params().items()
            if name not in ("random_state", "class_weight")
        },
        "temperature": model.temperature_,
        "n_iter": model.n_iter_,
    }
    if training_state:
        model.partial_fit(rows, labels)
        found["probabilities_later"] = model.predict_proba(rows).tolist()
    return found


def main():
    """Write the files of this version, and what must be found in them."""
    folder, expected = GOLDEN / __version__, {}
    folder.mkdir(parents=True)
    for name, (parameters, rows, labels, training_state) in KINDS.items():
        small = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
        model = BNSoftmaxClassifier(learning_rate="constant", **(small | parameters))
        model.fit(rows, labels)
        save_model(model, folder / f"{name}.npz", training_state=bool(training_state))
        expected[name] = described(model, labels, training_state)
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()

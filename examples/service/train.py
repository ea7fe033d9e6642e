"""Fit a Pipeline to numbers and text, and write it to model.onnx.

python train.py model.onnx
"""

import sys

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.export import to_onnx


def wines():
    """Wines of three growers: twelve numbers, their colour in words, and the grower's name."""
    bunch = load_wine(as_frame=True)
    frame = bunch.data.rename(columns={"od280/od315_of_diluted_wines": "dilution"})
    depth = frame.pop("color_intensity")
    frame["color"] = pd.cut(depth, [0, 3, 6, 99], labels=["pale", "medium", "deep"]).astype(object)
    return frame, bunch.target_names[bunch.target]


def pipeline(frame):
    """A Pipeline for the columns of a frame, not fitted."""
    text = ["color"]
    numbers = [name for name in frame if name not in text]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), text),
    )
    return make_pipeline(columns, BNSoftmaxClassifier(random_state=0))


def main(path):
    """Train, judge and write."""
    frame, growers = wines()
    frame, frame_test, growers, growers_test = train_test_split(frame, growers, random_state=0)
    model = pipeline(frame).fit(frame, growers)
    to_onnx(model, path, X=frame)
    print(f"{path}: accuracy on rows held out {model.score(frame_test, growers_test):.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])

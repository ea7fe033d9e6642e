"""Ways from a file to probabilities, each importing no more than it takes.

    python benchmarks/_serving.py WAY FOLDER

predicts one row, and prints the process CPU time since the process began.
"""

# What is imported here would be in the start of every way.
import sys
from time import process_time


def numpy_alone(folder):
    """No prediction: what NumPy's import takes."""
    import numpy as np

    return np.copy


def bare_numpy(folder):
    """Folded weights, and nothing that looks at what comes in."""
    import numpy as np

    with np.load(f"{folder}/folded.npz") as file:
        w1, b1, w2, b2, w3, b3 = (file[name] for name in file.files)

    def predict(x):
        x = np.maximum(x @ w1 + b1, 0)
        x = np.maximum(x @ w2 + b2, 0)
        x = x @ w3 + b3
        x = np.exp(x - x.max(axis=1, keepdims=True))
        return x / x.sum(axis=1, keepdims=True)

    return predict


def predictor_file(folder):
    """The file of skbn that needs NumPy alone, copied to the folder."""
    sys.path.insert(0, folder)
    import predictor

    return predictor.load(f"{folder}/model.npz").predict_proba


def save_model(folder):
    """The classifier, from the same file as the predictor."""
    from skbn.export import load_model

    return load_model(f"{folder}/model.npz").predict_proba


def skops(folder):
    """The classifier, from a file of skops."""
    from skops.io import load

    from skbn.export import SKOPS_TYPES

    return load(f"{folder}/model.skops", trusted=SKOPS_TYPES).predict_proba


def onnxruntime(folder):
    """The ONNX file, on one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        f"{folder}/model.onnx", options, providers=["CPUExecutionProvider"]
    )
    (x,) = session.get_inputs()
    return lambda rows: session.run(["probabilities"], {x.name: rows})[0]


def mlp(folder):
    """MLPClassifier with the folded weights."""
    import joblib

    return joblib.load(f"{folder}/mlp.joblib").predict_proba


def pytorch(folder):
    """PyTorch's modules with the folded weights."""
    import numpy as np
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers = []
    with np.load(f"{folder}/folded.npz") as file:
        for number in range(1, 4):
            weights = torch.from_numpy(file[f"weights_{number}"].T.copy())
            linear = nn.Linear(*weights.shape[::-1])
            linear.weight = nn.Parameter(weights)
            linear.bias = nn.Parameter(torch.from_numpy(file[f"bias_{number}"]))
            layers += [linear, nn.ReLU()]
    layers[-1] = nn.Softmax(dim=1)
    network = nn.Sequential(*layers).eval()

    def predict(x):
        with torch.inference_mode():
            return network(torch.from_numpy(x)).numpy()

    return predict


def main(way, folder):
    predict = globals()[way](folder)
    import numpy as np

    predict(np.load(f"{folder}/row.npy"))
    print(process_time(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What weights of classes do to a rare one: ranking, balanced accuracy and probabilities.

    python benchmarks/class_weights.py

Three sets of 6,000 rows with 3.4 % of positives, a hundredth of all labels at random, three
folds each; the networks with three seeds. It prints means over all of these: average
precision, balanced accuracy, log-loss, and the mean probability of the rare class, which is
.034 where probabilities are true. It takes some five minutes on one core.
"""

import numpy as np
from _common import machine
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, balanced_accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier

BALANCED = {"class_weight": "balanced"}


def network(**parameters):
    """A network behind a scaler."""
    return make_pipeline(StandardScaler(), BNSoftmaxClassifier(**parameters))


ARMS = {
    "network": network(),
    "network, threshold moved": TunedThresholdClassifierCV(network(), cv=3),
    "network, max_grad_norm=1": network(max_grad_norm=1.0),
    "balanced network": network(**BALANCED),
    "balanced network, max_grad_norm=1": network(max_grad_norm=1.0, **BALANCED),
    "balanced network, no batch norm": network(batch_norm=False, **BALANCED),
    "boosting": HistGradientBoostingClassifier(),
    "balanced boosting": HistGradientBoostingClassifier(**BALANCED),
}


def measures(model, X, y):
    """Average precision, balanced accuracy, log-loss, mean probability."""
    probabilities = model.predict_proba(X)[:, 1]
    return (
        average_precision_score(y, probabilities),
        balanced_accuracy_score(y, model.predict(X)),
        log_loss(y, probabilities),
        probabilities.mean(),
    )


def seeded(arm, seed):
    """A copy of an arm, all of it with one seed."""
    names = [name for name in arm.get_params() if name.split("__")[-1] == "random_state"]
    return clone(arm).set_params(**dict.fromkeys(names, seed))


def main():
    """Print the table."""
    print(machine())
    print(f"{'':36}{'AP':>8}{'bal. acc.':>11}{'log-loss':>10}{'mean p':>8}")
    for name, arm in ARMS.items():
        found = []
        for which in (1, 2, 3):
            X, y = make_classification(
                6000, 20, n_informative=6, weights=[0.97], random_state=which
            )
            for seed in (0, 1, 2):
                for train, test in StratifiedKFold(3).split(X, y):
                    model = seeded(arm, seed).fit(X[train], y[train])
                    found.append(measures(model, X[test], y[test]))
        precision, accuracy, loss, mean = np.mean(found, axis=0)
        print(f"{name:36}{precision:8.3f}{accuracy:11.3f}{loss:10.3f}{mean:8.3f}", flush=True)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()

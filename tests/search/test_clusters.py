"""Other backends of joblib give what one process gives, and the journal with them."""

import os
import subprocess
import sys
from unittest import mock

import joblib
import numpy as np
import pytest
from scipy.stats import loguniform

from skbn.search import CoarseToFineSearchCV, hidden_layers

pytestmark = pytest.mark.slow


@pytest.fixture
def make(quick):
    space = {
        "learning_rate_init": loguniform(1e-3, 0.1),
        "hidden_layer_sizes": hidden_layers((1, 2), (4, 8)),
    }

    def search(**options):
        return CoarseToFineSearchCV(
            quick(), space, n_candidates=8, n_rounds=2, cv=2, random_state=0, **options
        )

    return search


def assert_equal(search, other):
    assert search.cv_results_["params"] == other.cv_results_["params"]
    for name in ("split0_test_score", "split1_test_score", "round"):
        np.testing.assert_array_equal(search.cv_results_[name], other.cv_results_[name])


# The libraries' own warnings are not ours to turn into errors.
@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_gives_the_same(make, iris, tmp_path):
    distributed = pytest.importorskip("distributed")
    serial = make().fit(*iris)
    path = tmp_path / "search.sqlite"
    with (
        mock.patch.dict(os.environ),  # in which it sets numbers of threads
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        assert_equal(make(journal=path).fit(*iris), serial)
    assert_equal(make(journal=path).fit(*iris), serial)


RAY = """
import sys, joblib, ray
from ray.util.joblib import register_ray
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB
from skbn.search import CoarseToFineSearchCV

if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    found = []
    for backend in "ray", "sequential":
        with joblib.parallel_config(backend=backend, n_jobs=2):
            search = CoarseToFineSearchCV(
                GaussianNB(), {"var_smoothing": loguniform(1e-9, 1)}, n_candidates=12,
                n_rounds=2, random_state=0, journal=f"{sys.argv[1]}.{backend}",
            )
            results = search.fit(*load_iris(return_X_y=True)).cv_results_
        found.append((results["params"], results["mean_test_score"].tolist()))
    ray.shutdown()
    assert found[0] == found[1], found
    print("the same")
"""


def test_ray_gives_the_same(tmp_path):
    # In a process of its own: its backend replaces classes of joblib for good.
    pytest.importorskip("ray")
    script = tmp_path / "script.py"
    script.write_text(RAY)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "journal"],
        capture_output=True,
        text=True,
        timeout=500,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert "the same" in done.stdout, done.stderr


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "loky"])
def test_joblibs_own_backends_give_the_same(make, iris, backend, tmp_path):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        searched = make(journal=tmp_path / "search.sqlite").fit(*iris)
    assert_equal(searched, make().fit(*iris))

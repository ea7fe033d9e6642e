"""EpochLogger against the history, and MLflow's client."""

import numpy as np
import pytest

from skbn.callbacks import EpochLogger


def test_what_is_no_function_is_an_error():
    with pytest.raises(TypeError, match=r"callable as \(measures, epoch\)"):
        EpochLogger({"loss": 1.0})


@pytest.mark.parametrize("has_validation_set", [False, True])
def test_measures_are_those_of_the_history(iris, quick, has_validation_set):
    pytest.importorskip("sklearn.callback")
    X, y = iris
    validation = {"X_val": X, "y_val": y} if has_validation_set else {}
    calls = []
    logger = EpochLogger(lambda *call: calls.append(call))
    model = quick(n_members=3).set_callbacks(logger).fit(X, y, **validation)
    of_first = [(measures, epoch) for measures, epoch in calls if "loss" in measures]
    assert [epoch for _, epoch in of_first] == [1, 2, 3]
    assert {name: [each[name] for each, _ in of_first] for name in of_first[0][0]} == model.history_
    names = {name for measures, _ in calls for name in measures}
    prefixes = ["", "member_1/", "member_2/"]
    assert names == {prefix + name for prefix in prefixes for name in model.history_}
    assert {type(value) for measures, _ in calls for value in measures.values()} == {float}
    assert {type(epoch) for _, epoch in calls} == {int}


def test_epochs_are_counted_over_calls_and_an_answer_stops_nothing(iris, quick):
    pytest.importorskip("sklearn.callback")
    epochs = []
    logger = EpochLogger(lambda _, epoch: epochs.append(epoch) or True)
    model = quick(n_members=1, warm_start=True, learning_rate="constant")
    model.set_callbacks(logger).fit(*iris)
    model.partial_fit(*iris)
    model.set_params(max_iter=6).fit(*iris)
    assert epochs == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_mlflow_has_the_history_on_a_local_folder(iris, quick, tmp_path, monkeypatch):
    pytest.importorskip("sklearn.callback")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a folder, not a database
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(str(tmp_path / "runs"))
    model = quick().set_callbacks(EpochLogger(mlflow.log_metrics))
    with mlflow.start_run() as run:
        model.fit(*iris)
    client = mlflow.MlflowClient()
    for name, values in model.history_.items():
        logged = client.get_metric_history(run.info.run_id, name)
        assert [each.step for each in logged] == [1, 2, 3]
        np.testing.assert_array_equal([each.value for each in logged], values)
        assert len(client.get_metric_history(run.info.run_id, f"member_1/{name}")) == 3

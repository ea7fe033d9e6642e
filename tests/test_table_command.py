"""The command ``python -m skbn``, on tables made here."""

import re
import signal
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_validate, train_test_split

from skbn import BNSoftmaxClassifier, __version__, table_command, tabular_pipeline
from skbn import __main__ as command
from skbn.search.progress import how_to_shorten

N_ROWS = 80
QUICK = ["--candidates", "2", "--folds", "2"]


def make_table():
    """A table whose labels follow from a number and a text, with gaps in both."""
    stream = np.random.default_rng(0)
    kind = np.arange(N_ROWS) % 2
    frame = pd.DataFrame(
        {
            "width": stream.normal(3.0 * kind),
            "colour": np.where(kind, "red", stream.choice(["blue", "green"], N_ROWS)),
            "height": stream.integers(0, 9, N_ROWS),
            "ripe": stream.random(N_ROWS) < 0.5,
            "day": pd.date_range("2024-01-01", periods=N_ROWS).strftime("%Y-%m-%d"),
            "label": np.where(kind, "plum", "pear"),
        }
    )
    frame.loc[::7, "width"] = np.nan
    frame.loc[::9, "colour"] = None
    return frame


@pytest.fixture
def table():
    return make_table()


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command among the files of ``tmp_path``: its status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        status = command.main([str(arg) for arg in argv])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def fit(run):
    """Run the command on a frame and load the model it saves."""

    def fit(frame, target="label"):
        frame.to_csv("table.csv", index=False)
        arguments = ["--target", target, "--save", "m.joblib", *QUICK, "--candidates", "12"]
        status, out, err = run("table.csv", *arguments)
        assert status == 0, err
        return joblib.load("m.joblib"), out

    return fit


def scores(out, title="held out"):
    """Accuracy and log-loss in a line of the report."""
    percent, loss = re.search(rf"^{title} +(\S+)% +(\S+)$", out, re.M).groups()
    return float(percent) / 100, float(loss)


def without_time(out):
    return re.sub(r"Time to .* s,", "", out)


@pytest.mark.slow
def test_digits_by_default(run):
    status, out, err = run(*QUICK)
    accuracy, loss = scores(out)
    assert status == 0
    assert "1,797 rows, 10 classes; 61 number columns" in out
    assert accuracy > 0.93
    assert loss < 0.25
    for name in ("learning_rate_init", "hidden_layer_sizes", "dropout", "cross-validation"):
        assert re.search(rf"^ *{name} ", out, re.M)
    line = r"^Time to the tuned model: [\d.]+ s, for 2 candidates in 2 folds, [12] of them trained"
    assert re.search(line, out, re.M)
    first, *_, last = err.splitlines()
    assert first.startswith("8 fits: 2 candidates x 2 folds to epoch 5, then the best 2 x 2 folds")
    assert last.startswith("8/8 fits, best log-loss 0.")


@pytest.mark.slow
def test_saved_model_predicts_raw_rows(fit, table):
    model, out = fit(table)
    assert out.splitlines()[-1].endswith("joblib.load('m.joblib').predict(frame)")
    assert scores(out)[0] >= 0.9
    assert (model.predict(table) == table["label"]).mean() > 0.9
    raw = table.drop(columns="label").iloc[:, ::-1].assign(other=1).astype({"height": "Int64"})
    np.testing.assert_array_equal(model.predict_proba(raw), model.predict_proba(table))
    new = raw.head(3).assign(colour=["violet", None, "red"], width=[None, np.inf, 0], day="?")
    np.testing.assert_allclose(model.predict_proba(new).sum(axis=1), 1)


@pytest.mark.slow
def test_scores_are_those_of_the_saved_model(fit, table):
    model, out = fit(table)
    _, test, _, labels = train_test_split(
        table, table["label"], test_size=0.25, random_state=0, stratify=table["label"]
    )
    assert scores(out)[0] == pytest.approx(model.score(test, labels), abs=1e-4)


@pytest.mark.slow
def test_the_report_describes_the_saved_model_throughout(fit, table):
    model, out = fit(table)
    X, X_test, y, y_test = train_test_split(
        table.drop(columns="label"),
        table["label"],
        test_size=0.25,
        random_state=0,
        stratify=table["label"],
    )
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    metrics = ["accuracy", "neg_log_loss"]
    found = cross_validate(clone(model), X, y, cv=folds, scoring=metrics)
    expected = found["test_accuracy"].mean(), -found["test_neg_log_loss"].mean()
    assert scores(out, "cross-validation") == pytest.approx(expected, abs=1e-4)
    logistic = tabular_pipeline(LogisticRegression(max_iter=300))
    logistic.set_params(piecewiselinearencoder__n_bins=1).fit(X, y)
    expected = logistic.score(X_test, y_test), log_loss(y_test, logistic.predict_proba(X_test))
    assert scores(out, "held out, LogisticRegression") == pytest.approx(expected, abs=1e-4)
    shares = y.value_counts(normalize=True)
    assert scores(out, "held out, guessing")[1] == pytest.approx(
        log_loss(y_test, [shares] * 20), abs=1e-4
    )


@pytest.mark.slow
def test_the_saved_model_says_which_columns_it_expects(fit, table):
    model, out = fit(table)
    features = ["width", "colour", "height", "ripe", "day"]
    assert model.feature_names_in_.tolist() == features
    assert "with the columns width, colour, height, ripe, day: joblib.load" in out
    with pytest.raises(ValueError, match=r"seen at fit time, yet now missing:\n- colour\n"):
        model.predict(table.drop(columns="colour"))
    polars = pytest.importorskip("polars")
    lists = {name: [None if pd.isna(c) else c for c in table[name]] for name in features}
    probabilities = model.predict_proba(polars.DataFrame(lists))
    np.testing.assert_array_equal(probabilities, model.predict_proba(table))


@pytest.mark.slow
def test_another_process_predicts_rows_as_pandas_reads_them(run, table, tmp_path):
    european = table.assign(
        width=table["width"].map("{:.3f}".format).str.replace(".", ",").replace("nan", ""),
        height=table["height"].map("{} %".format),
        day=pd.to_datetime(table["day"]).dt.strftime("%d/%m/%Y"),
    )
    european.to_csv("table.csv", index=False, sep=";")
    status, out, err = run("table.csv", "--target", "label", "--save", "m.joblib", *QUICK)
    assert status == 0, err
    assert "table.csv: 80 rows, 2 classes; 3 number, 1 date, 1 text columns" in out
    script = (
        "import joblib, pandas; model = joblib.load('m.joblib'); "
        "frame = pandas.read_csv('table.csv', sep=';'); "
        "print(*model.predict_proba(frame)[:, 0].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    typed = table.assign(
        width=table["width"].round(3),
        height=table["height"] / 100,
        day=pd.to_datetime(table["day"]),
    )
    expected = joblib.load("m.joblib").predict_proba(typed)[:, 0]
    np.testing.assert_allclose(np.array(done.stdout.split(), dtype=float), expected, rtol=1e-6)


@pytest.mark.slow
def test_verbose_lists_each_column(run, table):
    table.assign(one="k").to_csv("table.csv", index=False)
    _, out, _ = run("table.csv", "--target", "label", "--verbose", *QUICK)
    for line in (
        "Left out: columns with one value only: one",
        r"  width   number  -\S+ to \S+; 12 missing",
        "  colour  text    3 values: red, [a-z, ]+; 9 missing",
        "  ripe    number  0 to 1",
        "  day     date    2024-01-01 to 2024-03-20",
        "  one     left out",
    ):
        assert re.search(f"^{line}$", out, re.M), line
    assert "Columns" not in run("table.csv", "--target", "label", *QUICK)[1]


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.6, 0.7])
def test_a_model_no_better_than_guessing_is_called_so(run, table, monkeypatch, loss):
    losses = {"held out": loss, "held out, guessing": 0.69}
    monkeypatch.setattr(
        table_command,
        "judged",
        lambda title, *_: table_command.Scores(title, 0.5, losses.get(title, 1)),
    )
    table.to_csv("table.csv", index=False)
    _, out, _ = run("table.csv", "--target", "label", *QUICK)
    said = "The model is no better than guessing on the rows held out"
    assert (said in out) == (loss > 0.69)


@pytest.mark.slow
def test_without_skrub(run, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "skrub", None)
    table.to_csv("table.csv", index=False)
    status, out, _ = run("table.csv", "--target", "label", "--save", "m.joblib", *QUICK)
    assert status == 0
    said = "skrub is not installed: scikit-learn's own transformers encode dates"
    assert said in out
    table[["width", "height", "label"]].to_csv("numbers.csv", index=False)
    assert said not in run("numbers.csv", "--target", "label", *QUICK)[1]
    assert joblib.load("m.joblib").score(table, table["label"]) > 0.9


@pytest.mark.slow
def test_a_time_budget_ends_the_search(run):
    status, out, err = run("--candidates", 1000, "--time-budget", 3)
    assert status == 0, err
    assert re.search(r"Ended early, after \d+ of 1000 candidates", out)


def searched(n_epochs, fit_times=(1.0,), best=0):
    """A search that has ended."""
    results = {"n_epochs": np.array(n_epochs), "mean_fit_time": np.array(fit_times)}
    return SimpleNamespace(cv_results_=results, best_index_=best)


@pytest.mark.parametrize(
    ("n_epochs", "best", "expected"),
    [
        ([15, 5, 15], 2, "2 of them trained to the end"),
        ([15], 0, "1 of them trained to the end"),
        ([5, 5, 5], 1, "none trained to the end, the best to epoch 5 of 15"),
        ([5, 10, 5], 1, "none trained to the end, the best to epoch 10 of 15"),
    ],
)
def test_trained_to_the_end_is_what_reached_the_last_epoch(n_epochs, best, expected):
    assert table_command.trained_to_the_end(searched(n_epochs, best=best), 15) == expected


@pytest.mark.parametrize(
    ("n_epochs", "n_folds", "n_jobs", "expected"),
    [
        (15, 3, 1, 2 * 4 * (3 + 1.5)),
        (5, 3, 1, 3 * 2 * 4 * (3 + 1.5)),
        (15, 2, 1, 2 * 4 * (2 + 2)),
        (15, 3, 2, 2 * 4 * (2 + 1.5)),
    ],
)
def test_seconds_after_the_search(n_epochs, n_folds, n_jobs, expected):
    search = searched([15, n_epochs], [9.0, 4.0], best=1)
    args = SimpleNamespace(folds=n_folds, jobs=n_jobs)
    seconds = table_command.seconds_to_fit_best(BNSoftmaxClassifier(), search, args)
    assert seconds == pytest.approx(expected)


def test_numbers_of_candidates():
    assert [table_command.number_of_candidates(n) for n in (1, 2)] == [
        "1 candidate",
        "2 candidates",
    ]


def test_the_advice_has_the_options_of_the_command(monkeypatch):
    monkeypatch.setattr(
        table_command.CoarseToFineSearchCV, "fit", lambda search, X, y: how_to_shorten.get()
    )
    model = tabular_pipeline(BNSoftmaxClassifier())
    advice = table_command.tune(model, None, None, table_command.parse([]))
    assert advice.endswith("with the best so far once a candidate is complete")
    assert advice.format(seconds=180, time="3 min").startswith(
        "--time-budget 180 ends the search after 3 min with the best so far, --candidates 20 tries"
    )


@pytest.mark.slow
def test_long_fits_after_the_search_are_told_and_lines_fit_a_terminal(run, table, monkeypatch):
    monkeypatch.setattr(table_command, "SECONDS_TO_TELL", 0)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    table.to_csv("table.csv", index=False)
    _, out, _ = run("table.csv", "--target", "label", *QUICK)
    line = r"^Fitting the best in 2 folds and to all 60 rows: about \d+ s\nCtrl-C now ends"
    assert re.search(line, out, re.M)
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.slow
def test_same_seed_same_output(fit, table, run):
    outputs = {without_time(fit(table)[1]) for _ in range(2)}
    assert len(outputs) == 1
    other = run("table.csv", "--target", "label", *QUICK, "--seed", 1)[1]
    assert scores(other) != scores(outputs.pop())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a"], np.array(["a", "b"], dtype=object)),
        ([3, 1], np.array([1, 3])),
        ([3, 1, None, 1], np.array([1, 3])),
        ([True, False], np.array([False, True])),
        ([True, False, None, False], np.array([False, True])),
        (["yes", "no", None, "no"], np.array(["no", "yes"], dtype=object)),
    ],
)
def test_labels_keep_their_type(fit, table, labels, classes):
    table["label"] = labels * (N_ROWS // len(labels))
    model, out = fit(table)
    assert model.classes_.dtype == classes.dtype
    assert model.classes_.tolist() == classes.tolist()
    assert ("Left out: 20 rows without a label" in out) == (None in labels)


@pytest.mark.slow
def test_parquet(run, table):
    pytest.importorskip("pyarrow")
    table = table.assign(
        day=pd.to_datetime(table["day"]),
        colour=table["colour"].astype("category"),
        ripe=table["ripe"].astype("boolean").mask(table["height"] == 1),
        height=table["height"].astype("Int64").mask(table["height"] == 3),
        label=table["label"].astype("category"),
    )
    table.to_parquet("table.parquet")
    arguments = ["--target", "label", "--save", "m.joblib", *QUICK]
    status, out, _ = run("table.parquet", *arguments)
    assert status == 0
    assert "3 number, 1 date, 1 text columns" in out
    assert joblib.load("m.joblib").score(table, table["label"].to_numpy(object)) > 0.9


@pytest.mark.slow
def test_two_processes_give_the_same(run, table):
    table.to_csv("table.csv", index=False)
    arguments = ["table.csv", "--target", "label", *QUICK]
    status, alone, _ = run(*arguments)
    assert status == 0
    assert without_time(run(*arguments, "--jobs", 2)[1]) == without_time(alone)


@pytest.mark.slow
def test_many_categories_are_bounded(fit, table):
    table["town"] = [f"town {i // 2 if i < 40 else i}" for i in range(N_ROWS)]
    model, _ = fit(table)
    names = model[:2].get_feature_names_out()
    assert sum(name.startswith("town") for name in names) <= 40


@pytest.mark.slow
def test_pictures(run, tmp_path):
    image = pytest.importorskip("matplotlib.image")
    status, out, err = run(*QUICK, "--candidates", "16", "--plot", "new/pictures")
    assert status == 0, err
    names = ["scores", "narrowing", "parallel", "importance", "learning_curves"]
    written = [tmp_path / "new" / "pictures" / f"{name}.png" for name in names]
    assert sorted(written) == sorted((tmp_path / "new" / "pictures").iterdir())
    assert all(image.imread(path).std() > 0 for path in written)
    assert "Pictures: new/pictures/scores.png, new/pictures/narrowing.png, " in out
    # Too few candidates say nothing about importance.
    _, out, _ = run(*QUICK, "--plot", "few")
    assert "parallel.png" in out
    assert "few/importance.png" not in out
    assert "No importance.png: needs at least 8 candidates" in out


def test_pictures_need_matplotlib(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, err = run("--plot", "pictures")
    assert (status, out) == (2, "")
    assert err.startswith("skbn: --plot pictures: pictures need matplotlib")
    assert 'pip install "skbn[plot]"' in err


@pytest.mark.slow
def test_plain_lines_without_rich(run, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    table.to_csv("table.csv", index=False)
    _, _, err = run("table.csv", "--target", "label", *QUICK)
    line = r"8/8 fits, best log-loss \d+\.\d{4} \(to epoch 15\), elapsed \d+ s"
    assert re.fullmatch(line, err.splitlines()[-1])


@pytest.mark.slow
def test_bar_with_rich(run, table, monkeypatch):
    pytest.importorskip("rich.progress")
    import rich.console

    terminal = partial(rich.console.Console, force_terminal=True, force_interactive=True, width=80)
    monkeypatch.setattr(rich.console, "Console", terminal)
    table.to_csv("table.csv", index=False)
    status, _, err = run("table.csv", "--target", "label", *QUICK)
    assert status == 0
    assert "━" in err
    assert re.search(r"8/8 fits, best log-loss .* elapsed", re.sub(r"\x1b\[[0-9;?]*\w", "", err))


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    folder, table = tmp_path_factory.mktemp("bad"), make_table()
    table.assign(
        one="k", price=table["width"].fillna(0), name=range(N_ROWS), rare=["x"] + ["y"] * 79
    ).assign(none=np.nan).to_csv(folder / "table.csv", index=False)
    pd.DataFrame({"one": 1, "name": [f"n{i}" for i in range(20)], "label": list("ab") * 10}).to_csv(
        folder / "useless.csv", index=False
    )
    huge = np.where(table["label"] == "pear", 1e308, -1e308)
    pd.DataFrame({"huge": huge, "label": table["label"]}).to_csv(folder / "huge.csv", index=False)
    (folder / "empty.csv").touch()
    (folder / "header.csv").write_text("a,label\n")
    (folder / "ragged.csv").write_text("a,label\n1,x\n1,2,3,4,5\n")
    for name in ("binary.csv", "fake.csv.gz", "fake.parquet", "fake.zip"):
        (folder / name).write_bytes(bytes(range(256)) * 20)
    (folder / "escape\x1b.csv").write_text('"\x1b[31mred\n\x07 ж🙂",b\n1,x\n2,y\n')
    (folder / "cp1252.csv").write_bytes("größe,b\n1,x\n2,y\n".encode("cp1252"))
    (folder / "folder.joblib").mkdir()
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("no.csv --target label", "cannot read no.csv: No such file or directory"),
        (". --target label", "cannot read .: "),
        ("empty.csv --target label", "cannot read empty.csv: the file is empty"),
        ("header.csv --target label", "header.csv holds no rows"),
        ("ragged.csv --target label", "cannot read ragged.csv: .*Expected 2 fields in line 3"),
        ("binary.csv --target label", "cannot read binary.csv: "),
        ("fake.csv.gz --target label", "cannot read fake.csv.gz: "),
        ("fake.parquet --target label", "cannot read fake.parquet: "),
        ("fake.zip --target label", "cannot read fake.zip: "),
        ("table.csv", "--target is missing; the columns are: width, colour, height, ripe, day"),
        (
            "table.csv --target no",
            "no column 'no'; .* the columns are: width, colour, height, ripe",
        ),
        (
            "escape\x1b.csv --target no",
            r"no column 'no'; the columns are: \x1b[31mred\n\x07 ж🙂, b",
        ),
        ("no\x1b.csv --target no", r"cannot read no\x1b.csv: No such file"),
        (
            "cp1252.csv --target no",
            "no column 'no'; the columns are: größe, b; the text is not UTF-8",
        ),
        ("table.csv --target one", "column 'one' holds only 'k'; two classes are the least"),
        ("table.csv --target none", "column 'none' holds no label; two classes are the least"),
        ("table.csv --target price", "column 'price' holds numbers with fractions"),
        (
            "table.csv --target name",
            "3 folds .* need 4 rows of each class, .* an identifier or a quantity",
        ),
        ("table.csv --target rare", "3 folds .* need 4 rows of each class, .* 'x' (1); collect"),
        ("table.csv --target label --folds 40", "40 folds .* need 54 rows of each class"),
        ("table.csv --target label --test-size 0.01", "1 row held out for 2 classes; raise"),
        ("table.csv --target label --save m.pkl", "--save m.pkl: the name must end in .joblib"),
        ("--save no/m.joblib", "--save no/m.joblib: there is no directory no"),
        ("--save table.csv/m.joblib", "--save table.csv/m.joblib: there is no directory"),
        ("--save folder.joblib", "--save folder.joblib: cannot be written"),
        ("useless.csv --target label", "no columns to learn from; left out: columns with one"),
        (
            "huge.csv --target label",
            "no columns to learn from; .*: huge; .* are infinite or beyond",
        ),
        ("--target label", "--target needs a table"),
        ("--plot table.csv", "--plot table.csv: File exists"),
        ("--plot table.csv/pictures", "--plot table.csv/pictures: Not a directory"),
        ("--candidates 0", "--candidates must be at least 1"),
        ("--candidates some", "argument --candidates: invalid int value: 'some'"),
        ("--folds 1", "--folds must be at least 2"),
        ("--test-size 1", "--test-size must be between 0 and 1"),
        *(
            (f"--time-budget {budget}", "--time-budget must be above 0 seconds, and finite")
            for budget in ("0", "-1", "inf", "nan")
        ),
        ("--jobs 0", "--jobs must be"),
        ("--seed -1", "--seed must be"),
        ("--what", "unrecognized arguments: --what"),
    ],
)
def test_bad_input(run, bad_files, monkeypatch, arguments, message):
    monkeypatch.chdir(bad_files)
    status, out, err = run(*arguments.split())
    assert status == 2
    line = err.splitlines()[-1]
    assert re.match("skbn: " + re.escape(message).replace(r"\.\*", ".*"), line)
    assert out == ""
    assert err.count("\n") == 1


@pytest.mark.slow
def test_full_disk(run, table, monkeypatch):
    def dump(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(joblib, "dump", dump)
    table.to_csv("table.csv", index=False)
    status, out, err = run("table.csv", "--target", "label", "--save", "m.joblib", *QUICK)
    assert status == 2
    assert "held out" in out
    assert err.splitlines()[-1] == "skbn: --save m.joblib: No space left on device"


@pytest.fixture
def start(tmp_path):
    """Start the command as a process, for a thousand candidates, and wait for a line."""
    processes = []

    def start(*argv, until, stream="stderr"):
        process = subprocess.Popen(
            [sys.executable, "-m", "skbn", "--candidates", "1000", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        processes.append(process)
        while not re.search(until, line := getattr(process, stream).readline()):
            assert line, process.communicate()
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_ctrl_c_ends_the_search_with_the_best_so_far(start, tmp_path):
    process = start("--save", "m.joblib", until=r"/4005 fits, best log-loss")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    n_candidates = int(re.search(r"Ended early, after (\d+) of 1000 candidates", out)[1])
    assert f"for {n_candidates} candidates in 3 folds" in out
    assert scores(out)[0] > 0.5
    assert (tmp_path / "m.joblib").exists()


@pytest.mark.slow
def test_ctrl_c_before_anything_is_known_ends_the_run(start):
    process = start(until="Tuning 1000 candidates", stream="stdout")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130)  # the first candidate may be whole by then
    if process.returncode:
        assert err.splitlines()[-1] == "skbn: interrupted"


def test_ctrl_c_works_as_before_afterwards(run):
    before = signal.getsignal(signal.SIGINT)
    run("no.csv")
    assert signal.getsignal(signal.SIGINT) is before


def test_version(run, capsys):
    with pytest.raises(SystemExit, match="0"):
        run("--version")
    assert capsys.readouterr().out == f"skbn {__version__}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "out", "err"),
    [
        (["--help"], 0, r"usage: python -m skbn .*--target COLUMN.*examples:.*", ""),
        (["no.csv"], 2, "", r"skbn: cannot read no\.csv: [^\n]*\n"),
    ],
)
def test_as_a_process(tmp_path, arguments, status, out, err):
    done = subprocess.run(
        [sys.executable, "-m", "skbn", *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == status
    assert re.fullmatch(out, done.stdout, re.S)
    assert re.fullmatch(err, done.stderr)

"""The command ``python -m skbn drift``: what it reads, prints, draws, and its exit status."""

import json
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skbn import BNSoftmaxClassifier, drift_command, tabular_pipeline
from skbn import __main__ as main
from skbn.drift.features import features_of, forms_within
from skbn.export import save_model

pytestmark = pytest.mark.slow

N_ROWS = 300
NAMES = ["width", "height"]


def make_table(seed, move=0.0):
    """A table of two numbers, a number of the row, a text and the label that follows from one."""
    stream = np.random.default_rng(seed)
    kind = np.arange(N_ROWS) % 2
    return pd.DataFrame(
        {
            "row": np.arange(N_ROWS) + N_ROWS * seed,
            "height": stream.normal(size=N_ROWS),
            "width": stream.normal(3.0 * kind) + move,
            "label": kind,
        }
    )


def make_model(frame):
    network = BNSoftmaxClassifier((8,), max_iter=5, random_state=0)
    return make_pipeline(StandardScaler(), network).fit(frame[NAMES], frame["label"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Files: a model, the table it was trained on, one like it and one that moved."""
    monkeypatch.chdir(tmp_path)
    old = make_table(0)
    tables = {"old": old, "same": make_table(1), "moved": make_table(2, move=5.0)}
    for name, table in tables.items():
        table.to_csv(f"{name}.csv", index=False)
    model = make_model(old)
    joblib.dump(model, "model.joblib")
    network = BNSoftmaxClassifier((8,), max_iter=5, random_state=0)
    save_model(network.fit(old[NAMES], old["label"]), "model.npz")
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Run the command: its status, stdout and stderr."""

    def run(*argv):
        status = main.main(["drift", *map(str, argv)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def given(monkeypatch):
    """What the report is made of, and the report that is given for it."""
    given = {"advice": "nothing"}

    def report(model, X_old, X_new, y_new=None):
        given.update(model=model, X_old=X_old, X_new=X_new, y_new=y_new)
        plain = {"advice": given["advice"], "text": "näive"}
        tables = {"columns": pd.DataFrame(), "classes": pd.DataFrame(), "layers": None}
        summary = {"summary": lambda: "In words.", "to_dict": lambda: plain}
        return SimpleNamespace(advice=given["advice"], **tables, **summary)

    monkeypatch.setattr(drift_command, "drift_report", report)
    return given


@pytest.mark.parametrize("model", ["model.joblib", "model.npz"])
def test_the_exit_status_and_the_report(run, model):
    status, out, err = run(model, "old.csv", "same.csv", "--target", "label")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) >= 1
    status, moved, err = run(model, "old.csv", "moved.csv")
    assert (status, err) == (3, "")
    assert "width" in moved
    assert "row" not in [word.strip(",.:") for word in moved.split()]  # no column of the model


@pytest.mark.parametrize(
    ("advice", "status"),
    [("nothing", 0), *((each, 3) for each in ("adapt", "new priors", "retune", "collect labels"))],
)
def test_any_advice_but_nothing_gives_3(run, given, advice, status):
    given["advice"] = advice
    assert run("model.joblib", "old.csv", "same.csv") == (status, "In words.\n", "")
    found, out, _ = run("model.joblib", "old.csv", "same.csv", "--json")
    assert found == status
    assert json.loads(out) == {"advice": advice, "text": "näive"}


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("200", 100)])
def test_long_lines_are_broken_between_words(run, monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = run("model.joblib", "old.csv", "moved.csv")
    assert width - 15 < max(map(len, out.splitlines())) <= width


def test_the_columns_of_the_model_are_taken_in_its_order(run, given):
    run("model.joblib", "old.csv", "moved.csv")
    assert given["X_old"].columns.tolist() == given["X_new"].columns.tolist() == NAMES
    pd.testing.assert_frame_equal(given["X_new"], pd.read_csv("moved.csv")[NAMES])
    assert given["y_new"] is None


def test_names_with_spaces_and_columns_of_no_use_do_not_matter(run, given):
    old = pd.read_csv("old.csv").rename(columns={"width": " width"})
    joblib.dump(LogisticRegression().fit(old[[" width"]], old["label"]), "kept.joblib")
    old[[" width"]].to_csv("few.csv", index=False)
    assert run("kept.joblib", "old.csv", "few.csv")[0] == 0
    assert given["X_old"].columns.tolist() == given["X_new"].columns.tolist() == [" width"]


def as_people_write(frame):
    """A table of text: decimal commas, thousands, per cent and dates."""
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["row"] % 300, unit="D")
    text = pd.DataFrame(
        {
            "wide": (frame["width"] * 1000).map("{:,.3f}".format),
            "share": frame["height"].map("{:.1f} %".format),
        }
    )
    return text.apply(lambda column: column.str.translate(str.maketrans(",.", ".,"))).assign(
        day=days.dt.strftime("%d/%m/%Y"),
        word=np.where(frame["label"] == 1, "so", "NA"),
        flag=np.where(frame["height"] > 0, "True", "False"),
        label=np.where(frame["label"] == 1, "yes", "None"),
    )


@pytest.mark.slow
def test_a_model_of_the_command_reads_both_tables_as_the_one_it_was_trained_on(run, capsys):
    for name, seed in {"then": 0, "now": 1}.items():
        as_people_write(make_table(seed)).to_csv(f"{name}.csv", sep=";", index=False)
    argv = ["then.csv", "--target", "label", "--save", "text.joblib", "--candidates", "1"]
    assert main.main([*argv, "--folds", "2"]) == 0
    capsys.readouterr()
    status, out, err = run("text.joblib", "then.csv", "now.csv", "--target", "label", "--json")
    report = json.loads(out)
    columns = {each["column"]: each for each in report["columns"]}
    assert (status, report["advice"], err) == (0, "nothing", "")
    assert report["n_labels"] == N_ROWS
    assert {name: column["kind"] for name, column in columns.items()} == {
        **{"wide": "number", "share": "number", "day": "date", "word": "category"},
        "flag": "category",
    }
    assert not any(column["new_categories"] for column in columns.values())


@pytest.fixture
def open_tables(folder):
    """A model that has seen decimal commas and dates of both orders, and cells that tell nothing.

    The kind of a row follows from each of its cells.
    """
    then = pd.DataFrame(
        {"size": ["1,5", "1,501", "9.000,5", "9.001"] * 5, "day": ["13/01/2024", "14/12/2024"] * 10}
    )
    model = tabular_pipeline(LogisticRegression()).fit(then, ["a", "a", "b", "b"] * 5)
    joblib.dump(model, "open.joblib")
    then.to_csv("then.csv", index=False)
    now = pd.DataFrame({"size": ["1,234", "9.000"] * 5, "day": ["01/02/2024", "02/03/2024"] * 5})
    now.to_csv("now.csv", index=False)


@pytest.mark.parametrize(
    ("options", "sizes"), [([], [1.234, 9000]), (["--decimal", "."], [1234, 9])]
)
def test_cells_that_may_be_read_either_way_are_read_by_the_model(
    run, given, open_tables, options, sizes
):
    assert run("open.joblib", "then.csv", "now.csv", *options)[0] == 0
    cleaned = given["model"][0].transform(given["X_new"])
    assert cleaned["size"].tolist() == sizes * 5
    assert cleaned["day"].dt.strftime("%d %b").tolist() == ["01 Feb", "02 Mar"] * 5
    size, day = features_of(given["X_old"], given["X_new"], forms_within(given["model"]))
    assert (size.kind, size.new.tolist()) == ("number", sizes * 5)
    assert (day.kind, day.new[:2].tolist()) == ("date", [19754.0, 19784.0])


@pytest.mark.parametrize(
    ("separator", "widths", "options", "expected"),
    [
        (";", ["1,5", "2,25"], [], [1.5, 2.25]),
        (";", ["1,234", "2"], [], [1.234, 2]),
        (";", ["1.234", "2.5"], [], [1.234, 2.5]),
        ("|", ["1,234", "2"], ["--decimal", ",", "--separator", "|"], [1.234, 2]),
        (",", ["1,234", "2,000.5"], ["--decimal", "."], [1234, 2000.5]),
        (",", ["1.5", "NA"], [], [1.5, np.nan]),
        (",", ["True", "False"], [], [True, False]),
        (",", ["x", "12 %"], [], ["x", "12 %"]),
    ],
)
def test_other_models_get_the_types_that_programs_give(
    run, given, separator, widths, options, expected
):
    new = pd.DataFrame({"width": widths * 50, "height": "0"})
    new.to_csv("written.csv", sep=separator, index=False, encoding="utf-16")
    assert run("model.joblib", "written.csv", "written.csv", *options)[0] == 0
    expected = pd.DataFrame({"width": expected * 50, "height": 0})
    pd.testing.assert_frame_equal(given["X_new"], expected, check_dtype=False)
    assert given["X_new"]["width"].dtype.kind == expected["width"].dtype.kind


def test_text_of_typed_files_stays_text(run, given):
    frame = pd.DataFrame({"width": ["1", "2"] * 50, "height": [0.5, 1.5] * 50})
    frame.to_parquet("typed.parquet")
    assert run("model.joblib", "typed.parquet", "typed.parquet", "--decimal", ",")[0] == 0
    pd.testing.assert_frame_equal(given["X_new"], frame)


def test_labels_of_the_new_rows_may_be_missing(run, given):
    new = pd.read_csv("moved.csv").astype({"label": object})
    new.loc[::3, "label"] = None
    new.to_csv("some.csv", index=False)
    run("model.joblib", "old.csv", "some.csv", "--target", "label")
    expected = [None if i % 3 == 0 else i % 2 for i in range(N_ROWS)]
    assert list(given["y_new"]) == expected  # whole numbers again, as the classes of the model
    for name, frame in ("empty", new.assign(label=None)), ("without", new.drop(columns="label")):
        frame.to_csv(f"{name}.csv", index=False)
        assert run("model.joblib", "old.csv", f"{name}.csv", "--target", "label")[0] == 0
        assert given["y_new"] is None
    assert run("model.joblib", "without.csv", "moved.csv", "--target", "label")[0] == 0
    assert list(given["y_new"]) == pd.read_csv("moved.csv")["label"].tolist()


def test_a_model_that_was_fitted_to_an_array_takes_all_columns(run, given):
    old = pd.read_csv("old.csv").drop(columns="row")
    old.to_csv("unnamed.csv", index=False)
    model = LogisticRegression().fit(old[["height", "width"]].to_numpy(), old["label"])
    joblib.dump(model, "array.joblib")
    assert run("array.joblib", "unnamed.csv", "unnamed.csv", "--target", "label")[0] == 0
    assert given["X_new"].columns.tolist() == ["height", "width"]
    status, out, err = run("array.joblib", "unnamed.csv", "unnamed.csv")
    assert (status, out) == (2, "")
    assert "has 3 columns, and the model takes 2 without names; --target" in err


@pytest.mark.parametrize("name", ["moved.csv.gz", "moved.parquet"])
def test_other_files_of_tables(run, given, name):
    frame = pd.read_csv("moved.csv")
    frame.to_parquet(name) if name.endswith("parquet") else frame.to_csv(name, index=False)
    assert run("model.joblib", "old.csv", name)[0] == 0
    pd.testing.assert_frame_equal(given["X_new"], frame[NAMES])


def test_a_file_of_skops(run, given):
    skops = pytest.importorskip("skops.io")
    skops.dump(joblib.load("model.joblib"), "model.skops")
    assert run("model.skops", "old.csv", "moved.csv")[0] == 0
    skops.dump(FunctionTransformer(print), "wild.skops")
    status, _, err = run("wild.skops", "old.csv", "moved.csv")
    assert status == 2
    assert "cannot load wild.skops: UntrustedTypesFoundException" in err


@pytest.mark.slow
def test_pictures(run):
    status, out, _ = run("model.joblib", "old.csv", "moved.csv", "--plot", "a/b")
    names = ["overview", "columns", "classes", "layers"]
    assert status == 3
    assert out.endswith("Pictures: " + ", ".join(f"a/b/{name}.png" for name in names) + "\n")
    old = pd.read_csv("old.csv")
    joblib.dump(LogisticRegression().fit(old[NAMES], old["label"]), "no_layers.joblib")
    status, out, _ = run("no_layers.joblib", "old.csv", "moved.csv", "--plot", "c", "--json")
    assert json.loads(out)["advice"] != "nothing"
    assert (status, len(list((Path("c")).iterdir()))) == (3, 3)


def write(name, content):
    Path(name).write_bytes(content)
    return name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (lambda: ["model.joblib", "old.csv"], "required: new; see python -m skbn drift --help"),
        (lambda: ["none.joblib", "old.csv", "same.csv"], "none.joblib: No such file"),
        (lambda: [".", "old.csv", "same.csv"], "cannot load .: Is a directory"),
        (
            lambda: ["old.csv", "old.csv", "same.csv"],
            "cannot load old.csv: it is no model that joblib wrote, or a dam",
        ),
        (
            lambda: [write("e.joblib", b""), "old.csv", "same.csv"],
            "cannot load e.joblib: it is no model",
        ),
        (lambda: [write("e.npz", b"no"), "old.csv", "same.csv"], "cannot load e.npz: ValueError"),
        (
            lambda: [*joblib.dump({"a": 1}, "d.joblib"), "old.csv", "same.csv"],
            "d.joblib holds a dict, and this is no fitted classifier",
        ),
        (
            lambda: [*joblib.dump(LogisticRegression(), "u.joblib"), "old.csv", "same.csv"],
            "u.joblib holds a LogisticRegression, and this is no fitted classifier",
        ),
        (lambda: ["model.joblib", "none.csv", "same.csv"], "cannot read none.csv: No such file"),
        (lambda: ["model.joblib", "old.csv", write("e.csv", b"")], "cannot read e.csv"),
        (
            lambda: ["model.joblib", "old.csv", write("h.csv", b"width,height\n")],
            "h.csv holds no rows",
        ),
        (
            lambda: ["model.joblib", write("w.csv", b"width\n1\n"), "same.csv"],
            "w.csv lacks columns that the model takes: height",
        ),
        (
            lambda: ["model.joblib", "old.csv", "same.csv", "--target", "lable"],
            "no column 'lable' in old.csv or same.csv",
        ),
        (
            lambda: ["model.joblib", "old.csv", "same.csv", "--target", "width"],
            "column 'width' holds numbers with fractions",
        ),
        (
            lambda: ["model.joblib", "old.csv", write("t.csv", b"width,height\na,b\nc,d\n")],
            "no report of model.joblib and these tables: ",
        ),
        (
            lambda: ["model.joblib", "old.csv", "same.csv", "--plot", "old.csv"],
            "--plot old.csv: File exists",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(run, arguments, words):
    status, out, err = run(*arguments())
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert err.startswith("skbn: ")


def test_the_help_warns_of_what_a_file_may_run_and_fits_a_terminal(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "runs code that is in it: give only files that you trust" in " ".join(text.split())
    assert max(map(len, text.splitlines())) < 80

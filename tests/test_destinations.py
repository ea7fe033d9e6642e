"""Files that commands write."""

import os

import joblib
import pytest

from skbn import destinations
from skbn.destinations import check_destination, save_model, try_folder, whole_file
from skbn.tables.messages import InputError


@pytest.fixture(params=["write", "fsync", "replace"])
def full_disk(request, monkeypatch):
    """A disk without room, which is told at the first bytes or at the last."""

    def fail(*_):
        raise OSError(28, "No space left on device")

    if request.param == "write":
        monkeypatch.setattr(joblib, "dump", fail)
    else:
        monkeypatch.setattr(os, request.param, fail)


def test_a_model_is_saved_and_takes_the_place_of_another(tmp_path):
    path = tmp_path / "m.joblib"
    for model in ([1], [2]):
        save_model(model, path)
        assert joblib.load(path) == model
    assert os.listdir(tmp_path) == ["m.joblib"]


def test_a_full_disk_leaves_the_former_model(tmp_path, full_disk):
    path = tmp_path / "m.joblib"
    path.write_bytes(b"former")
    with pytest.raises(InputError, match=r"^--save .*m\.joblib: No space left on device$"):
        save_model([1], path)
    assert path.read_bytes() == b"former"
    assert os.listdir(tmp_path) == ["m.joblib"]


def test_an_interruption_leaves_the_former_file(tmp_path):
    (tmp_path / "a").write_bytes(b"former")

    def write_half():
        with whole_file(str(tmp_path / "a")) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert (tmp_path / "a").read_bytes() == b"former"
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "m.joblib"
    link.symlink_to(tmp_path / "folder" / "real.joblib")
    for model in (1, 2):  # without the file, and with it
        check_destination(link)
        save_model(model, link)
        assert link.is_symlink()
        assert joblib.load(tmp_path / "folder" / "real.joblib") == model


def test_destinations_are_tried_and_nothing_stays(tmp_path):
    check_destination(tmp_path / "new.joblib")
    (tmp_path / "old.joblib").write_bytes(b"former")
    check_destination(tmp_path / "old.joblib")
    try_folder(tmp_path)
    assert os.listdir(tmp_path) == ["old.joblib"]
    assert (tmp_path / "old.joblib").read_bytes() == b"former"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("m.pkl", "the name must end in .joblib"),
        ("m", "the name must end in .joblib"),
        ("no/m.joblib", "there is no directory no"),
        ("file/m.joblib", "there is no directory file"),
        ("folder.joblib", "cannot be written: Is a directory"),
        (f"{'m' * 300}.joblib", "cannot be written: File name too long"),
        ("/proc/m.joblib", "cannot be written: "),  # which root may not, either
        ("/sys/m.joblib", "cannot be written: "),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, monkeypatch, path, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.joblib").mkdir()
    (tmp_path / "file").touch()
    path = destinations.Path(path)
    if path.is_absolute() and not path.parent.is_dir():
        pytest.skip("of Linux")
    with pytest.raises(InputError) as told:
        check_destination(path)
    assert str(told.value).startswith(f"--save {path}: {reason}")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.joblib"]


def test_a_full_disk_is_found_by_the_trial(tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("of Linux")
    descriptor = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(destinations, "open", lambda *_: os.fdopen(descriptor, "wb"), raising=False)
    with pytest.raises(InputError, match=r"cannot be written: No space left on device$"):
        check_destination(tmp_path / "m.joblib")

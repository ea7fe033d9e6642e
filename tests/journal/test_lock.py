"""The lock of a journal: one owner at a time, and none that is dead."""

import os
import stat
import threading
from contextlib import contextmanager

import pytest

from skbn.journal import lock
from skbn.journal.lock import Lock, is_owned


@pytest.fixture
def journal(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "SECONDS_TO_WAIT", 0.05)
    monkeypatch.setattr(lock, "SECONDS_BETWEEN_TRIALS", 0.001)
    return str(tmp_path / "run.sqlite")


@contextmanager
def held(journal):
    taken = Lock(journal)
    try:
        yield taken
    finally:
        taken.release()


def test_one_owner_at_a_time(journal):
    assert not is_owned(journal)
    with held(journal):
        assert is_owned(journal)
        with open(f"{journal}.lock") as file:
            assert file.read() == f"{os.getpid()}\n"
        with pytest.raises(BlockingIOError):
            Lock(journal)
        assert is_owned(journal)
    assert not is_owned(journal)
    assert os.listdir(os.path.dirname(journal)) == []
    with held(journal):
        assert is_owned(journal)


def test_to_release_twice_takes_nothing_from_the_next_owner(journal):
    former = Lock(journal)
    former.release()
    with held(journal):
        former.release()
        former.leave()
        assert is_owned(journal)


def test_links_to_a_journal_have_its_owner(journal, tmp_path):
    (tmp_path / "link").symlink_to(journal)
    with held(journal):
        assert is_owned(tmp_path / "link")


@pytest.mark.parametrize("content", [b"", b"12345\n", b"4194304"])
def test_the_file_of_a_dead_process_is_no_obstacle(journal, content):
    with open(f"{journal}.lock", "wb") as file:
        file.write(content)
    assert not is_owned(journal)
    with held(journal), open(f"{journal}.lock") as file:
        assert file.read() == f"{os.getpid()}\n"


@pytest.mark.parametrize("content", [b"# packages\n", b"\0\1\2", b"12 13\n", b"1" * 40 + b"a"])
def test_another_file_of_the_name_is_kept(journal, content):
    with open(f"{journal}.lock", "wb") as file:
        file.write(content)
    for _ in range(2):
        with pytest.raises(FileExistsError):
            Lock(journal)
    with open(f"{journal}.lock", "rb") as file:
        assert file.read() == content


def test_who_may_read_the_journal_may_look_at_the_lock(journal):
    modes = []
    for mode in (0o600, 0o644, 0o400):
        with open(journal, "w"):
            os.chmod(journal, mode)
        before = os.umask(0o022)
        with held(journal):
            modes.append(stat.S_IMODE(os.stat(f"{journal}.lock").st_mode))
        os.umask(before)
        os.unlink(journal)
    assert modes == [0o600, 0o644, 0o600]


@pytest.mark.parametrize("in_the_way", ["folder", "file"])
def test_a_file_that_cannot_be_made_is_an_error_of_the_system(journal, in_the_way):
    if in_the_way == "folder":
        os.mkdir(f"{journal}.lock")
    else:
        with open(os.path.dirname(journal) + "/file", "w"):
            journal = os.path.dirname(journal) + "/file/run.sqlite"
    with pytest.raises(OSError, match="directory") as error:
        Lock(journal)
    assert not isinstance(error.value, (BlockingIOError, FileExistsError))


def test_a_look_disturbs_no_owner_to_be(journal, monkeypatch):
    """The next trial comes after the look."""
    open(f"{journal}.lock", "w").close()
    look = os.open(f"{journal}.lock", os.O_RDONLY)
    lock.try_lock(look, is_look=True)
    monkeypatch.setattr(lock, "sleep", lambda seconds: os.close(look))
    with held(journal):
        assert is_owned(journal)


def test_a_file_that_its_former_owner_removes_is_made_anew(journal, monkeypatch):
    former, locked = Lock(journal), []

    def try_lock(descriptor, is_look=False, original=lock.try_lock):
        if not locked:
            former.release()  # after the file was opened, and before it is locked
        locked.append(descriptor)
        original(descriptor, is_look)

    monkeypatch.setattr(lock, "try_lock", try_lock)
    with held(journal):
        assert len(locked) > 1
        assert is_owned(journal)
        with pytest.raises(BlockingIOError):
            Lock(journal)


def test_a_former_owner_leaves_the_file_of_the_next_one(journal):
    """Somebody may have removed the file."""
    former = Lock(journal)
    os.unlink(f"{journal}.lock")
    with held(journal):
        former.release()
        assert is_owned(journal)


def test_threads_are_owners_one_after_another(journal, monkeypatch):
    monkeypatch.setattr(lock, "SECONDS_TO_WAIT", 60)
    inside, most = [], []

    def work():
        for _ in range(30):
            with held(journal):
                inside.append(None)
                most.append(len(inside))
                os.stat(f"{journal}.lock")  # where other threads have their turn
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == [1] * 120

"""What of a machine decides the bits of a training."""

import skbn.session.machine as machine


def test_libraries_are_the_same_in_any_order(monkeypatch):
    blas = machine.blas_libraries()
    libraries = [{**blas[0], "version": version} for version in ("1", "2")]
    monkeypatch.setattr(machine, "blas_libraries", lambda: libraries)
    before = machine.this_machine()
    monkeypatch.setattr(machine, "blas_libraries", lambda: libraries[::-1])
    assert machine.differences_of_machines(before, machine.this_machine()) == ""

"""What benchmarks that compare two checkouts share: a process in each of them."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def folder(text):
    """Argument of a command: a checkout, the folder that holds ``skbn/``."""
    path = Path(text).resolve()
    if not (path / "skbn" / "__init__.py").is_file():
        raise argparse.ArgumentTypeError(f"{path} holds no skbn/")
    return path


def start(script, checkout, *arguments):
    """Start ``script --worker CHECKOUT`` with one BLAS thread, stdin and stdout being pipes."""
    environment = os.environ | dict.fromkeys(THREADS, "1")
    environment |= {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"}
    return subprocess.Popen(
        [sys.executable, script, "--worker", str(checkout), *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def enter(checkout):
    """Import skbn from a checkout, whatever is installed, and keep stdout for answers.

    Returns
    -------
    answers : file
        The pipe to the process that asked. What others print goes to stderr.
    """
    sys.path.insert(0, str(checkout))
    import skbn

    assert Path(skbn.__file__).resolve().is_relative_to(checkout), skbn.__file__
    answers, sys.stdout = sys.stdout, sys.stderr
    return answers

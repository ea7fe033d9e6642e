"""Check that a wheel holds the package, the whole package and nothing else."""

import sys
import zipfile
from email import message_from_string
from pathlib import Path

REQUIRED = {"numpy", "scipy", "scikit-learn", "pandas"}


def main(path: str) -> None:
    """Raise AssertionError if the wheel at ``path`` is not as it should be."""
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = message_from_string(wheel.read(info).decode())
    source = {str(file) for file in Path("skbn").rglob("*.py")} | {"skbn/py.typed"}
    packaged = {name for name in names if not name.startswith(info.rpartition("/")[0])}
    assert packaged == source, f"differs from the source tree: {sorted(packaged ^ source)}"
    assert any(name.endswith("licenses/LICENSE") for name in names), "the licence is missing"
    assert metadata["Name"] == "skbn"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "BNSoftmaxClassifier" in metadata.get_payload(), "the README is missing"
    requirements = metadata.get_all("Requires-Dist")
    always = {line.split(">=")[0] for line in requirements if "extra ==" not in line}
    assert always == REQUIRED, f"required: {sorted(always)}"
    print(f"{Path(path).name}: {len(packaged)} files, metadata as expected")


if __name__ == "__main__":
    main(sys.argv[1])

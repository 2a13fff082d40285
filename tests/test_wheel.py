"""The wheel holds both packages, with what they read: counterexamples, schemas, the page's CSS."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("CI"), reason="builds a wheel: only where CI is set"),
]

PROBE = """
import importlib.resources as resources
import pathlib, sys
import tralgos, theory_checks
from theory_checks.cli import main

for package in (tralgos, theory_checks):
    home = pathlib.Path(package.__file__).resolve()
    assert home.is_relative_to(pathlib.Path(sys.prefix).resolve()), home
    assert resources.files(package).joinpath("py.typed").is_file(), package
assert callable(tralgos.solve_trs)
print("imported", tralgos.__version__)
"""


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree with the installed back end: no network is needed."""
    target = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", str(target), str(ROOT), cwd=target)
    (built,) = target.glob("tralgos-*.whl")
    return built


def test_wheel_holds_what_it_should_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "tralgos/py.typed" in names
    assert "theory_checks/py.typed" in names
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"tralgos", "theory_checks"}
    kept = (ROOT / "theory_checks" / "counterexamples").glob("*.json")
    for path in kept:
        assert f"theory_checks/counterexamples/{path.name}" in names
    assert "theory_checks/page/ledger.css" in names
    for path in (ROOT / "theory_checks" / "schemas").glob("*.json"):
        assert f"theory_checks/schemas/{path.name}" in names


def test_wheel_imports_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "env"
    venv.create(home, with_pip=True)
    python = str(home / ("Scripts" if os.name == "nt" else "bin") / "python")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel), cwd=tmp_path)
    # The dependencies come from this environment. A .pth file adds its folder to the path, but
    # does not run the .pth files in it, so the editable install of this tree stays out of sight.
    site = next((home / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert "imported" in run(python, "-I", "-c", PROBE, cwd=tmp_path)
    script = str(home / "bin" / "theory-checks")
    assert "efficient-tr" in run(script, "list", cwd=tmp_path)

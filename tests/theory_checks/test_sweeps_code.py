"""The code that decides: which sources count, as they run, and what is done when they change."""

from __future__ import annotations

import ast
import importlib
import random
import sys
from pathlib import Path

import pytest

from theory_checks.sweeps import CellError, ResultsError, executor_of, origin, run_sweep, sources

ROOT = Path(__file__).parents[2]


class Project:
    """Modules in a folder of their own, under a name that no other test has."""

    def __init__(self, folder, texts):
        self.name = f"cells_{random.Random(str(folder)).randrange(10**9)}"
        self.folder = folder
        for path, text in texts.items():
            file = self.file(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("NAME", self.name), encoding="utf-8")

    def file(self, path):
        return self.folder / path.replace("NAME", self.name)

    def module(self, name):
        importlib.invalidate_caches()
        return importlib.import_module(name.replace("NAME", self.name))

    def change(self, path, old="", new=""):
        """Replace a part of a file by one of another length; add a comment where there is none."""
        file = self.file(path)
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new) if old else f"{text}# more\n", encoding="utf-8")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    yield lambda texts: Project(tmp_path, texts)
    for name in [n for n in sys.modules if n.startswith("cells_")]:
        del sys.modules[name]


def fresh(project, module):
    """The digest of a module that is not loaded, nor is what it imports."""
    importlib.invalidate_caches()
    name = module.replace("NAME", project.name)
    digest = sources.digest_of(name)
    assert not any(loaded.startswith(project.name) for loaded in sys.modules)
    return digest


IN_A_PACKAGE = {
    "NAME/__init__.py": "",
    "NAME/core.py": "def f(c):\n    return c\n",
    "NAME/unused.py": "g = 1\n",
    "NAME/sub/__init__.py": "",
    "NAME/sub/near.py": "def g(c):\n    return c\n",
    "NAME/sub/cells.py": (
        "from NAME.core import f\n\ndef cell(c):\n    from .near import g\n    return g(f(c))\n"
    ),
}

ALONE = {
    "NAME.py": "import json\nimport NAME_helper\n\ndef cell(c):\n    return NAME_helper.f(c)\n",
    "NAME_helper.py": "from NAME_second import f\n",
    "NAME_second.py": "def f(c):\n    return c\n",
    "NAME_unused.py": "f = 1\n",
}


@pytest.mark.parametrize(
    ("texts", "module", "counts", "path"),
    [
        *(
            (IN_A_PACKAGE, "NAME.sub.cells", path != "NAME/unused.py", path)
            for path in IN_A_PACKAGE
        ),
        *((ALONE, "NAME", path != "NAME_unused.py", path) for path in ALONE),
    ],
)
def test_sources_that_are_imported_count_from_the_top_of_the_package_and_beside_a_module(
    project, texts, module, counts, path
):
    """Through others, and within functions; and those of a package on the way to a module."""
    made = project(texts)
    before = fresh(made, module)
    made.change(path)
    assert (fresh(made, module) != before) is counts


def test_a_module_that_is_loaded_again_has_other_sources_and_one_that_was_edited_alone_has_not(
    project, tmp_path
):
    """The old function, still in memory, gives the old results; they belong to the old text."""
    made = project({"NAME.py": "def cell(c):\n    return 2 * c\n"})
    module = made.module("NAME")
    results = tmp_path / "r"
    assert run_sweep([1, 2], module.cell, name="s", results=results).results == {1: 2, 2: 4}
    made.change("NAME.py", "2 * c", "3.0 * c")
    again = run_sweep([1, 2, 3], module.cell, name="s", results=results)
    assert (again.results, again.resumed) == ({1: 2, 2: 4, 3: 6}, 2)
    module = importlib.reload(module)
    with pytest.raises(ResultsError, match="of another sweep: sources was"):
        run_sweep([1, 2, 3, 4], module.cell, name="s", results=results)
    assert run_sweep([4], module.cell, name="s").results == {4: 12.0}


def test_a_helper_that_is_loaded_again_counts_too(project, tmp_path):
    made = project(ALONE)
    module = made.module("NAME")
    run_sweep([1], module.cell, name="s", results=tmp_path / "r")
    made.change("NAME_second.py", "return c", "return c + 1")
    for name in ("NAME_second", "NAME_helper"):
        importlib.reload(made.module(name))
    with pytest.raises(ResultsError, match="sources"):
        run_sweep([1], module.cell, name="s", results=tmp_path / "r")


def test_a_worker_of_a_pool_that_is_kept_does_not_go_on_with_what_it_had(project):
    made = project({"NAME.py": "def cell(c):\n    return 2 * c\n"})
    module = made.module("NAME")
    with executor_of("processes", 1) as executor:
        assert run_sweep([1], module.cell, name="s", executor=executor).results == {1: 2}
        made.change("NAME.py", "2 * c", "3.0 * c")
        module = importlib.reload(module)
        with pytest.raises(CellError, match="the worker has other code: sources"):
            run_sweep([1], module.cell, name="s", executor=executor)


def test_the_sources_of_both_packages_count_for_experiments(monkeypatch):
    """Also where they are installed, and whatever module of them a cell needs."""
    module = "theory_checks.experiments.figure_2_cells"
    before = sources.digest_of(module)
    seen = []
    text = sources._text
    monkeypatch.setattr(sources, "_text", lambda name, path: seen.append(name) or text(name, path))
    monkeypatch.setattr(sources, "_libraries", lambda: (ROOT,))
    sources._counts.cache_clear()
    try:
        assert sources.digest_of(module) == before
    finally:
        sources._counts.cache_clear()
    files = {path for name in ("tralgos", "theory_checks") for path in (ROOT / name).rglob("*.py")}
    assert len(seen) == len(set(seen)) == len(files)
    assert {"tralgos.shares", "tralgos", module, "theory_checks.registry"} <= set(seen)
    for name in ("tralgos.shares", "theory_checks.report"):
        monkeypatch.setattr(
            sources, "_text", lambda n, path, name=name: text(n, path) + b"#" * (n == name)
        )
        assert sources.digest_of(module) != before


def test_libraries_and_python_itself_go_by_their_versions():
    nothing = sources.digest_of("math")
    assert sources.digest_of("numpy.linalg") == sources.digest_of("statistics") == nothing
    assert set(origin.code_of("math")["versions"]) == {
        "python",
        "tralgos",
        "numpy",
        "scipy",
        "mpmath",
    }


def test_sweeps_import_neither_the_experiments_nor_the_claims():
    """A worker needs none of them; the options of the command line alone know experiments."""
    for path in (ROOT / "theory_checks" / "sweeps").glob("*.py"):
        if path.name == "options.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("theory_checks"):
                assert node.module.removeprefix("theory_checks.").split(".")[0] in {
                    "backends",
                    "codec",
                    "processes",
                    "provenance",
                    "records",
                    "sweeps",
                    "watching",
                }

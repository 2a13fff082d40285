"""What a result was made with: versions, and the state of the sources."""

from __future__ import annotations

import hashlib
import platform
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import theory_checks
import tralgos

__all__ = ["fingerprint", "versions"]

_LIBRARIES = ("numpy", "scipy", "mpmath", "hypothesis")


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of what the numbers rest on."""
    found = {name: metadata.version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "tralgos": tralgos.__version__, **found}


def _source(name: str) -> Path | None:
    origin = getattr(sys.modules.get(name), "__file__", None)
    if origin is None or not origin.endswith(".py"):
        return None
    # Some modules are made by others and name a file that nobody has: torch's "_classes.py".
    return Path(origin) if Path(origin).is_file() else None


def _package(name: str) -> Iterator[Path]:
    """All sources of the package at the top of a dotted name."""
    source = _source(name.partition(".")[0])
    if source is None:
        return
    yield from sorted(source.parent.rglob("*.py")) if source.name == "__init__.py" else (source,)


def _local() -> Iterator[Path]:
    """The sources of imported modules that are neither installed nor of Python itself."""
    installed = [*site.getsitepackages(), site.getusersitepackages()]
    paths = sysconfig.get_paths()
    foreign = [Path(p).resolve() for p in (*installed, paths["stdlib"], paths["purelib"])]
    for name in sorted(sys.modules):
        if name.partition(".")[0] in ("tralgos", "theory_checks"):
            continue
        source = _source(name)
        if source is not None and not any(source.resolve().is_relative_to(f) for f in foreign):
            yield source


def fingerprint(modules: Iterable[str] = ()) -> str:
    """Return a digest of the sources that decide claims, and of the versions beneath them.

    To be called when the claims have been loaded: it takes the sources of both packages,
    of the packages that the named modules belong to, and of every other imported module
    that is not an installed library.

    Parameters
    ----------
    modules : iterable of str
        The modules that claims come from, installed ones among them.
    """
    digest = hashlib.sha256(repr(sorted(versions().items())).encode())
    homes = [Path(str(p.__file__)).parent for p in (tralgos, theory_checks)]
    paths = [path for home in homes for path in sorted(home.rglob("*.py"))]
    for module in dict.fromkeys(modules):
        paths += _package(module)
    for path in (*paths, *_local()):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()

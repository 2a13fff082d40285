"""What a result was made with: versions, and the state of the sources."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import tralgos

__all__ = ["fingerprint", "versions"]

_LIBRARIES = ("numpy", "scipy", "mpmath", "hypothesis")


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of what the numbers rest on."""
    found = {name: metadata.version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "tralgos": tralgos.__version__, **found}


def _sources(module: str) -> Iterable[Path]:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ()
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else (origin,)


def fingerprint(modules: Iterable[str] = ()) -> str:
    """Return a digest of the sources that decide a claim, and of the versions beneath them.

    Parameters
    ----------
    modules : iterable of str
        Modules with further claims.
    """
    digest = hashlib.sha256(repr(sorted(versions().items())).encode())
    for module in ("tralgos", "theory_checks", *modules):
        for path in _sources(module):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()

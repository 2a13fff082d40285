"""The sources of a function's module, and of what it imports that no version stands for."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

__all__ = ["digest_of"]

#: The packages of this project. They count as a whole: they find modules by name at run time.
_OWN = ("theory_checks", "tralgos")

#: Libraries that go by their versions, wherever they lie.
_VERSIONED = ("numpy", "scipy", "mpmath")

#: What was in a source when its module was loaded, or when it was first looked at after that. A
#: module that is reloaded has another spec; one that was edited alone still runs as it was.
_SEEN: dict[str, tuple[ModuleSpec, bytes]] = {}


def digest_of(module: str) -> str:
    """A digest of the sources that decide what a function of the module does.

    Those are the module's own, and of all that it imports, directly or not, also within its
    functions: from the package at the top of its name, and from modules that are neither
    installed nor of Python itself. This project's packages count as a whole, and both of them
    where the module is of one; otherwise, where they are installed, they go by their version.
    """
    top = module.partition(".")[0]
    texts: dict[str, bytes] = {}
    waiting = [module, *(_OWN if top in _OWN else ())]
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        first, _, rest = name.partition(".")
        source = _source(name) if _counts(first, top) else None
        if source is None:
            continue  # a name in a module, a library, or a module without a source
        texts[name] = _text(name, source)
        if first in _OWN:
            waiting += [] if rest else _modules(first, source)
            waiting.append(first)
            continue
        waiting.append(name.rpartition(".")[0])
        waiting += _imported(texts[name], name, package=source.name == "__init__.py")
    digest = hashlib.sha256()
    for name in sorted(texts):
        digest.update(f"{name}\0".encode() + hashlib.sha256(texts[name]).digest())
    return digest.hexdigest()


@functools.cache
def _counts(first: str, top: str) -> bool:
    """Whether modules below the name `first` count for a function below `top`."""
    if not first or first in sys.stdlib_module_names or first in _VERSIONED:
        return False
    if first == top or (first in _OWN and top in _OWN):
        return True
    spec = _found(first)
    if spec is None:
        return False
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return not any(
        Path(place).resolve().is_relative_to(i) for place in places for i in _libraries()
    )


@functools.cache
def _libraries() -> tuple[Path, ...]:
    """The folders of what is installed, and of Python's own modules."""
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [*site.getsitepackages(), site.getusersitepackages(), *(paths[n] for n in names)]
    return tuple(Path(folder).resolve() for folder in folders)


def _found(first: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None  # such as a module that was made by hand


def _source(name: str) -> Path | None:
    """The source of a module, which is not imported for it, nor are the packages above it."""
    first, *rest = name.split(".")
    spec = _found(first)
    if spec is None:
        return None
    if not rest:
        sources = [Path(spec.origin or "")]
    else:
        folders = [Path(place, *rest[:-1]) for place in spec.submodule_search_locations or ()]
        ends = (Path(rest[-1], "__init__.py"), Path(f"{rest[-1]}.py"))
        sources = [folder / end for folder in folders for end in ends]
    return next((path for path in sources if path.suffix == ".py" and path.is_file()), None)


def _modules(first: str, source: Path) -> Iterator[str]:
    """The names of all modules of a package."""
    for path in source.parent.rglob("*.py"):
        parts = path.relative_to(source.parent).with_suffix("").parts
        yield ".".join((first, *parts[: -1 if parts[-1] == "__init__" else None]))


def _text(name: str, source: Path) -> bytes:
    """The source of a module: of a loaded one as it is in memory, as far as that can be told."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None:
        return source.read_bytes()
    former, text = _SEEN.get(name, (None, b""))
    if former is not spec:
        text = source.read_bytes()
        _SEEN[name] = spec, text
    return text


@functools.lru_cache(maxsize=256)
def _imported(text: bytes, name: str, *, package: bool) -> tuple[str, ...]:
    """Everything that a module may import, also inside its functions."""
    home = name if package else name.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, home)
            names += (base, *(f"{base}.{alias.name}" for alias in node.names))
    return tuple(dict.fromkeys(names))

"""Every mutant of a set of modules: one small change to one place of the code.

The changes are those of mutmut's operators (a number plus one, an operator or a comparison
swapped, an argument dropped or None, a value not assigned, a branch forced), made wherever code
runs, decorators and module constants included; and one more, a call that stands alone dropped.
Left out is what no test should see: annotations and aliases of types, docstrings, ``raise``
statements, prose, the names of arguments that error messages quote, imports and ``__all__``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

__all__ = ["Module", "Mutant", "population"]

#: Calls of these get other arguments from no operator: they are the types' business.
_UNTOUCHED_CALLS = frozenset({"len", "isinstance", "cast", "TypeVar"})
#: Besides `check_...`: calls whose strings are names for messages, ("radius" of a radius).
_CHECKS = (
    *("number", "integer", "positive_scalar", "nonnegative_scalar", "positive_integer"),
    *("real_vector", "real_matrix", "same_home", "all_finite", "as_operator"),
    *("_fit", "_refuse", "_in_range"),
)


@dataclass(frozen=True)
class Mutant:
    """One change, as text.

    Attributes
    ----------
    key : str
        Names it among the mutants of the same sources: path, line, column, number.
    path : str
        The module, relative to the repository, with slashes.
    line : int
    lines : tuple of int
        First and last line of the statement, or of the head of a compound statement.
    scope : tuple of int
        First and last line of the innermost function or class around it, else of the module.
    operator : str
        Name of the operator that made it.
    """

    key: str
    path: str
    line: int
    lines: tuple[int, int]
    scope: tuple[int, int]
    operator: str


@dataclass(frozen=True)
class _Change:
    mutant: Mutant
    original: cst.CSTNode
    mutated: cst.CSTNode


class Module:
    """The mutants of one file."""

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path.relative_to(root).as_posix()
        self.source = path.read_text(encoding="utf-8")
        wrapper = MetadataWrapper(cst.parse_module(self.source))
        finder = _Finder(self.path, len(self.source.splitlines()))
        self._tree = wrapper.visit(finder)
        self._changes = {change.mutant.key: change for change in finder.changes}

    @property
    def mutants(self) -> list[Mutant]:
        """All of them, in the order of the file."""
        return [change.mutant for change in self._changes.values()]

    def mutated(self, key: str) -> str:
        """The source with that change made."""
        change = self._changes[key]
        return str(self._tree.deep_replace(change.original, change.mutated).code)

    def difference(self, key: str) -> str:
        """The lines that the change removes and adds."""
        before, after = self.source.splitlines(), self.mutated(key).splitlines()
        lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
        return "\n".join(line for line in lines if not line.startswith("@@"))


class _Finder(cst.CSTVisitor):  # type: ignore[misc]
    """Collects the changes; what is left out is not visited."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, path: str, length: int) -> None:
        super().__init__()
        self.changes: list[_Change] = []
        self._path = path
        self._statements: list[tuple[int, int]] = []
        self._scopes: list[tuple[int, int]] = [(1, length)]
        self._enums = 0
        self._names: set[int] = set()

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._left_out(node):
            return False
        if isinstance(node, cst.SimpleStatementLine):
            self._statements.append(self._span(node))
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._scopes.append(self._span(node))
            self._enums += _is_enum(node)
        for number, (operator, mutated) in enumerate(_changes(node)):
            self._add(node, mutated, operator, number)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.SimpleStatementLine):
            if self._statements and self._statements[-1] == self._span(original_node):
                self._statements.pop()
        elif isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._scopes.pop()
            self._enums -= _is_enum(original_node)

    def _span(self, node: cst.CSTNode) -> tuple[int, int]:
        where: Any = self.get_metadata(PositionProvider, node)
        return where.start.line, where.end.line

    def _add(self, node: cst.CSTNode, mutated: cst.CSTNode, name: str, number: int) -> None:
        start: Any = self.get_metadata(PositionProvider, node).start
        key = f"{self._path}:{start.line}:{start.column}:{name}:{number}"
        lines = self._statements[-1] if self._statements else self._span(node)
        mutant = Mutant(key, self._path, start.line, lines, self._scopes[-1], name)
        self.changes.append(_Change(mutant, node, mutated))

    def _left_out(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Annotation | cst.Raise | cst.Import | cst.ImportFrom):
            return True
        if isinstance(node, cst.Call) and _is_check(node):
            self._names.update(id(argument.value) for argument in node.args)
        if isinstance(node, cst.SimpleString):
            return _is_prose(node) or self._enums > 0 or id(node) in self._names
        if isinstance(node, cst.If):
            return isinstance(node.test, cst.Name) and node.test.value == "TYPE_CHECKING"
        if isinstance(node, cst.Assign):
            return len(self._scopes) == 1 and _is_for_types(node)
        return False


def _is_enum(node: cst.FunctionDef | cst.ClassDef) -> bool:
    if isinstance(node, cst.FunctionDef):
        return False
    bases = [base.value for base in node.bases]
    return any(isinstance(base, cst.Name) and base.value == "Enum" for base in bases)


def _is_prose(node: cst.SimpleString) -> bool:
    return node.value.endswith('"""') or " " in node.value


def _is_for_types(node: cst.Assign) -> bool:
    """Whether an assignment of a module is `__all__` or an alias for annotations."""
    target = node.targets[0].target
    if isinstance(target, cst.Name) and target.value == "__all__":
        return True
    value = node.value
    if isinstance(value, cst.Subscript):
        return isinstance(value.value, cst.Name)
    return isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.BitOr)


def _called(node: cst.Call) -> str:
    function = node.func
    if isinstance(function, cst.Attribute):
        function = function.attr
    return str(function.value) if isinstance(function, cst.Name) else ""


def _changes(node: cst.CSTNode) -> Iterator[tuple[str, cst.CSTNode]]:
    """(name of the operator, what it makes of the node), one after the other."""
    for kind, operator in mutation_operators:
        if not isinstance(node, kind):
            continue
        name = operator.__name__.removeprefix("operator_")
        for mutated in operator(node):
            if isinstance(node, cst.Call) and _only_words(node, mutated):
                continue
            yield name, mutated
    if isinstance(node, cst.Expr) and isinstance(node.value, cst.Call):
        yield "call_removal", cst.Expr(cst.Ellipsis())


def _only_words(node: cst.Call, mutated: cst.CSTNode) -> bool:
    """Whether only types, or the name that a message quotes, differ between two calls."""
    if _called(node) in _UNTOUCHED_CALLS:
        return True
    if not _is_check(node) or not isinstance(mutated, cst.Call):
        return False
    kept = {id(argument.value) for argument in mutated.args}
    return any(
        isinstance(argument.value, cst.SimpleString) and id(argument.value) not in kept
        for argument in node.args
    )


def _is_check(node: cst.Call) -> bool:
    name = _called(node)
    return name.startswith("check_") or name in _CHECKS


def population(root: Path, folders: Sequence[str]) -> dict[str, Module]:
    """The modules below `folders`, by path, with all their mutants."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    modules = [Module(root, path) for path in paths]
    return {module.path: module for module in modules}

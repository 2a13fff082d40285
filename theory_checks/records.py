"""A file of checked lines that grows, and that a kill at any moment leaves readable.

Each line is the CRC-32 of a JSON text in eight hexadecimal digits, a space, and the text. The
first says what the file is of. A line is on the disk when :meth:`Records.append` returns. What
was cut short at the end, or damaged anywhere, is found by its number.
"""

from __future__ import annotations

import io
import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Line", "Records", "differences", "encoded_line", "read_line"]


@dataclass(frozen=True)
class Line:
    """One line of a file, after the first.

    Attributes
    ----------
    number : int
        From 1 for the first line of the file.
    start, length : int
        Where it stands, in bytes, with its newline.
    document : dict or None
        None where the line is damaged.
    cut : bool
        Whether it is the last one, and without its newline.
    """

    number: int
    start: int
    length: int
    document: dict[str, Any] | None
    cut: bool = False


def encoded_line(document: Mapping[str, Any]) -> bytes:
    """The line of a document.

    Raises
    ------
    ValueError, TypeError
        For what JSON cannot hold.
    """
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


def read_line(raw: bytes) -> dict[str, Any] | None:
    """The document of a line; None where it is damaged."""
    try:
        check, text = raw.decode("utf-8").rstrip("\n").split(" ", 1)
        if not raw.endswith(b"\n") or int(check, 16) != zlib.crc32(text.encode()):
            return None
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


class _Nothing:
    """What stands for a leaf that is not there: null is one that is."""

    def __repr__(self) -> str:
        return "not there"


_NOTHING = _Nothing()


def differences(former: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The leaves in which two documents differ: dotted name, what was, what is.

    Leaves are compared by their text: 1, 1.0 and true are three, and so are 0.0 and -0.0 two.
    """
    if isinstance(former, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*now, *former)):
            dotted = f"{name}.{key}" if name else str(key)
            yield from differences(former.get(key, _NOTHING), now.get(key, _NOTHING), dotted)
    elif isinstance(former, list) and isinstance(now, list) and len(former) == len(now):
        for number, (one, other) in enumerate(zip(former, now, strict=True)):
            yield from differences(one, other, f"{name}[{number}]")
    elif _NOTHING in (former, now) or json.dumps(former) != json.dumps(now):
        yield name, former, now


def _is_blank(raw: bytes) -> bool:
    """Whether a line has been set aside: see :meth:`Records.set_aside`."""
    return raw.endswith(b"\n") and not raw.strip(b" \n")


class Records:
    """A file of checked lines, kept for this process alone while it is open.

    Parameters
    ----------
    path : Path
        Made when it does not exist.
    header : mapping
        What the file is of, with its schema. Plain data.
    what, of : str
        For the messages: what such a file is, and what it belongs to.
    error : type
        Of the exceptions.

    Raises
    ------
    error
        When the file is of something else, in use, no such file, or cannot be opened.
    """

    def __init__(
        self, path: Path, header: Mapping[str, Any], *, what: str, of: str, error: type[Exception]
    ) -> None:
        self._name, self._what, self._of, self._error = path.name, what, of, error
        self._file = self._opened(path)
        try:
            self._lock()
            self._end = 0
            self._begin(path, json.loads(json.dumps(header)))
        except BaseException:
            self._file.close()
            raise

    def _opened(self, path: Path) -> io.FileIO:
        if path.exists() and not path.is_file():
            raise self._error(f"{self._name}: not a file that a {self._what} can be kept in")
        try:
            # Not "w+b", which would empty what another run has made since. Not buffered: a
            # line that cannot be written must not be tried again on closing.
            binary = getattr(os, "O_BINARY", 0)
            return io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | binary, 0o666), "r+")
        except OSError as error:
            raise self._error(f"{self._name}: cannot be opened: {error.strerror}") from error

    def _lock(self) -> None:
        """Keep the file for this process, where the system has locks."""
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._error(f"{self._name}: another run writes to it now") from error
        except OSError as error:
            raise self._error(f"{self._name}: cannot be locked: {error.strerror}") from error

    def _begin(self, path: Path, header: dict[str, Any]) -> None:
        """Check the first line, or write it."""
        reader = io.BufferedReader(self._file)
        first = reader.readline()
        if not first or (not first.endswith(b"\n") and encoded_line(header).startswith(first)):
            reader.detach()  # empty, or killed while the first line was written
            self.append(header)
            _sync_folder(path.parent)
            return
        found = read_line(first)
        if found is None:
            readable = any(read_line(raw) is not None for raw in reader)
            reader.detach()
            raise self._error(self._unreadable(header, readable))
        reader.detach()
        for name, was, now in differences(found, header):
            raise self._error(
                f"{self._name}: of another {self._of}: {name} was {was!r}, now it is {now!r}; "
                "give another file, or remove this one"
            )
        self._end = len(first)

    def _unreadable(self, header: dict[str, Any], readable: bool) -> str:
        if not readable:
            return f"{self._name}: not a {self._what} of theory-checks"
        remedy = encoded_line(header).decode().rstrip("\n")
        return (
            f"{self._name}: line 1 is damaged, which says what {self._of} the file is of. "
            f"If it is of this {self._of}, make this its first line:\n{remedy}"
        )

    def lines(self) -> Iterator[Line]:
        """The lines after the first; those that were set aside are passed over.

        To be read to the end before anything is appended.
        """
        self._file.seek(self._end)
        reader = io.BufferedReader(self._file)
        try:
            for number, raw in enumerate(reader, start=2):
                start, cut = self._end, not raw.endswith(b"\n")
                if not cut:
                    self._end += len(raw)
                if not _is_blank(raw):
                    yield Line(number, start, len(raw), None if cut else read_line(raw), cut)
        finally:
            reader.detach()

    def set_aside(self, lines: list[Line], beside: Path) -> None:
        """Add damaged lines to the file `beside`, and leave blanks in their place.

        All lines keep their numbers; one that was cut short is taken away. Both is done when the
        other file is on the disk: a kill in between leaves the lines as they were.
        """
        if not lines:
            return
        try:
            with beside.open("ab") as other:
                for line in lines:
                    self._file.seek(line.start)
                    other.write(self._file.read(line.length).rstrip(b"\n") + b"\n")
                other.flush()
                os.fsync(other.fileno())
            for line in lines:
                self._file.seek(line.start)
                if line.cut:
                    self._file.truncate()  # the last one: it would be found again
                else:
                    self._write(b" " * (line.length - 1) + b"\n")
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._error(
                f"{self._name}: damaged lines cannot be set aside in {beside.name}: "
                f"{error.strerror}"
            ) from error

    def append(self, *documents: Mapping[str, Any]) -> None:
        """Add lines; they are on the disk when this returns, or none of them counts."""
        content = b"".join(encoded_line(document) for document in documents)
        try:
            self._file.seek(self._end)
            self._file.truncate()  # what was cut short, now or by an earlier kill
            self._write(content)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._error(f"{self._name}: cannot be written: {error.strerror}") from error
        self._end += len(content)

    def _write(self, content: bytes) -> None:
        """All of it: a single call may write a part, as on a disk that is nearly full."""
        view = memoryview(content)
        while view:
            view = view[self._file.write(view) :]

    def close(self) -> None:
        """Let another run have the file."""
        self._file.close()

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _sync_folder(folder: Path) -> None:
    """Have a new file's name on the disk too, where the system lets folders be written."""
    if sys.platform == "win32":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)

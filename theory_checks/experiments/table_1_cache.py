"""Finished parts of an experiment as small JSON files, so that a broken run can be resumed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Cache"]


@dataclass(frozen=True)
class Cache:
    """Values by keys that name everything that they depend on; one file each.

    Attributes
    ----------
    folder : Path or None
        Made when something is kept; with None nothing is.
    """

    folder: Path | None

    def get(self, key: Mapping[str, Any]) -> Any:
        """What was kept under this very key; None if nothing, or nothing that can be read."""
        if self.folder is None:
            return None
        try:
            entry = json.loads(self._file(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        # A file may be cut short, or stand under another key's name.
        if not isinstance(entry, dict) or entry.get("key") != _plain(key):
            return None
        return entry.get("value")

    def put(self, key: Mapping[str, Any], value: Any) -> None:
        """Keep a JSON value; the file is there whole or not at all.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._file(key)
        part = path.with_suffix(f".{os.getpid()}.part")
        text = json.dumps({"key": _plain(key), "value": value}, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(path)

    def _file(self, key: Mapping[str, Any]) -> Path:
        assert self.folder is not None
        text = json.dumps(_plain(key), sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def _plain(key: Mapping[str, Any]) -> Any:
    """The key as it comes back from JSON."""
    return json.loads(json.dumps(key))

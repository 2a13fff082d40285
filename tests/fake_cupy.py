"""CuPy's elementwise kernels on the host: their C code in a loop, compiled by gcc.

The rules are those of CuPy's reference: parameters are ``TYPE NAME``, a single capital letter
stands for one dtype throughout a call, arrays are broadcast, numbers are handed over by value,
``n``, ``i`` and names that begin with an underscore are reserved. Inputs are constants of the
body, so that a kernel that writes to one does not compile.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["FLAGS", "HEAD", "FakeCupy", "Parameter", "parameters"]

_C = {
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "int64": "long long",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
}

#: What CUDA knows of itself. `const` arguments of inlined code and the like are not looked at.
HEAD = """#include <math.h>
#include <stddef.h>
#define __device__ static
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{ return (unsigned long long)(((unsigned __int128)a * b) >> 64); }
"""

#: Warnings are errors; no contraction, so that results are those of IEEE arithmetic step by step.
FLAGS = ("-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-ffp-contract=off")


class Parameter:
    """One parameter of a kernel: its type (a letter, or a dtype's name) and its name."""

    def __init__(self, text: str) -> None:
        words = text.split()
        assert len(words) == 2, f"a parameter is TYPE NAME, not {text!r}"
        self.type, self.name = words
        assert self.type in _C or re.fullmatch("[A-Z]", self.type), f"type {self.type!r}"
        assert re.fullmatch(r"[A-Za-z]\w*", self.name), f"reserved or no name: {self.name!r}"
        assert self.name not in ("i", "n"), f"reserved name {self.name!r}"


def parameters(text: str) -> list[Parameter]:
    """The parameters of a list."""
    return [Parameter(part) for part in text.split(",") if part.strip()]


class FakeCupy(ModuleType):
    """A module with what the kernels of tralgos use of CuPy.

    Attributes
    ----------
    names : set of str
        Of the kernels that have run.
    """

    #: No array is one of CuPy's.
    ndarray = type("ndarray", (), {})

    def __init__(
        self,
        compiler: str,
        folder: Path,
        ran: Callable[[list[np.ndarray], list[np.ndarray]], None] | None = None,
    ) -> None:
        super().__init__("cupy")
        self.names: set[str] = set()
        self._compiler, self._folder, self._ran = compiler, folder, ran
        self._compiled: dict[str, Any] = {}
        self.empty = np.empty

    def ElementwiseKernel(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        *,
        preamble: str = "",
    ) -> Any:
        inputs, outputs = parameters(in_params), parameters(out_params)

        def kernel(*args: Any) -> Any:
            assert len(args) == len(inputs) + len(outputs), "outputs have to be handed over"
            return self._run(inputs, outputs, operation, name, preamble, args)

        return kernel

    def _run(
        self,
        inputs: Sequence[Parameter],
        outputs: Sequence[Parameter],
        operation: str,
        name: str,
        preamble: str,
        args: Sequence[Any],
    ) -> Any:
        hosts = [getattr(x, "host", x) for x in args]
        types = _types([*outputs, *inputs], [*hosts[len(inputs) :], *hosts[: len(inputs)]])
        shape = np.broadcast_shapes(*(x.shape for x in hosts if isinstance(x, np.ndarray)))
        targets = hosts[len(inputs) :]
        assert all(isinstance(x, np.ndarray) and x.shape == shape for x in targets)
        code = _source(inputs, outputs, types, operation, name, preamble)
        function = self._compile(code, name)
        self.names.add(name)
        # Copies, so that an output that is an input too is read before it is written.
        buffers = [
            _buffer(x, np.dtype(types.get(p.type, p.type)), shape)
            for p, x in zip([*inputs, *outputs], hosts, strict=True)
        ]
        pointers = [ctypes.c_void_p(buffer.ctypes.data) for buffer in buffers]
        steps = [ctypes.c_longlong(isinstance(x, np.ndarray)) for x in hosts]
        places = [part for pair in zip(pointers, steps, strict=True) for part in pair]
        function(ctypes.c_longlong(int(np.prod(shape))), *places)
        for target, buffer in zip(targets, buffers[len(inputs) :], strict=True):
            target[...] = buffer
        if self._ran is not None:
            self._ran([x for x in hosts[: len(inputs)] if isinstance(x, np.ndarray)], targets)
        return args[-1]

    def _compile(self, code: str, name: str) -> Any:
        if code not in self._compiled:
            stem = self._folder / f"{name}_{len(self._compiled)}"
            source, target = stem.with_suffix(".c"), stem.with_suffix(".so")
            source.write_text(code, encoding="utf-8")
            call = [self._compiler, *FLAGS, "-shared", "-fPIC", source, "-o", target, "-lm"]
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name} does not compile:\n{done.stderr}\n{code}"
            self._compiled[code] = getattr(ctypes.CDLL(str(target)), name)
        return self._compiled[code]


def _types(parameters: Sequence[Parameter], args: Sequence[Any]) -> dict[str, str]:
    """The dtype of each letter; arrays have to agree with it, and with dtypes by name."""
    types: dict[str, str] = {}
    for parameter, x in zip(parameters, args, strict=True):
        if not isinstance(x, np.ndarray):
            continue
        known = parameter.type if parameter.type in _C else types.get(parameter.type)
        assert known in (None, x.dtype.name), f"{parameter.name}: {x.dtype} for {known}"
        types[parameter.type] = x.dtype.name
    return types


def _source(
    inputs: Sequence[Parameter],
    outputs: Sequence[Parameter],
    types: dict[str, str],
    operation: str,
    name: str,
    preamble: str,
) -> str:
    """A function with a loop over entries, in the order in which CuPy puts the parts together."""
    letters = sorted(key for key in types if key not in _C)
    typedefs = "".join(f"typedef {_C[types[key]]} {key};\n" for key in letters)
    heads, loads, stores = ["long long n"], [], []
    for p in inputs:
        kind = p.type if p.type in letters else _C[p.type]
        heads.append(f"const {kind} *_{p.name}, long long _{p.name}_step")
        loads.append(f"const {kind} {p.name} = _{p.name}[i * _{p.name}_step];")
    for p in outputs:
        kind = p.type if p.type in letters else _C[p.type]
        heads.append(f"{kind} *_{p.name}, long long _{p.name}_step")
        loads.append(f"{kind} {p.name} = _{p.name}[i * _{p.name}_step];")
        stores.append(f"_{p.name}[i * _{p.name}_step] = {p.name};")
    body = "\n        ".join([*loads, f"{operation};", *stores])
    loop = f"for (ptrdiff_t i = 0; i < n; ++i) {{\n        {body}\n    }}"
    return f"{HEAD}{typedefs}{preamble}\nvoid {name}({', '.join(heads)}) {{\n    {loop}\n}}\n"


def _buffer(x: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    """A contiguous copy of an array, broadcast; or a number alone."""
    if isinstance(x, np.ndarray):
        return np.array(np.broadcast_to(x, shape), dtype=dtype, order="C")
    value = np.array(x, dtype=dtype)
    assert value == x, f"{x} does not fit {dtype}"
    return value

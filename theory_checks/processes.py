"""Processes that do cells: they end with the one that started them, and leave interrupts to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

__all__ = ["WorkerPool", "deaf_children", "default_jobs", "is_imported_by_a_worker"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Threads of the libraries that multiply matrices, by their variables.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def default_jobs() -> int:
    """Return the number of processes that a run takes unless told otherwise."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_imported_by_a_worker() -> bool:
    """Whether this process is a worker that imports the script it was started from."""
    return bool(getattr(multiprocessing.current_process(), "_inheriting", False))


def _end_with_parent(lifeline: Connection) -> None:
    """End this worker when the other end of the pipe is closed: by the parent, or by its end."""

    def watch() -> None:
        try:
            lifeline.recv_bytes()
        finally:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def deaf_children() -> Iterator[None]:
    """Let processes that are started meanwhile ignore an interrupt: the parent ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes that are started meanwhile multiply matrices with one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class WorkerPool(ProcessPoolExecutor):
    """Processes of one thread each, started anew rather than forked.

    They end with the process that made them, however that ends, and at once when the ``with``
    block is left by an exception: a cell may take hours, and an interrupt should not.

    Parameters
    ----------
    workers : int
        How many at most.
    """

    def __init__(self, workers: int) -> None:
        # A fork would copy threads that hold locks.
        spawn = multiprocessing.get_context("spawn")
        end, self._lifeline = spawn.Pipe(duplex=False)
        super().__init__(workers, mp_context=spawn, initializer=_end_with_parent, initargs=(end,))

    def submit(
        self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]:
        """As of every executor; a process that is started for it is deaf and single-threaded."""
        with deaf_children(), _single_threaded():
            return super().submit(function, *args, **kwargs)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Any:
        if kind is None:
            super().__exit__(kind, error, trace)
        else:
            self._end_at_once()
        self._lifeline.close()
        return None

    def _end_at_once(self) -> None:
        # Taken back first: a pool that breaks tries to fail what was cancelled, which cannot be.
        # Then killed, also those that are still starting: they would miss what is taken down.
        workers = list((self._processes or {}).values())
        manager: Any = self._executor_manager_thread
        self.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        if manager is not None:
            # Not by another shutdown, which would forget that futures are to be taken back.
            manager.join()

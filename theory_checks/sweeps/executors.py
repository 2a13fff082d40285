"""Where cells are done: in this process, in several, or on a Dask cluster."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from theory_checks.processes import (
    WorkerPool,
    deaf_children,
    default_jobs,
    is_imported_by_a_worker,
)
from theory_checks.sweeps.errors import ExecutorError

__all__ = ["GUARD", "KINDS", "SerialExecutor", "check_options", "executor_of"]

#: The kinds of executor that have a name.
KINDS = ("serial", "processes", "dask")

#: What a script has to do that starts processes, which import it.
GUARD = 'what a script does has to stand under if __name__ == "__main__":'

#: How the address of a scheduler begins.
_PROTOCOLS = ("tcp", "tls", "ws", "wss", "ucx")

#: Seconds until a scheduler that does not answer counts as not there.
_PATIENCE = 10.0

_P = ParamSpec("_P")
_T = TypeVar("_T")


class SerialExecutor(Executor):
    """Does what is submitted at once, in this process; an interrupt comes through.

    In its ``with`` block the libraries that multiply matrices have one thread, as in a worker:
    with more they add up in another order, and give other last digits. Where threadpoolctl is
    missing, ``OPENBLAS_NUM_THREADS`` and its like have to be set before Python starts.
    """

    def __init__(self) -> None:
        self._limits = ExitStack()

    def submit(
        self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]:
        """As of every executor; the future is finished when this returns."""
        future: Future[_T] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def __enter__(self) -> SerialExecutor:
        with suppress(ImportError):
            self._limits.enter_context(
                importlib.import_module("threadpoolctl").threadpool_limits(1)
            )
        return self

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Give the libraries back their threads."""
        self._limits.close()


@contextmanager
def executor_of(
    kind: str = "serial", workers: int | None = None, address: str | None = None
) -> Iterator[Executor]:
    """An executor by its name; it ends with the ``with`` block.

    Parameters
    ----------
    kind : {"serial", "processes", "dask"}
        In this process; in processes of this machine; on a Dask cluster.
    workers : int or None
        How many; one for each core unless given. Not with "serial", nor with `address`: a
        cluster that is there has its own.
    address : str or None
        Of a Dask scheduler, as ``tcp://10.0.0.1:8786``. Without one a cluster of `workers`
        processes is made on this machine.

    Raises
    ------
    ExecutorError
        For an unknown kind, options that do not go together, Dask that is not installed, a
        cluster that cannot be made, or a scheduler that does not answer within ten seconds.
    """
    check_options(kind, workers, address)
    if kind != "serial" and is_imported_by_a_worker():
        raise ExecutorError(f"executor {kind!r}: a worker imports this script: {GUARD}")
    if kind == "serial":
        with SerialExecutor() as serial:
            yield serial
    elif kind == "processes":
        with WorkerPool(workers or default_jobs()) as pool:
            yield pool
    else:
        with _dask(workers or default_jobs(), address) as executor:
            yield executor


def check_options(kind: str, workers: int | None, address: str | None) -> None:
    """Refuse what :func:`executor_of` refuses, as far as it can be told without trying.

    Raises
    ------
    ExecutorError
        For an unknown kind, or options that do not go together.
    """
    if kind not in KINDS:
        raise ExecutorError(f"executor {kind!r}: not one of {', '.join(KINDS)}")
    if address is not None and kind != "dask":
        raise ExecutorError(f"executor {kind!r}: a scheduler's address is for 'dask' alone")
    if address is not None and not _is_address(address):
        raise ExecutorError(
            f"executor 'dask': {address!r} is no address of a scheduler, such as "
            f"tcp://10.0.0.1:8786; it begins with one of {', '.join(_PROTOCOLS)}"
        )
    if workers is None:
        return
    if kind == "serial":
        raise ExecutorError("executor 'serial': it has no workers; leave their number out")
    if address is not None:
        raise ExecutorError(f"executor 'dask': the cluster at {address!r} has its own workers")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ExecutorError(f"executor {kind!r}: the number of workers is {workers!r}, not >= 1")


def _is_address(address: str) -> bool:
    """Whether it looks like PROTOCOL://HOST:PORT; the protocol may be left out."""
    try:
        parts = urlsplit(address if "://" in address else f"tcp://{address}")
        return parts.scheme in _PROTOCOLS and bool(parts.hostname and parts.port)
    except ValueError:
        return False


@contextmanager
def _dask(workers: int, address: str | None) -> Iterator[Executor]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise ExecutorError(
            f"executor 'dask': Dask cannot be imported ({error}); "
            "pip install 'tralgos[distributed]'"
        ) from error
    with _scheduler(distributed, workers, address) as place:
        try:
            client = distributed.Client(place, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ExecutorError(
                f"executor 'dask': no scheduler at {address!r} within {_PATIENCE:g} s: {error}"
            ) from error
        with client:
            # Not pure: a cell is done when it is asked for, not looked up by a hash of it.
            executor: Executor = client.get_executor(pure=False)
            try:
                yield executor
            finally:
                executor.shutdown(wait=False)


@contextmanager
def _scheduler(distributed: Any, workers: int, address: str | None) -> Iterator[Any]:
    """The address that is given, or that of a cluster which is made for the occasion."""
    if address is not None:
        yield address
        return
    try:
        with deaf_children():
            cluster = distributed.LocalCluster(
                n_workers=workers,
                processes=True,
                threads_per_worker=1,
                # Any free port: without an address the usual one is tried, and complained of.
                dashboard_address="127.0.0.1:0",
            )
    except (OSError, RuntimeError) as error:
        raise ExecutorError(
            f"executor 'dask': a cluster of {workers} processes cannot be made: {error}"
        ) from error
    with cluster:
        yield cluster.scheduler_address

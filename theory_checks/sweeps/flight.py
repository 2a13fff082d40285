"""Handing out jobs, some ahead of the workers, and taking in what is finished as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from queue import SimpleQueue
from types import TracebackType

from theory_checks.sweeps.work import Answer, Job, done

__all__ = ["Flight"]


class Flight:
    """The jobs that are with an executor.

    Iterating hands out and takes in, until none is left: lists of jobs that are finished, with
    their futures. Outside the ``with`` block nothing is waited for.

    Parameters
    ----------
    executor : Executor
    jobs : iterable of Job
        In the order in which they are handed out.
    limit : int
        How many may be with the executor at a time.
    """

    def __init__(self, executor: Executor, jobs: Iterable[Job], limit: int) -> None:
        self._executor, self._jobs, self._limit = executor, iter(jobs), limit
        self._flying: dict[int, tuple[Job, Future[Answer]]] = {}
        self._landed: SimpleQueue[int] = SimpleQueue()
        self._number = 0

    def __iter__(self) -> Iterator[list[tuple[Job, Future[Answer]]]]:
        while True:
            # An executor that does its work on submission is asked for one job at a time.
            while len(self._flying) < self._limit and self._landed.empty():
                job = next(self._jobs, None)
                if job is None:
                    break
                self._submit(job)
            if not self._flying:
                return
            numbers = [self._landed.get()]
            while not self._landed.empty():
                numbers.append(self._landed.get())
            yield [self._flying.pop(number) for number in numbers]

    def _submit(self, job: Job) -> None:
        self._number += 1
        number = self._number
        try:
            future = self._executor.submit(done, job)
        except RuntimeError as error:  # a pool that is broken, an executor that was shut down
            future = Future()
            future.set_exception(error)
        self._flying[number] = job, future
        # A queue, since waiting on futures looks at each of them each time.
        future.add_done_callback(lambda _: self._landed.put(number))

    @property
    def oldest(self) -> list[Job]:
        """The jobs that were handed out longest ago, a few of them."""
        return [job for job, _ in islice(self._flying.values(), 4)]

    def stop(self) -> None:
        """Hand out no more, and take back what has not begun."""
        self._jobs = iter(())
        for _, future in list(self._flying.values()):
            future.cancel()

    def __enter__(self) -> Flight:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

"""Sweeps on processes and on Dask: the same to the bit, and nothing lost when something dies."""

from __future__ import annotations

import functools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.theory_checks import sweep_toys as toys
from theory_checks.sweeps import (
    CellError,
    ExecutorError,
    ResultsError,
    Runner,
    executor_of,
    executors,
    run_sweep,
)
from theory_checks.sweeps.results import ResultsFile

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL here")

SIZED = [(n, seed) for n in (300, 3, 40, 120) for seed in range(3)]


@pytest.fixture(scope="module")
def alone():
    return run_sweep(SIZED, toys.drawn, name="drawn").results


@pytest.fixture(scope="module")
def two():
    with executor_of("processes", 2) as executor:
        yield executor


def noted(log):
    """The lines that cells left: their numbers, and the processes that did them."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [tuple(map(int, line.split())) for line in lines]


def finished(path):
    """The whole lines of a results file."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def waited(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.002)


def has_grown(path, before):
    return finished(path) != before


def is_alive(pid):
    """Whether a process runs; one that nobody has asked after since its end does not."""
    if not os.path.isdir("/proc/self"):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- processes ---------------------------------------------------------------------------


def test_processes_give_what_one_gives_to_the_bit(alone, two):
    """Whatever their number and the order in which cells are done."""
    for cost in (None, lambda cell: cell[0] ** 3, lambda cell: 1.0 / cell[0]):
        outcome = run_sweep(SIZED, toys.drawn, name="drawn", executor=two, cost=cost)
        assert list(outcome.results.items()) == list(alone.items())


def test_one_process_multiplies_with_one_thread_as_workers_do(alone):
    """Two threads add up in another order; they are given back afterwards."""
    threads = pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed")
    with threads.threadpool_limits(2):
        outcome = run_sweep(SIZED, toys.drawn, name="drawn")
        with executor_of("serial") as executor:
            assert all(one["num_threads"] == 1 for one in threads.threadpool_info())
            again = run_sweep(SIZED, toys.drawn, name="drawn", executor=executor)
        assert all(one["num_threads"] == 2 for one in threads.threadpool_info())
    assert outcome.results == again.results == alone


def test_workers_multiply_with_one_thread_and_this_process_as_before(monkeypatch):
    name, unset = "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
    monkeypatch.setenv(name, "2")
    monkeypatch.delenv(unset, raising=False)
    with executor_of("processes", 1) as executor:
        assert [executor.submit(os.getenv, one).result() for one in (name, unset)] == ["1", "1"]
    assert (os.getenv(name), os.getenv(unset)) == ("2", None)


def test_a_cell_that_fails_in_a_process_is_named(two, tmp_path):
    with pytest.raises(CellError, match="sweep 's', cell 3: ValueError: no 3 today"):
        run_sweep(range(5), toys.failing, name="s", executor=two, results=tmp_path / "r")
    assert run_sweep(range(3), toys.failing, name="s", results=tmp_path / "r").resumed == 3


def test_an_exception_that_cannot_be_sent_does_not_break_the_pool(two):
    with pytest.raises(CellError, match="Awkward: 1 and more"):
        run_sweep([1], toys.awkward, name="s", executor=two)
    assert run_sweep([1], toys.doubled, name="s", executor=two).results == {1: 2}


def test_a_worker_that_dies_is_told_with_the_cells_that_it_may_have_died_of(tmp_path):
    with executor_of("processes", 1) as executor:
        says = r"cell 1: BrokenProcessPool.*under way with it: 2, 3\).*if __name__ == \"__main__\":"
        with pytest.raises(CellError, match=says):
            run_sweep([1, 2, 3], toys.exiting, name="s", executor=executor)
        with pytest.raises(CellError, match="BrokenProcessPool"):
            run_sweep([1, 2, 3], toys.doubled, name="s", executor=executor)


# --- kills -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def started():
    """Starts a sweep in a process of its own, from one that has imported what it needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.theory_checks.sweep_toys"])

    def start(*arguments):
        process = context.Process(target=toys.run, args=arguments)
        process.start()
        return process

    return start


CELLS, PAUSE, KILLS = 200, 0.008, 20


def test_a_sweep_killed_at_random_moments_loses_nothing_that_was_finished(tmp_path, started):
    """Twenty kills, a fifth of them of two processes; each line stays, few cells are done twice."""
    rng = random.Random(7)
    results, log = tmp_path / "results", tmp_path / "log"
    twice = 0
    for kill in range(KILLS):
        parallel = kill % 5 == 4
        before = finished(results)
        process = started(tmp_path, "processes" if parallel else "serial", CELLS, PAUSE)
        if kill % 4 != 1:  # or while it starts
            waited(functools.partial(has_grown, results, before))
        time.sleep(rng.uniform(0.0, 0.04))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert finished(results).startswith(before)
        # Two processes go on while a line is being written to a slow disk.
        twice += 30 if parallel else 1
    killed = finished(results).count(b"\n") - 1
    assert KILLS // 2 < killed < CELLS
    outcome = toys.run(tmp_path, "serial", CELLS, PAUSE)
    assert outcome.results == {cell: {"cell": cell, "third": cell / 3.0} for cell in range(CELLS)}
    assert outcome.resumed == killed
    assert CELLS <= len(noted(log)) <= CELLS + twice


def test_workers_end_with_a_sweep_that_is_killed(tmp_path, started):
    process = started(tmp_path, "processes", 100, 30.0)
    waited(lambda: len(noted(tmp_path / "log")) == 2)
    process.kill()
    process.join()
    workers = {pid for _, pid in noted(tmp_path / "log")}
    assert len(workers) == 2
    waited(lambda: not any(map(is_alive, workers)), 5.0)


def test_an_interrupt_ends_a_sweep_at_once_and_leaves_its_file(tmp_path, started):
    """Though cells take half a minute; the workers leave the interrupt to the parent."""
    process = started(tmp_path, "processes", 100, 30.0)
    waited(lambda: len(noted(tmp_path / "log")) == 2)
    workers = {pid for _, pid in noted(tmp_path / "log")}
    for pid in workers:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.1)
    assert all(map(is_alive, workers))
    os.kill(process.pid, signal.SIGINT)
    process.join(5.0)
    assert process.exitcode == 1
    waited(lambda: not any(map(is_alive, workers)), 5.0)
    assert finished(tmp_path / "results").count(b"\n") == 1


SCRIPT = """
import sys
from tests.theory_checks import sweep_toys as toys
from theory_checks.sweeps import executor_of, run_sweep
import functools
function = functools.partial(toys.noted, log=sys.argv[1], pause=30.0)
"""
GUARDED = """
if __name__ == "__main__":
    with executor_of("processes", 2) as executor:
        print("ready", flush=True)
        run_sweep(range(100), function, name="s", executor=executor, results=None)
"""
UNGUARDED = """
with executor_of("processes", 2) as executor:
    run_sweep(range(100), function, name="s", executor=executor)
"""


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT + text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, str(path), str(tmp_path / "log")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("pause", [0.1, 0.5, None])
def test_an_interrupt_leaves_one_traceback_that_of_the_interrupt(tmp_path, pause):
    """While the workers start, and while they work: none from threads, none from workers."""
    process = script(tmp_path, GUARDED)
    assert process.stdout.readline() == "ready\n"
    if pause is None:
        waited(lambda: len(noted(tmp_path / "log")) == 2)
    time.sleep(pause or 0.0)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert said.count("Traceback") == 1, said
    assert said.rstrip().endswith("KeyboardInterrupt"), said


def test_a_disk_that_is_full_ends_processes_without_a_word_of_theirs(tmp_path, monkeypatch):
    """The thread that looks after a pool fails what is under way, not what was taken back."""
    errors = []
    monkeypatch.setattr(threading, "excepthook", lambda told: errors.append(told.exc_value))

    def full(self, found):
        raise ResultsError("full")

    monkeypatch.setattr(ResultsFile, "add", full)
    log = tmp_path / "log"
    function = functools.partial(toys.noted, log=str(log), pause=0.3)
    with pytest.raises(ResultsError, match="full"), executor_of("processes", 1) as executor:
        run_sweep(range(100), function, name="s", executor=executor)
    assert errors == []


def test_a_script_without_a_guard_is_told_of_it(tmp_path):
    """By its workers, which import it, and by itself."""
    process = script(tmp_path, UNGUARDED)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "executor 'processes': a worker imports this script: what a script does" in said
    assert "BrokenProcessPool" in said.rstrip().splitlines()[-1]
    assert said.rstrip().endswith('has to stand under if __name__ == "__main__":')


# --- Dask --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="Dask's distributed is not installed")
    with distributed.LocalCluster(
        n_workers=2, processes=True, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


def test_dask_gives_what_one_process_gives_to_the_bit(alone, cluster):
    with executor_of("dask", address=cluster.scheduler_address) as executor:
        outcome = run_sweep(SIZED, toys.drawn, name="drawn", executor=executor, in_flight=5)
    assert list(outcome.results.items()) == list(alone.items())


def test_a_cluster_is_made_where_there_is_none():
    pytest.importorskip("distributed", reason="Dask's distributed is not installed")
    with executor_of("dask", 1) as executor:
        outcome = run_sweep(range(3), toys.doubled, name="s", executor=executor)
    assert outcome.results == {0: 0, 1: 2, 2: 4}


def test_a_cell_that_fails_on_dask_is_named(cluster):
    runner = Runner("dask", scheduler=cluster.scheduler_address)
    with pytest.raises(CellError, match="sweep 's', cell 3: ValueError: no 3 today"):
        runner.sweep(range(5), toys.failing, name="s")


def test_a_dask_worker_that_is_killed_loses_nothing(cluster, tmp_path):
    log = tmp_path / "log"
    function = functools.partial(toys.noted, log=str(log), pause=0.03)
    killed = []

    class Killing:
        def of(self, total):
            pass

        def at(self, name):
            if not killed and len(noted(log)) > 5:
                killed.append(noted(log)[-1][1])
                os.kill(killed[0], signal.SIGKILL)

        def done(self):
            pass

    with executor_of("dask", address=cluster.scheduler_address) as executor:
        outcome = run_sweep(
            range(60),
            function,
            name="toys",
            executor=executor,
            results=tmp_path / "results",
            watcher=Killing(),
        )
    assert len(killed) == 1
    assert outcome.results == {cell: {"cell": cell, "third": cell / 3.0} for cell in range(60)}
    assert finished(tmp_path / "results").count(b"\n") == 61


def test_an_address_where_nobody_answers_is_named(cluster, monkeypatch):
    monkeypatch.setattr(executors, "_PATIENCE", 0.3)
    with (
        pytest.raises(ExecutorError, match=r"no scheduler at 'tcp://127\.0\.0\.1:1' within 0\.3 s"),
        executor_of("dask", address="tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize(
    "address", ["garbage", "", "nonsense://127.0.0.1:1", "tcp://host", "tcp://:1", "tcp://h:port"]
)
def test_what_is_no_address_is_refused_before_dask_is_asked(address, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ExecutorError, match="is no address of a scheduler, such as tcp://"),
        executor_of("dask", address=address),
    ):
        pass


@pytest.mark.parametrize("address", ["10.0.0.1:8786", "tls://node-7:8786", "tcp://[::1]:8786"])
def test_addresses_of_schedulers_are_let_through(address):
    assert Runner("dask", scheduler=address).scheduler == address


def test_dask_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ExecutorError, match=r"Dask cannot be imported .*tralgos\[distributed\]"),
        executor_of("dask", 2),
    ):
        pass


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("threads",), "executor 'threads': not one of serial, processes, dask"),
        (("serial", 2), "it has no workers"),
        (("processes", 0), "the number of workers is 0, not >= 1"),
        (("processes", True), "the number of workers is True"),
        (("processes", 2, "tcp://x:1"), "a scheduler's address is for 'dask' alone"),
        (("dask", 2, "tcp://x:1"), "the cluster at 'tcp://x:1' has its own workers"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, says):
    with pytest.raises(ExecutorError, match=says), executor_of(*arguments):
        pass
    with pytest.raises(ExecutorError, match=says):
        Runner(*arguments)

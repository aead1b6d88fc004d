"""What has jobs done in C{bench.jobs}: one process for each of the systems, and the jobs themselves.

C{python -m bench.jobs_done SYSTEM WHERE nothing N}, C{... naps N SECONDS}, C{... long STEPS SECONDS}, or C{... kills
SECONDS NAP IN_FLIGHT FILE}: says C{ready}, waits for the file BENCH_GO, says C{end SECONDS}, and waits to be ended.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count as numbers_from
from pathlib import Path
from typing import Any

__all__ = ["count", "marked", "nap", "nothing"]

IN_FLIGHT = 16


def nothing(number: int) -> int:
    """A job of nothing."""
    return number


def nap(seconds: float) -> int:
    """A job that takes its time, and no processor."""
    time.sleep(seconds)
    return os.getpid()


def marked(number: int, seconds: float, file: str) -> int:
    """A job that takes its time, and tells a file when it begins and when it ends, and by which process."""
    for word, pause in (("begun", seconds), ("ended", 0.0)):
        opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(opened, f"{word} {number} {os.getpid()} {time.monotonic():.4f}\n".encode())
        os.close(opened)
        time.sleep(pause)
    return number


def count(steps: int, seconds: float) -> tuple[int, int]:
    """A long job, with a checkpoint after each step: how many steps it took in all, and how often it was begun."""
    from rserpool.job import checkpoint, restored

    done, taken, begun = restored() or (0, 0, 0)
    for number in range(done, steps):
        time.sleep(seconds)
        taken += 1
        checkpoint((number + 1, taken, begun + 1))
    return taken, begun + 1


def many(submit: Callable[[int], Any], jobs: int, in_flight: int = IN_FLIGHT) -> list[Any]:
    """Have so many jobs done, of which so many are under way at any time."""
    from concurrent.futures import FIRST_COMPLETED, wait

    left, under_way, results = iter(range(jobs)), set(), []

    def fill() -> None:
        for number in left:
            under_way.add(submit(number))
            if len(under_way) >= in_flight:
                break

    fill()
    while under_way:
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        under_way.difference_update(done)
        results += [each.result() for each in done]
        fill()
    return results


def while_killed(submit: Callable[..., Any], seconds: float, nap: float, in_flight: int, file: str) -> tuple[int, int]:
    """Have jobs done for so long: how many there were, and how many of them have no result, or a wrong one."""
    from concurrent.futures import FIRST_COMPLETED, wait

    until, numbers, under_way, lost, done = time.monotonic() + seconds, numbers_from(), {}, 0, set()
    while True:
        while len(under_way) < in_flight and time.monotonic() < until:
            number = next(numbers)
            under_way[submit("marked", number, nap, file)] = number
        if not under_way:
            return len(done) + lost, lost
        for each in wait(under_way, return_when=FIRST_COMPLETED)[0]:
            number = under_way.pop(each)
            if each.exception() is None and each.result() == number and number not in done:
                done.add(number)
            else:
                print("lost", number, each.exception(), flush=True)
                lost += 1


def rserpool(where: str) -> Iterator[Callable[..., Any]]:
    """Our own."""
    from rserpool.compute import PoolExecutor

    with PoolExecutor("farm", registrars=[where]) as pool:
        yield lambda name, *arguments: pool.submit(name, *arguments)


def dask(where: str) -> Iterator[Callable[..., Any]]:
    """Dask distributed."""
    from distributed import Client

    functions = {"nothing": nothing, "nap": nap, "marked": marked}
    with Client(where) as client:
        executor = client.get_executor(pure=False)
        yield lambda name, *arguments: executor.submit(functions[name], *arguments)


def floor(where: str) -> Iterator[Callable[..., Any]]:
    """The floor: processes of the same machine."""
    from concurrent.futures import ProcessPoolExecutor

    functions = {"nothing": nothing, "nap": nap}
    with ProcessPoolExecutor(int(where)) as pool:
        pool.submit(nothing, 0).result()
        yield lambda name, *arguments: pool.submit(functions[name], *arguments)


def celery(where: str) -> Iterator[Callable[..., Any]]:
    """Celery with Redis."""
    from concurrent.futures import ThreadPoolExecutor

    from bench.jobs_celery import TASKS

    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        yield lambda name, *arguments: threads.submit(lambda: TASKS[name].delay(*arguments).get())


SYSTEMS = {"rserpool": rserpool, "dask": dask, "celery": celery, "floor": floor}


def _nap(submit: Callable[..., Any], seconds: float, number: int) -> Any:
    return submit("nap", seconds)


def _watched(future: Any) -> Any:
    """The result of our own future; says at which worker it is."""
    at = 0
    while not future.done():
        time.sleep(0.02)
        lease = None if future.job is None else future.job.lease
        if lease is not None and lease.worker != at:
            at = lease.worker
            print("at", at, flush=True)
    return future.result()


def main() -> None:
    """Have them done."""
    system, where, kind, *numbers = sys.argv[1:]
    go = Path(os.environ["BENCH_GO"])
    for submit in SYSTEMS[system](where):
        submit("nothing", 0).result()
        print("ready", flush=True)
        while not go.exists():
            time.sleep(0.005)
        began = time.monotonic()
        jobs = int(numbers[0])
        if kind == "long":
            print("result", *_watched(submit("count", jobs, float(numbers[1]))), flush=True)
        elif kind == "kills":
            found = while_killed(submit, float(jobs), float(numbers[1]), int(numbers[2]), numbers[3])
            print("result", *found, flush=True)
        elif kind == "nothing":
            results = many(partial(submit, "nothing"), jobs)
            assert sorted(results) == list(range(jobs))
        else:
            results = many(partial(_nap, submit, float(numbers[1])), jobs, jobs)
            assert len(results) == jobs
        print("end", time.monotonic() - began, flush=True)
        time.sleep(3600)


if __name__ == "__main__":
    main()

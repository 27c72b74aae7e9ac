"""Blocking calls of an event loop: at once, to a limit, and with what comes of them."""

import asyncio
import os
import threading
import time

import pytest

from workflow_engine.api.workers import Workers, stay_on_one_core


def test_results_and_errors() -> None:
    async def use() -> None:
        workers = Workers(lambda n: 10 // n, most=2)
        assert await workers.run(5) == 2
        with pytest.raises(ZeroDivisionError):
            await workers.run(0)
        assert await workers.run(2) == 5

    asyncio.run(use())


def test_calls_run_at_once_up_to_the_limit() -> None:
    barrier = threading.Barrier(3)
    running: list[int] = []
    most = 0

    def work(n: int) -> int:
        nonlocal most
        running.append(n)
        most = max(most, len(running))
        barrier.wait(5)
        running.remove(n)
        return n

    async def use() -> list[int]:
        workers = Workers(work, most=3)
        return await asyncio.gather(*(workers.run(n) for n in range(9)))

    assert asyncio.run(use()) == list(range(9))
    assert most == 3


def test_threads_are_used_again() -> None:
    async def use() -> set[int]:
        workers = Workers(lambda _: threading.get_ident(), most=8)
        return {await workers.run(None) for _ in range(20)}

    assert len(asyncio.run(use())) == 1


def test_a_call_that_was_given_up_harms_no_other() -> None:
    async def use() -> int:
        workers = Workers(lambda n: time.sleep(n) or 7, most=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(workers.run(0.1), 0.01)
        return await workers.run(0)

    assert asyncio.run(use()) == 7


def test_a_loop_that_ended_does_not_end_the_thread() -> None:
    workers = Workers(lambda n: time.sleep(n), most=1)

    async def leave() -> None:
        workers.run(0.05)

    async def use() -> None:
        await asyncio.wait_for(workers.run(0), 5)

    asyncio.run(leave())
    asyncio.run(use())


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not tell")
def test_a_thread_and_those_that_it_starts_share_a_core() -> None:
    before = os.sched_getaffinity(0)
    found: list[set[int]] = []

    def look() -> None:
        found.append(os.sched_getaffinity(0))

    def stay() -> None:
        stay_on_one_core()
        look()
        started = threading.Thread(target=look)
        started.start()
        started.join()

    thread = threading.Thread(target=stay)
    thread.start()
    thread.join()
    mine, of_child = found
    assert mine == of_child
    assert len(mine) == 1 and mine <= before
    assert os.sched_getaffinity(0) == before

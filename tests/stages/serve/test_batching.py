import asyncio
import threading

import pytest

from stages.serve.batching import Batcher


@pytest.fixture
def gate():
    """Lets the ranking thread go on."""
    return threading.Event()


def batcher_of(gate, sizes, max_batch=4):
    def answer(batch):
        gate.wait(10)
        if any(work < 0 for work in batch):
            raise ValueError("negative")
        return [work * 10 for work in batch]

    return Batcher(answer, max_batch=max_batch, observe=sizes.append)


def test_what_waits_is_answered_together(gate):
    sizes = []
    batcher = batcher_of(gate, sizes)

    async def ask():
        first = asyncio.ensure_future(batcher.ask(1))
        while not sizes:
            await asyncio.sleep(0.001)
        others = [asyncio.ensure_future(batcher.ask(number)) for number in range(2, 9)]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(ask()) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert sizes == [1, 4, 3]
    batcher.close()


def test_one_that_fails_does_not_fail_the_others(gate):
    gate.set()
    batcher = batcher_of(gate, [])

    async def ask():
        return await asyncio.gather(*(batcher.ask(number) for number in (1, -2, 3)), return_exceptions=True)

    first, second, third = asyncio.run(ask())
    assert (first, third) == (10, 30)
    assert isinstance(second, ValueError)
    batcher.close()


def test_nobody_ranks_for_those_who_have_gone(gate):
    sizes = []
    batcher = batcher_of(gate, sizes)

    async def ask():
        first = asyncio.ensure_future(batcher.ask(1))
        while not sizes:
            await asyncio.sleep(0.001)
        gone = asyncio.ensure_future(batcher.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        last = asyncio.ensure_future(batcher.ask(3))
        await asyncio.sleep(0)
        gate.set()
        return await first, await last

    assert asyncio.run(ask()) == (10, 30)
    assert sizes == [1, 1]
    batcher.close()


def test_closing_answers_what_waits(gate):
    batcher = batcher_of(gate, [], max_batch=1)

    async def ask():
        waiting = [asyncio.ensure_future(batcher.ask(number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.to_thread(batcher.close)
        return await asyncio.gather(*waiting)

    assert asyncio.run(ask()) == [10, 20, 30]

"""One thread that ranks all requests that wait at a moment in one batch."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

WorkT = TypeVar("WorkT")
AnswerT = TypeVar("AnswerT")


class _Waiting(NamedTuple, Generic[WorkT, AnswerT]):
    work: WorkT
    future: "asyncio.Future[AnswerT]"
    loop: asyncio.AbstractEventLoop


class Batcher(Generic[WorkT, AnswerT]):
    """Answers work in batches; what comes while a batch is ranked waits for the next one.

    How much can wait is bounded by whoever calls, see :class:`stages.serve.limits.Limits`.

    Args:
        answer: gives the answers to a batch, in its order; called in the thread.
        max_batch: most works of a batch.
        observe: told the size of each batch.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[WorkT]], Sequence[AnswerT]],
        *,
        max_batch: int,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._answer, self._max, self._observe = answer, max_batch, observe
        self._queue: queue.SimpleQueue[_Waiting[WorkT, AnswerT] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ranking", daemon=True)
        self._thread.start()

    async def ask(self, work: WorkT) -> AnswerT:
        """The answer to a work.

        Raises:
            Exception: what ``answer`` raised for this work alone.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[AnswerT] = loop.create_future()
        self._queue.put(_Waiting(work, future, loop))
        return await future

    def close(self) -> None:
        """Answer what waits, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            with contextlib.suppress(queue.Empty):
                while len(batch) < self._max:
                    waiting = self._queue.get_nowait()
                    if waiting is None:
                        self._queue.put(None)  # after this batch
                        break
                    batch.append(waiting)
            batch = [waiting for waiting in batch if not waiting.future.cancelled()]
            if batch:
                self._observe(len(batch))
                self._answer_batch(batch)

    def _answer_batch(self, batch: "Sequence[_Waiting[WorkT, AnswerT]]") -> None:
        try:
            answers: Sequence[AnswerT | Exception] = self._answer([waiting.work for waiting in batch])
        except Exception as error:
            if len(batch) > 1:  # what one request causes must not fail the others
                for waiting in batch:
                    self._answer_batch([waiting])
                return
            answers = [error]
        for waiting, answer in zip(batch, answers, strict=True):
            with contextlib.suppress(RuntimeError):  # the loop has ended, nobody waits
                waiting.loop.call_soon_threadsafe(_deliver, waiting.future, answer)


def _deliver(future: "asyncio.Future[AnswerT]", answer: AnswerT | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)

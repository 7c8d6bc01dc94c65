"""The slow loop: jobs that take turns, each in its own rhythm, in one TaskGroup.

In: jobs, the journal of their turns, a clock. Out: what the jobs do; the journal says when, how it ended, when next.
A job whose peer is away, or whose input is refused, is noted and tried again; the others do not notice.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from twin.errors import ConfigError, Rejected, Retryable
from twin.learn.job import Job, Journal, Outcome, Turn
from twin.wire.backoff import Backoff

_log = logging.getLogger(__name__)

_S = 1_000_000_000
_LOOK_AGAIN_S = 60.0  # another process may have taken or repeated the turn
_TRY_AGAIN_S = 60.0  # after a peer was away
_LONGEST_LEASE_S = 3_600.0  # a turn whose process was killed is free again after so long

Clock = Callable[[], int]


async def run_learn(jobs: Sequence[Job], journal: Journal, *, clock: Clock = time.time_ns) -> None:
    """Take turns until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for job in jobs:
            tasks.create_task(_take_turns(job, journal, clock), name=f"learn: {job.name}")


async def run_once(jobs: Iterable[Job], journal: Journal, *, clock: Clock = time.time_ns) -> list[Turn]:
    """One turn of each job now, in their order, whether due or not.

    Raises:
        Retryable: the journal is away.
    """
    turns: list[Turn] = []
    for job in jobs:
        now_ns = clock()
        await journal.claim(job.name, now_ns, _lease_s(job), at_once=True)
        turns.append(await _take(job, journal, now_ns, clock))
    return turns


def chosen(jobs: Sequence[Job], names: Sequence[str]) -> list[Job]:
    """The named jobs, in their own order; all of them when none is named.

    Raises:
        ConfigError: there is no such job.
    """
    known = [job.name for job in jobs]
    if unknown := sorted(set(names) - set(known)):
        raise ConfigError(f"no job {', '.join(unknown)}; there are: {', '.join(known)}")
    return [job for job in jobs if not names or job.name in names]


async def _take_turns(job: Job, journal: Journal, clock: Clock) -> None:
    backoff = Backoff(most_s=_LOOK_AGAIN_S)
    while True:
        try:
            wait_s = await _turn_when_due(job, journal, clock)
        except Retryable as away:  # the journal; a job's own peers are seen to in `_take`
            if backoff.fresh:
                _log.warning("%s waits: %s", job.name, away)
            await backoff.wait()
            continue
        backoff.reset()
        await asyncio.sleep(wait_s)


async def _turn_when_due(job: Job, journal: Journal, clock: Clock) -> float:
    """Seconds until it is worth looking again."""
    now_ns = clock()
    due_ns = await journal.claim(job.name, now_ns, _lease_s(job))
    if due_ns is None:
        due_ns = (await _take(job, journal, now_ns, clock)).next_ns
    return min(_LOOK_AGAIN_S, max(0.0, (due_ns - clock()) / _S))


async def _take(job: Job, journal: Journal, now_ns: int, clock: Clock) -> Turn:
    outcome, next_s = Outcome.DONE, job.period_s
    try:
        detail = await job.run(now_ns)
    except Retryable as away:
        outcome, detail, next_s = Outcome.LATER, str(away), min(job.period_s, _TRY_AGAIN_S)
    except Rejected as refused:
        outcome, detail = Outcome.REFUSED, f"{refused.reason}: {refused}"
    turn = Turn(job.name, now_ns, clock(), outcome, detail, now_ns + round(next_s * _S))
    level = logging.INFO if outcome is Outcome.DONE else logging.WARNING
    _log.log(level, "%s %s: %s", job.name, outcome, detail)
    await journal.ended(turn)
    return turn


def _lease_s(job: Job) -> float:
    return min(job.period_s, _LONGEST_LEASE_S)

"""The slow loop: turns when they are due, one failing job among good ones, nothing learnt twice."""

import asyncio
from itertools import pairwise

import pytest

from tests.waiting import until
from twin.errors import ConfigError, Rejected, Retryable
from twin.learn.job import Job, Outcome, Turn
from twin.learn.run import chosen, run_learn, run_once

S = 1_000_000_000
NOW = 1_800_000_000 * S


class Memory:
    """A journal in memory, with the rule of the store's: a turn is free when it is due."""

    def __init__(self) -> None:
        self.next_ns: dict[str, int] = {}
        self.turns: list[Turn] = []
        self.away = False

    async def claim(self, job, now_ns, lease_s, *, at_once=False):
        if self.away:
            raise Retryable("the store is away")
        if not at_once and self.next_ns.get(job, now_ns) > now_ns:
            return self.next_ns[job]
        self.next_ns[job] = now_ns + round(lease_s * S)
        return None

    async def ended(self, turn):
        self.next_ns[turn.job] = turn.next_ns
        self.turns.append(turn)


def job(name: str, error: Exception | None = None, period_s: float = 3600.0) -> Job:
    async def run(now_ns: int) -> str:
        if error is not None:
            raise error
        return f"at {now_ns - NOW}"

    return Job(name, period_s, run)


async def test_a_job_that_fails_does_not_stop_the_others_and_says_why() -> None:
    journal = Memory()
    jobs = [job("a", Retryable("no peer")), job("b", Rejected("bad", "of no use")), job("c")]
    turns = await run_once(jobs, journal, clock=lambda: NOW)
    assert [(one.outcome, one.detail) for one in turns] == [
        (Outcome.LATER, "no peer"),
        (Outcome.REFUSED, "bad: of no use"),
        (Outcome.DONE, "at 0"),
    ]
    assert [(one.next_ns - NOW) / S for one in turns] == [60, 3600, 3600]
    assert journal.turns == turns


async def test_a_bug_in_a_job_ends_the_process_and_its_turn_stays_taken_for_a_while() -> None:
    journal = Memory()
    with pytest.raises(ExceptionGroup) as raised:
        await run_learn([job("broken", ZeroDivisionError())], journal, clock=lambda: NOW)
    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)
    assert journal.next_ns["broken"] == NOW + 3600 * S


async def test_turns_come_in_the_rhythm_of_each_job() -> None:
    journal, clock = Memory(), iter(range(NOW, NOW + 10**6 * S, S // 1000))
    running = asyncio.create_task(
        run_learn([job("quick", period_s=0.01), job("slow", period_s=10**6)], journal, clock=lambda: next(clock))
    )
    await until(lambda: len(journal.turns) > 10)
    running.cancel()
    assert sum(one.job == "slow" for one in journal.turns) == 1
    quick = [one for one in journal.turns if one.job == "quick"]
    assert all(later.started_ns >= before.next_ns for before, later in pairwise(quick))


async def test_a_loop_whose_journal_is_away_waits_and_goes_on() -> None:
    journal = Memory()
    journal.away = True
    running = asyncio.create_task(run_learn([job("a")], journal, clock=lambda: NOW))
    for _ in range(20):
        await asyncio.sleep(0)
    assert journal.turns == []
    journal.away = False
    await until(lambda: len(journal.turns) == 1)
    running.cancel()


async def test_jobs_are_chosen_by_name_in_their_own_order() -> None:
    jobs = [job("a"), job("b"), job("c")]
    assert [one.name for one in chosen(jobs, ["c", "a"])] == ["a", "c"]
    assert chosen(jobs, []) == jobs
    with pytest.raises(ConfigError, match="no job d; there are: a, b, c"):
        chosen(jobs, ["d"])

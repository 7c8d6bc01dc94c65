"""What is done to a running demo, and the questions to its store in between."""

import random
import time
from collections.abc import Callable
from functools import partial

import psycopg

from tests.journey import ledger
from tests.journey.demo_process import Demo
from tests.servers import CHECKOUT
from twin.plant.load import load_plant

PARTS = ("edge-factory", "edge-terminal", "run", "broker", "postgres")
Blow = Callable[[], None]


def dsn_of(demo: Demo) -> str:
    return (demo.folder / "data" / "database" / "dsn").read_text().strip()


def settle(demo: Demo, until_us: int, seconds: float = 90, since_us: int = 0) -> ledger.Verdict:
    """Compare until both sides know the same or the time is over; the last verdict counts."""
    deadline = time.monotonic() + seconds
    while True:
        verdict = ledger.compare(demo.folder / "data" / "truth.sqlite", dsn_of(demo), until_us, since_us)
        if not (verdict.lost or verdict.invented) or time.monotonic() > deadline:
            return verdict
        time.sleep(1)


def run_for(seconds: float, demo: Demo) -> None:
    """Let the plant work; fails early when the demo ends."""
    until = time.monotonic() + seconds
    demo.wait_until(lambda: time.monotonic() >= until, seconds + 10, "the plant to work")


def stored_rows(demo: Demo) -> int:
    return _asked(demo, "SELECT count(*) FROM sample")


def wait_for_every_signal(demo: Demo) -> None:
    every = len(load_plant(CHECKOUT / "configs" / "plant.yaml").signals)
    stored = "SELECT count(DISTINCT signal) FROM (SELECT signal FROM sample UNION ALL SELECT signal FROM sample_text) s"
    demo.wait_until(
        lambda: _asked(demo, stored) == every, 240, "a sample of every signal in the store"
    )  # machine code may be made first


def _asked(demo: Demo, question: str) -> int:
    with psycopg.connect(dsn_of(demo)) as connection:
        row = connection.execute(question).fetchone()
    assert row
    return int(row[0])


def blows(demo: Demo, dice: random.Random) -> dict[str, Blow]:
    """Each part killed, the network cut or silent for some seconds."""

    def cut() -> None:
        with demo.network.cut():
            run_for(dice.uniform(1, 6), demo)

    def silence() -> None:
        with demo.network.half_open():
            run_for(dice.uniform(1, 6), demo)

    return {"cut": cut, "silence": silence} | {part: partial(demo.kill, part) for part in PARTS}


def disturb(demo: Demo, dice: random.Random, rounds: int) -> None:
    """Each blow `rounds` times, in random order at random moments."""
    every = [*blows(demo, dice).values()] * rounds
    dice.shuffle(every)
    for blow in every:
        run_for(dice.uniform(1.0, 5.0), demo)
        blow()

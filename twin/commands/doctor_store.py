"""`twin doctor`, the database and who works with it. In: settings. Out: checks; the database is not changed."""

import time
from collections.abc import Iterator

from api.store_link import ROLE
from twin.commands.diagnosis import Check, ok, problem, warning
from twin.commands.reading_words import duration_words, size_words, utc
from twin.commands.settings import TwinSettings
from twin.commands.store_size import growth_bytes_per_day
from twin.learn.job import Outcome, Turn
from twin.state.gateway import gateway_problems
from twin.store.checkup import CheckUp, Holder, Look, Newest, look_at
from twin.store.connect import Store, open_store
from twin.store.gateways import Gateway

CLOCKS_DIFFER_S = 1.0
CLOCKS_WRONG_S = 5.0
SILENT_AFTER_S = 120.0
OVERDUE_S = 900.0
_OLDEST_SERVER = 16
_S = 1_000_000_000


async def check_store(settings: TwinSettings) -> list[Check]:
    """Everything that the database can tell.

    Raises:
        ConfigError, Retryable: it cannot be reached.
    """
    look = await look_at(settings.database, ROLE)
    found = list(_of_server(look))
    if not look.is_up_to_date:
        return [*found, _outdated(look)]
    async with open_store(settings.database) as store:  # migrates nothing: the schema is up to date
        checkup, now_ns = CheckUp(store.database), time.time_ns()
        return [
            *found,
            ok("schema", f"number {look.applied}, as this program knows it; edition {store.edition}"),
            await _disk(settings, store, look, now_ns),
            _worker(await checkup.holder("run")),
            *_jobs(await store.jobs.list(), now_ns),
            *_gateways(await store.gateways.list(), await checkup.newest(), now_ns),
        ]


def _of_server(look: Look) -> Iterator[Check]:
    kind = "TimescaleDB" if look.has_timescale else "without TimescaleDB"
    said = f"{look.name}: PostgreSQL {look.server} {kind}, answers in {look.answered_in_s * 1e3:.0f} ms"
    if int(look.server.partition(".")[0]) < _OLDEST_SERVER:
        yield problem("database", said, f"upgrade to PostgreSQL {_OLDEST_SERVER} or later")
    else:
        yield ok("database", said)
    yield _clock(look)
    if not look.may_take_role:
        do = f"let an administrator CREATE ROLE {ROLE} NOLOGIN and GRANT it to this user, then start the api again"
        yield warning("rights", f"the api could write samples: this user may not take the role {ROLE}", do)


def _clock(look: Look) -> Check:
    off_s = max(abs(look.ahead_s) - look.answered_in_s / 2, 0.0)
    said = f"the database's clock is {abs(look.ahead_s):.3f} s {'ahead' if look.ahead_s > 0 else 'behind'}"
    do = "let both machines take their time from the same NTP server (chronyc tracking, timedatectl)"
    if off_s >= CLOCKS_WRONG_S:
        return problem("clock", said, do)
    return warning("clock", said, do) if off_s >= CLOCKS_DIFFER_S else ok("clock", said)


def _outdated(look: Look) -> Check:
    if look.applied > look.known:
        said = f"number {look.applied} was written by a newer program; this one knows {look.known}"
        return problem("schema", said, "install the newer program here, too")
    said = f"number {look.applied} of {look.known}" if look.applied else "there are no tables yet"
    return problem("schema", said, "twin migrate, or start twin run, which migrates by itself")


async def _disk(settings: TwinSettings, store: Store, look: Look, now_ns: int) -> Check:
    growth = await growth_bytes_per_day(settings, store, now_ns)
    kept = settings.store.retention
    bounded = kept.minutes is not None and all(days is not None for days in kept.by_kind.values())
    size = f"{size_words(look.database_bytes)} now"
    if growth is None:
        return ok("disk", f"{size}; nothing came lately")
    said = f"{size}, {size_words(growth)} more a day, {size_words(365 * growth)} a year"
    return ok("disk", f"{said}{'; old samples go (store.retention)' if bounded else '; nothing is ever deleted'}")


def _worker(holder: Holder | None) -> Check:
    if holder is None:
        return problem("twin run", "nobody takes in and judges samples", "start twin run; the spools keep what comes")
    return ok("twin run", f"works from {holder.where}, connected since {utc(holder.since_ns)}")


def _jobs(turns: list[Turn], now_ns: int) -> Iterator[Check]:
    if not turns:
        yield warning("twin learn", "no job was ever run: no key figures, no forecasts, no risk", "start twin learn")
        return
    late = [one for one in turns if now_ns - one.next_ns > OVERDUE_S * _S]
    if late:
        longest = max(now_ns - one.next_ns for one in late) / _S
        said = f"{len(late)} of {len(turns)} jobs are overdue, by up to {duration_words(longest)}"
        yield problem("twin learn", said, "start twin learn, or look into its log if it runs")
    failed = [one for one in turns if one.outcome in (Outcome.REFUSED, Outcome.LATER)]
    for one in failed:
        do = f"mend what it says, then twin learn --once --job {one.job}"
        yield warning(f"job {one.job}", f"{one.outcome.value}: {one.detail}", do)
    if not late and not failed:
        yield ok("twin learn", f"{len(turns)} jobs in their rhythm")


def _gateways(known: list[Gateway], newest: dict[str, Newest], now_ns: int) -> Iterator[Check]:
    if not known and not newest:
        do = "start an agent: twin edge run --config edge-….yaml (docs/how-to/connect-a-plc.md)"
        yield warning("gateways", "none has ever reported", do)
    reports = {one.node: one for one in known}
    for node in sorted({*reports, *newest}):
        yield _gateway(node, reports.get(node), newest.get(node), now_ns)


def _gateway(node: str, report: Gateway | None, newest: Newest | None, now_ns: int) -> Check:
    part = f"gateway {node}"
    troubles = gateway_problems(node, report.status) if report else []
    said = "; ".join([_brought(newest, now_ns), *troubles])
    silent = newest is None or now_ns - newest.committed_ns > SILENT_AFTER_S * _S
    if report is not None and silent:
        return problem(part, said, "look at the agent there: twin edge status, and its log")
    if troubles:
        return warning(part, said, "look at the agent there: twin edge status, and its log")
    return ok(part, said)


def _brought(newest: Newest | None, now_ns: int) -> str:
    if newest is None:
        return "brought nothing for a day"
    committed = duration_words(max(0, now_ns - newest.committed_ns) / _S)
    if newest.sampled_ns is None:
        return f"newest batch committed {committed} ago"
    return f"newest sample {duration_words(max(0, now_ns - newest.sampled_ns) / _S)} old, committed {committed} ago"

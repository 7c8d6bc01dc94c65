"""What `twin doctor` says. In: checks. Out: a table for people, a document for machines, whether all is well. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from twin.commands.reading_words import duration_words, table

FEW_DAYS = 30  # of a certificate


class Condition(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"  # works, and will not for ever
    PROBLEM = "problem"
    SKIPPED = "skipped"  # cannot be looked at from here


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; whatever is not ok says what to do."""

    part: str
    condition: Condition
    found: str
    do: str = ""


def ok(part: str, found: str) -> Check:
    """Nothing to do."""
    return Check(part, Condition.OK, found)


def warning(part: str, found: str, do: str) -> Check:
    """Soon."""
    return Check(part, Condition.WARNING, found, do)


def problem(part: str, found: str, do: str) -> Check:
    """Now."""
    return Check(part, Condition.PROBLEM, found, do)


def skipped(part: str, found: str, do: str) -> Check:
    """Not from here."""
    return Check(part, Condition.SKIPPED, found, do)


def days_left(part: str, days: float) -> Check:
    """What so many days mean."""
    if days < 0:
        return problem(part, f"expired {duration_words(-days * 86_400)} ago", "renew it now: nobody connects any more")
    said = f"{days:.0f} days left"
    return warning(part, said, "renew it before it ends") if days < FEW_DAYS else ok(part, said)


def lines(checks: Sequence[Check]) -> Iterator[str]:
    """For people: a row for each, what to do below it, a sentence at the end."""
    rows: list[tuple[str, ...]] = []
    for one in checks:
        shown = one.condition.value.upper() if one.condition is Condition.PROBLEM else one.condition.value
        rows.append((shown, one.part, one.found))
        if one.do:
            rows.append(("", "", f"→ {one.do}"))
    yield from table(rows)
    yield summary(checks)


def summary(checks: Sequence[Check]) -> str:
    """In one sentence."""
    count = {condition: sum(one.condition is condition for one in checks) for condition in Condition}
    problems, warnings = count[Condition.PROBLEM], _and(count[Condition.WARNING], "warning")
    if not problems:
        return f"no problem in {len(checks)} checks{warnings}"
    return f"{_number(problems, 'problem')}{warnings} in {len(checks)} checks"


def document(checks: Sequence[Check]) -> dict[str, object]:
    """JSON-able."""
    return {"well": is_well(checks), "checks": [asdict(one) for one in checks]}


def is_well(checks: Sequence[Check]) -> bool:
    """No problem."""
    return all(one.condition is not Condition.PROBLEM for one in checks)


def _and(count: int, noun: str) -> str:
    return f", {_number(count, noun)}" if count else ""


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"

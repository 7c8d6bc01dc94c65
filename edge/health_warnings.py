"""What of a gateway a person should look at, in words (pure). In: sources' states, the spool's. Out: sentences.

They change only when something changes: a sentence with a running figure would be news every second.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge.sources.source import SourceState, SourceStatus

CERTIFICATE_DAYS = 30  # a certificate that ends sooner is warned of


@dataclass(frozen=True, slots=True)
class SpoolSigns:
    """How the spool does."""

    trouble: str = ""  # why it cannot write now
    dropping: tuple[str, ...] = ()  # the classes that have lost readings since it became full
    growing_since: str = ""  # when the oldest waiting batch was made, while the backlog grows


def warnings(sources: Iterable[SourceStatus], spool: SpoolSigns) -> list[str]:
    """One sentence per thing that is not as it should be, the worst first."""
    return [*_spool(spool), *(sentence for source in sources for sentence in _source(source))]


def _spool(spool: SpoolSigns) -> Iterator[str]:
    if spool.trouble:
        yield spool.trouble
    if spool.dropping:
        yield f"the spool is full and drops the oldest readings ({', '.join(spool.dropping)} priority)"
    if spool.growing_since:
        yield f"the backlog grows; its oldest batch waits since {spool.growing_since}"


def _source(source: SourceStatus) -> Iterator[str]:
    detail = f": {source.detail}" if source.detail else ""
    if source.state is SourceState.DOWN:
        yield f"source {source.name} is down{detail}"
    elif detail:
        yield f"source {source.name}{detail}"
    days = source.facts.get("certificate_days")
    if isinstance(days, int | float) and days < CERTIFICATE_DAYS and "certificate" not in source.detail:
        when = "has expired" if days < 0 else f"expires in {int(days)} days"
        yield f"the certificate of source {source.name} {when}; renew it"

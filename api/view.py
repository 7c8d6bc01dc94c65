"""What one live client sees of the board: what it asked for, within what it may see. Pure."""

from dataclasses import dataclass
from typing import Any

import orjson

from api.board import Entry, Noun
from twin.access.grants import covers
from twin.plant.alarm import Priority
from twin.state.alarm_model import UNACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class View:
    """What a client wants to see, and may."""

    under: tuple[str, ...] = ()  # asset paths, () = everything
    signals: bool = True
    within: tuple[str, ...] | None = None  # where it may look; None = everywhere
    nouns: frozenset[Noun] = frozenset(Noun)

    def covers(self, path: str) -> bool:
        """Whether the asset is one of the wanted, or below one, and may be seen."""
        return self.allows(path) and (not self.under or any(covers(root, path) for root in self.under))

    def allows(self, path: str) -> bool:
        """Whether it may be seen."""
        return self.within is None or any(covers(root, path) for root in self.within)

    def touches(self, scope: str) -> bool:
        """Whether alarms of this area may be wanted: it is covered, or one of the wanted lies in it."""
        return not self.under or any(covers(root, scope) or covers(scope, root) for root in self.under)

    def wants(self, entry: Entry) -> bool:
        """Whether anything of this document belongs into a frame."""
        if entry.noun not in self.nouns:
            return False
        match entry.noun:
            case Noun.ASSET:
                return self.covers(entry.key)
            case Noun.GATEWAY:
                return self.allows(f"gateways/{entry.key}")
            case Noun.ALARMS:
                inside = self.within is None or any(covers(entry.key, root) for root in self.within)
                return self.touches(entry.key) and (inside or self.allows(entry.key))

    def rendered(self, entry: Entry) -> bytes:
        """The document as this client gets it; the alarms of an area without those that it may not see."""
        if entry.noun is Noun.ALARMS and not self.allows(entry.key):
            return _narrowed(entry.rendered(signals=True), self)
        return entry.rendered(signals=self.signals)


def _narrowed(payload: bytes, view: View) -> bytes:
    document: dict[str, Any] = orjson.loads(payload)
    seen = [alarm for alarm in document["alarms"] if view.allows(alarm["source"])]
    announced = [alarm for alarm in seen if alarm["announced"]]
    narrowed = {
        "alarms": seen,
        "total": len(seen),
        "unacknowledged": sum(alarm["phase"] in UNACKNOWLEDGED for alarm in announced),
        "counts": {one.value: sum(alarm["priority"] == one for alarm in announced) for one in Priority},
    }
    return orjson.dumps(document | narrowed)

"""What one NotificationMessage of a server says, or a part of it: readings, and what of it is not decoded yet. Pure."""

import struct
from dataclasses import dataclass, field
from operator import itemgetter

from twin.wire.reading import Reading


@dataclass(slots=True)
class Rest:
    """The part of a message that is not decoded yet."""

    data: bytes
    at: int
    received_ns: int
    notifications: int  # that have not ended
    items: int = 0  # … of the one that has begun
    end: int = 0  # … and where it ends


@dataclass(slots=True)
class Publication:
    """One NotificationMessage, or a part of it."""

    subscription_id: int
    sequence_number: int
    available: tuple[int, ...] = ()  # sequence numbers that the server still holds
    carries_data: bool = False  # False: a keep-alive, which is not acknowledged
    status: int | None = None  # of a StatusChangeNotification
    readings: list[Reading] = field(default_factory=list[Reading])
    overflowed: list[int] = field(default_factory=list[int])  # places in `readings` whose status has the overflow bit
    rejected: list[tuple[int, str]] = field(
        default_factory=list[tuple[int, str]]
    )  # (handle, why), the value is dropped
    refresh_required: bool = False  # the server has missed changes of conditions and wants to be asked for all of them
    malformed: str = ""  # why the data could not be read, when it could not
    rest: Rest | None = None  # for `Decoder.go_on`; None: this is all, or the last part


def node_number(data: bytes, at: int) -> tuple[int, int]:
    """Numeric node id of namespace 0 → (number, next place); 0 for a node id of another one."""
    encoding = data[at]
    if encoding == 0:
        return data[at + 1], at + 2
    if encoding == 1:
        return (0 if data[at + 1] else data[at + 2] | data[at + 3] << 8), at + 4
    if encoding == 2:
        namespace, identifier = struct.unpack_from("<HI", data, at + 1)
        return (0 if namespace else identifier), at + 7
    raise ValueError(f"notification type has node id encoding {encoding}")


def in_order(publication: Publication) -> None:
    """Sort by item and time: items of several layouts have been taken apart, and an overflow needs its neighbours."""
    dropped = {publication.readings[place][:2] for place in publication.overflowed}
    publication.readings.sort(key=itemgetter(0, 1))
    publication.overflowed = [place for place, found in enumerate(publication.readings) if found[:2] in dropped]

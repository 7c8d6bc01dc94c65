"""Until when each signal of a source is accounted for, so that a gap begins where the signal's own readings end.

Pure. In: readings that are on disk. Out: gaps, and the same knowledge as octets for the spool's memory. One time for a
whole source would not do: a device that lags behind the others loses readings older than what the others have sent.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence

from twin.wire.reading import Gap, GapCause, Reading

_ENTRY = struct.Struct("<Iq")


class LastRead:
    """Newest source time per signal, never ahead of the time when the reading came."""

    def __init__(self, handles: Iterable[int]) -> None:
        self._until_ns: dict[int, int] = dict.fromkeys(handles, 0)

    def __bool__(self) -> bool:
        return any(self._until_ns.values())

    @property
    def newest_ns(self) -> int:
        """Of all signals; 0 before the first reading."""
        return max(self._until_ns.values(), default=0)

    def take(self, readings: Sequence[Reading]) -> None:
        """These are on disk now."""
        until_ns = self._until_ns
        for handle, source_ns, _, _, _, received_ns in readings:
            time_ns = min(received_ns, source_ns)
            if time_ns > until_ns.get(handle, time_ns):
                until_ns[handle] = time_ns

    def begin(self, now_ns: int) -> None:
        """Signals that nobody has ever read are accounted for from now on."""
        for handle, until_ns in self._until_ns.items():
            if not until_ns:
                self._until_ns[handle] = now_ns

    def gaps(self, to_ns: int, cause: GapCause, detail: str, handles: Iterable[int] | None = None) -> list[Gap]:
        """What may be missing up to `to_ns`; signals that end at the same time share a record."""
        ends: dict[int, list[int]] = defaultdict(list)
        for handle in self._until_ns if handles is None else handles:
            until_ns = self._until_ns[handle]
            if 0 < until_ns < to_ns:
                ends[until_ns].append(handle)
        return [Gap(tuple(own), until_ns, to_ns, cause, detail) for until_ns, own in sorted(ends.items())]

    def pack(self, schema_hash: str) -> bytes:
        """For the spool's memory; handles mean something only together with the schema."""
        rows = b"".join(_ENTRY.pack(handle, until_ns) for handle, until_ns in self._until_ns.items())
        return bytes.fromhex(schema_hash) + rows

    def unpack(self, told: bytes, schema_hash: str) -> None:
        """Take over what an earlier run has packed; of another schema only the earliest time is believed."""
        rows: dict[int, int] = dict(_ENTRY.iter_unpack(told[8:]))
        if told[:8].hex() != schema_hash:
            earliest_ns = min((until_ns for until_ns in rows.values() if until_ns), default=0)
            rows = dict.fromkeys(self._until_ns, earliest_ns)
        self._until_ns.update((handle, until_ns) for handle, until_ns in rows.items() if handle in self._until_ns)

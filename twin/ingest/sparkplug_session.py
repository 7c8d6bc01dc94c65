"""What a Sparkplug host knows of one edge node: births, aliases, the order of messages, what is missing. Pure.

In: decoded messages and the time. Out: `Outcome`s: values, holes, refusals, and whether to ask for a Rebirth. An
interval is known to be missing from a metric's last value before the loss to its next one, usually its next birth.
"""

from collections.abc import Iterable
from typing import NamedTuple

from twin.errors import Rejected
from twin.ingest.admit import EARLIEST_NS
from twin.ingest.sparkplug_batches import Batches
from twin.ingest.sparkplug_outcome import Birth, Hole, Key, Outcome
from twin.ingest.sparkplug_samples import Refusal, bd_seq_of, datatypes_of, is_data, unit_of, values_of
from twin.wire.reading import GapCause
from twin.wire.sparkplug import DataType, Metric, Payload
from twin.wire.sparkplug_topic import Kind

MOST_METRICS = 100_000  # of one node
MOST_DEVICES = 10_000  # likewise
MOST_WAITING = 128  # messages that wait for an earlier one
SEQUENCE = 256


class _Doubt(NamedTuple):
    from_ns: int
    cause: GapCause
    detail: str


class _Waiting(NamedTuple):
    kind: Kind
    device: str
    payload: Payload
    at_ns: int


class Session:
    """One edge node, from the first message that was heard of it."""

    def __init__(self, *, reorder_ns: int) -> None:
        self._reorder_ns = reorder_ns
        self._bd_seq: int | None = None
        self._expected = 0
        self._waiting: dict[int, _Waiting] = {}
        self._datatypes: dict[str, dict[str, DataType]] = {}  # device → metric → datatype, of births
        self._aliases: dict[int, Key] = {}
        self._last_ns: dict[Key, int] = {}
        self._doubts: dict[Key, _Doubt] = {}
        self._ordered = False  # since the last birth nothing is missing
        self._batches = Batches()
        self.born: bool = False
        self.since_ns: int = 0  # when `born` changed
        self.devices: dict[str, bool] = {}  # every one that was ever born → whether it is there

    def take(self, kind: Kind, device: str, payload: Payload, now_ns: int) -> Outcome:
        """One message of the node.

        Raises:
            Rejected: 'malformed', when its number is none.
        """
        if payload.seq is not None and payload.seq >= SEQUENCE:
            raise Rejected("malformed", f"seq {payload.seq} is not below {SEQUENCE}")
        out = Outcome()
        if kind is Kind.NBIRTH:
            self._node_birth(payload, now_ns, out)
        elif kind is Kind.NDEATH:
            self._node_death(payload, now_ns, out)
        elif not self.born:
            out.rebirth = "its birth was not heard"
            out.refusals.append((Key(device, ""), Refusal("", "no-birth", f"{kind} before the node's birth")))
        elif self._batches.epoch and not self._ordered:
            out.rebirth = "a message before this one is missing"
        elif payload.seq is None or not self._ordered:
            self._apply(_Waiting(kind, device, payload, now_ns), out)
        else:
            self._in_order(payload.seq, _Waiting(kind, device, payload, now_ns), out)
        return out

    def tick(self, now_ns: int) -> Outcome:
        """Look whether a missing message has been waited for long enough."""
        out = Outcome()
        if self._waiting and now_ns - min(one.at_ns for one in self._waiting.values()) >= self._reorder_ns:
            self._give_up(out)
        return out

    def lose(self, cause: GapCause, detail: str, now_ns: int) -> None:
        """Messages may pass unheard from now on; only a birth helps."""
        self._waiting.clear()
        self._end(now_ns)
        self._doubt(self._last_ns, cause, detail)

    @property
    def epoch(self) -> str:
        """Whose numbers the batches of this node bear; "" while it is away, or numbers none."""
        return self._batches.epoch if self.born else ""

    # --- order ---------------------------------------------------------------------------------------------------

    def _in_order(self, seq: int, message: _Waiting, out: Outcome) -> None:
        self._waiting[seq] = message
        while self._expected in self._waiting:
            following = self._waiting.pop(self._expected)
            self._expected = (self._expected + 1) % SEQUENCE
            self._apply(following, out)
        if len(self._waiting) > MOST_WAITING:
            self._give_up(out)

    def _give_up(self, out: Outcome) -> None:
        """A message is missing: it may have been a birth, so aliases mean nothing until the next one."""
        waiting = [self._waiting[seq] for seq in sorted(self._waiting, key=self._distance)]
        detail = f"messages from number {self._expected} on are missing"
        self._waiting.clear()
        self._ordered = False
        self._aliases.clear()
        self._doubt(self._last_ns, GapCause.SEQUENCE_JUMP, detail)
        out.rebirth = detail
        for message in () if self._batches.epoch else waiting:  # batches come again, and whole
            self._apply(message, out)

    def _distance(self, seq: int) -> int:
        return (seq - self._expected) % SEQUENCE

    def _apply(self, message: _Waiting, out: Outcome) -> None:
        if message.kind is Kind.DBIRTH:
            if message.device not in self.devices and len(self.devices) >= MOST_DEVICES:
                self._refuse_many(message.device, "", out)
                return
            self._birth(message.device, message.payload, message.at_ns, out)
            out.changed = out.changed or not self.devices.get(message.device, False)
            self.devices[message.device] = True
        elif message.kind is Kind.DDEATH:
            self._device_death(message, out)
        elif message.kind in (Kind.NDATA, Kind.DDATA):
            self._data(message, out)

    # --- births and deaths ---------------------------------------------------------------------------------------

    def _node_birth(self, payload: Payload, now_ns: int, out: Outcome) -> None:
        if self._waiting:
            self._give_up(out)
        bd_seq = bd_seq_of(payload)
        if self.born and (bd_seq is None or bd_seq != self._bd_seq):
            self._doubt(self._last_ns, GapCause.DEVICE_UNREACHABLE, "the edge node began a new session")
        if not self.born:
            self.since_ns = now_ns
        out.changed, out.rebirth = True, ""
        self.born = self._ordered = True
        self._bd_seq = bd_seq
        self._expected = ((payload.seq or 0) + 1) % SEQUENCE
        self._aliases.clear()
        self._datatypes.clear()
        self._batches.begin(payload.metrics)
        self.devices = dict.fromkeys(self.devices, False)
        self._birth("", payload, now_ns, out)

    def _birth(self, device: str, payload: Payload, now_ns: int, out: Outcome) -> None:
        born_ns = now_ns if payload.timestamp_ms is None else min(now_ns, payload.timestamp_ms * 1_000_000)
        datatypes = self._datatypes[device] = {}
        room = MOST_METRICS - sum(map(len, self._datatypes.values()))
        for metric in payload.metrics:
            if len(datatypes) >= room:
                self._refuse_many(device, metric.name or "", out)
                break
            if not metric.name:
                out.refusals.append((Key(device, ""), Refusal("", "malformed", "a birth of a metric without a name")))
                continue
            key = Key(device, metric.name)
            if metric.alias is not None:
                if self._aliases.get(metric.alias, key) != key:
                    twice = f"alias {metric.alias} is {self._aliases[metric.alias].name}, too"
                    out.refusals.append((key, Refusal(metric.name, "malformed", twice)))
                    continue
                self._aliases[metric.alias] = key
            datatypes.update(datatypes_of(metric.name, metric))
            if self._batches.owns(device, metric.name) or not is_data(metric.name):
                continue
            if metric.value is None or self._batches.epoch:  # nothing was measured, or it comes with a batch, too
                out.births.append(Birth(key, unit_of(metric.properties), born_ns, first=False))
            else:
                self._read(key, metric, payload, now_ns, born_ns, out)

    @staticmethod
    def _refuse_many(device: str, name: str, out: Outcome) -> None:
        detail = f"more than {MOST_METRICS} metrics or {MOST_DEVICES} devices"
        out.refusals.append((Key(device, name), Refusal(name, "too-many", detail)))

    def _node_death(self, payload: Payload, now_ns: int, out: Outcome) -> None:
        bd_seq = bd_seq_of(payload)
        if not self.born or self._is_older(bd_seq):
            return  # the will of a session that a newer birth has replaced
        if self._waiting:
            self._give_up(out)
        out.changed, out.rebirth = True, ""
        self._end(now_ns)
        self._doubt(self._last_ns, GapCause.DEVICE_UNREACHABLE, "the edge node is offline (NDEATH)")

    def _is_older(self, bd_seq: int | None) -> bool:
        """One that is ahead is of a session whose birth was not heard, or of a library that counts too often."""
        if bd_seq is None or self._bd_seq is None:
            return False
        return (bd_seq - self._bd_seq) % SEQUENCE > SEQUENCE // 2

    def _end(self, now_ns: int) -> None:
        if self.born:
            self.since_ns = now_ns
        self.born = self._ordered = False
        self._aliases.clear()
        self._datatypes.clear()
        self.devices = dict.fromkeys(self.devices, False)

    def _device_death(self, message: _Waiting, out: Outcome) -> None:
        out.changed = True
        self.devices[message.device] = False
        self._datatypes.pop(message.device, None)
        self._aliases = {alias: key for alias, key in self._aliases.items() if key.device != message.device}
        gone = [key for key in self._last_ns if key.device == message.device]
        self._doubt(gone, GapCause.DEVICE_UNREACHABLE, f"device {message.device} is offline (DDEATH)")

    def _doubt(self, keys: Iterable[Key], cause: GapCause, detail: str) -> None:
        """Never of a node that numbers its batches: it sends again what has no receipt, and tells its gaps itself."""
        for key in () if self._batches.epoch else keys:
            self._doubts.setdefault(key, _Doubt(self._last_ns[key], cause, detail))

    # --- values --------------------------------------------------------------------------------------------------

    def _data(self, message: _Waiting, out: Outcome) -> None:
        for metric in message.payload.metrics:
            key = self._key(message.device, metric)
            datatype = self._datatypes.get(message.device, {}).get(key.name) if key else None
            if datatype is None:  # against the specification; some libraries give name and datatype in every message
                datatype = metric.datatype if metric.name else None
            if key is None or datatype is None:
                name = metric.name or f"alias {metric.alias}"
                unborn = Refusal(name, "no-birth", "no birth names this metric")
                out.refusals.append((Key(message.device, name), unborn))
                out.rebirth = out.rebirth or f"{name} stands in no birth"
                self._batches.spoil()
            elif self._batches.owns(*key):
                self._hear(metric.typed(datatype), out)
            elif is_data(key.name):
                self._read(key, metric.typed(datatype), message.payload, message.at_ns, None, out)

    def _hear(self, metric: Metric, out: Outcome) -> None:
        try:
            batch = self._batches.hear(metric)
        except Rejected as error:
            out.refusals.append((Key("", metric.name or ""), Refusal(metric.name or "", error.reason, str(error))))
            return
        if batch is not None:
            out.batches.append(batch)

    def _key(self, device: str, metric: Metric) -> Key | None:
        if metric.alias is not None and metric.alias in self._aliases:
            key = self._aliases[metric.alias]
            return key if key.device == device and metric.name in (None, "", key.name) else None
        return Key(device, metric.name) if metric.name else None

    def _read(self, key: Key, metric: Metric, payload: Payload, now_ns: int, born_ns: int | None, out: Outcome) -> None:
        unit = unit_of(metric.properties)
        datatypes = self._datatypes.get(key.device, {})
        for found in values_of(key.name, metric, payload.timestamp_ms, now_ns, datatypes):
            one = Key(key.device, found.name)
            if isinstance(found, Refusal):
                out.refusals.append((one, found))
                continue
            if self._batches.epoch:
                self._batches.add(one, found)
                continue
            last_ns = self._last_ns.get(one)
            if last_ns is None and len(self._last_ns) >= MOST_METRICS:
                self._refuse_many(*one, out)
                continue
            if born_ns is not None or last_ns is None:
                time_ns = min(found.time_ns, now_ns) if born_ns is None else born_ns
                out.births.append(Birth(one, unit, time_ns, first=last_ns is None))
            late = found.historical or (last_ns is not None and found.time_ns < last_ns)
            out.values.append((one, found if late == found.historical else found._replace(historical=late)))
            self._account(one, min(found.time_ns, now_ns), None if found.historical else born_ns, late, out)

    def _account(self, key: Key, time_ns: int, born_ns: int | None, late: bool, out: Outcome) -> None:
        """The hole before this value, if there is one; a birth says what is now, however old its value is."""
        until_ns = time_ns if born_ns is None else max(born_ns, time_ns)
        time_ns = max(time_ns, EARLIEST_NS)  # a clock that has lost its battery makes no hole of decades
        if key in self._doubts and (not late or born_ns is not None):
            doubt = self._doubts.pop(key)
            if doubt.from_ns < until_ns:
                out.holes.append(Hole(key, doubt.from_ns, until_ns, doubt.cause, doubt.detail))
        if not late:
            self._last_ns[key] = max(time_ns, self._last_ns.get(key, 0))
        else:
            self._last_ns.setdefault(key, time_ns)

"""What MQTT messages come to: readings, gaps where a device's own count jumps, dead letters. No input or output.

In: messages as the broker gave them. Out: a `Harvest`, whose order is that of the messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.dead_letters import DeadLetter
from edge.mapping import Incoming, MappedMessage, TopicMapping
from edge.sources.mqtt_unnamed import Unnamed
from twin.errors import Rejected
from twin.wire.mqtt import Message
from twin.wire.reading import Gap, GapCause, Reading

_MOST_LETTERS = 200  # dead letters written per call of the sink; the rest is only counted
_MOST_UNKNOWN = 1_000  # topics without a signal that are remembered, to tell of each once


@dataclass(slots=True)
class Harvest:
    """What a handful of messages came to."""

    readings: list[Reading] = field(default_factory=list[Reading])
    gaps: list[Gap] = field(default_factory=list[Gap])
    letters: list[DeadLetter] = field(default_factory=list[DeadLetter])


class Harvester:
    """Understands messages by a mapping, and remembers what is needed of those before.

    Args:
        mapping: topics → signals.
        unnamed: values whose metadata has not come.
        unqueued: handles of signals that the broker does not keep for us; grows with the messages.
    """

    def __init__(self, mapping: TopicMapping, unnamed: Unnamed, unqueued: set[int]) -> None:
        self._mapping = mapping
        self._unnamed = unnamed
        self.unqueued: set[int] = unqueued
        self.counts: dict[str, int] = dict.fromkeys(("messages", "rejected", "gaps", "described"), 0)
        self._sequences: dict[str, tuple[int, int]] = {}
        self._unknown: set[str] = set()

    def understand(self, messages: Sequence[Message], received_ns: int) -> Harvest:
        """What these messages say; the counts go on."""
        harvest = Harvest()
        self.counts["messages"] += len(messages)
        for message in messages:
            incoming = Incoming(message.topic, message.payload, received_ns, message.retain)
            try:
                mapped = self._mapping.read(incoming)
            except Rejected as error:
                self._refuse(incoming, [error], harvest)
                continue
            harvest.readings += mapped.readings
            if mapped.described is not None:
                self.counts["described"] = mapped.described
                harvest.gaps += self._unnamed.end(received_ns) if mapped.described else []
            if mapped.rejected:
                self._refuse(incoming, mapped.rejected, harvest)
            if mapped.sequence is not None:
                harvest.gaps += self._follow(incoming, mapped)
            if message.qos == 0 and not message.retain:
                self.unqueued.update(mapped.handles)
        return harvest

    def _refuse(self, message: Incoming, errors: Sequence[Rejected], harvest: Harvest) -> None:
        self.counts["rejected"] += len(errors)
        for error in errors:
            if error.reason == "no-metadata":
                self._unnamed.note(message.topic, message.received_ns)
            if error.reason == "unknown-topic":
                if message.topic in self._unknown or len(self._unknown) >= _MOST_UNKNOWN:
                    continue
                self._unknown.add(message.topic)
            if len(harvest.letters) < _MOST_LETTERS:
                harvest.letters.append(
                    DeadLetter(message.received_ns, error.reason, str(error), message.topic, message.payload)
                )

    def _follow(self, message: Incoming, mapped: MappedMessage) -> list[Gap]:
        """A gap when the device's own count says that messages are missing."""
        number = mapped.sequence or 0
        newest_ns = max((reading.source_ns for reading in mapped.readings), default=message.received_ns)
        last, last_ns = self._sequences.get(message.topic, (number - 1, newest_ns))
        if number == last or last_ns > newest_ns:
            return []  # the same again, or late
        self._sequences[message.topic] = (number, newest_ns)
        if number <= last + 1:
            return []
        detail = f"{message.topic}: {number - last - 1} messages missing before number {number}"[:300]
        return [Gap(mapped.handles, last_ns, newest_ns, GapCause.SEQUENCE_JUMP, detail)]

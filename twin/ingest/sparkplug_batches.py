"""Hop *receive* for Sparkplug nodes that number their batches: values → whole batches. Pure.

In: values and metrics of one session in their order. Out: a `Numbered` where the node ends it, never a part of one:
what is incomplete is forgotten, and the node sends it again because it has no receipt.
"""

from collections.abc import Iterable

from twin.errors import Rejected
from twin.ingest.sparkplug_outcome import Key, Numbered
from twin.ingest.sparkplug_samples import Value
from twin.wire.batch import MOST_GAPS, MOST_NUMBER, MOST_READINGS
from twin.wire.reading import Lane
from twin.wire.sparkplug import Metric
from twin.wire.sparkplug_receipt import BATCH, GAPS, NAMES, MetricGap, epoch_of, gaps_of


class Batches:
    """What a session has heard of the batch that is on its way."""

    def __init__(self) -> None:
        self.epoch: str = ""  # of the last birth; "" = the node numbers nothing, its values are taken as they come
        self._values: list[tuple[Key, Value]] = []
        self._gaps: list[MetricGap] = []
        self._spoilt = False

    def begin(self, birth: Iterable[Metric]) -> None:
        """A node's birth: the batch before it will come again."""
        self.epoch = epoch_of(birth)
        self._forget()

    def owns(self, device: str, name: str) -> bool:
        """Whether a metric belongs to the protocol of batches."""
        return bool(self.epoch) and not device and name in NAMES

    def add(self, key: Key, value: Value) -> None:
        """A value of the batch."""
        if len(self._values) >= MOST_READINGS:
            self.spoil()
        else:
            self._values.append((key, value))

    def spoil(self) -> None:
        """Something of the batch could not be taken: it must come again."""
        self._spoilt = True

    def hear(self, metric: Metric) -> Numbered | None:
        """A metric of the protocol; the batch, when this ends it.

        Raises:
            Rejected: 'malformed'; the batch must come again.
        """
        try:
            if metric.name == GAPS:
                self._gaps += gaps_of(metric)
                if len(self._gaps) > MOST_GAPS:
                    raise Rejected("malformed", f"more than {MOST_GAPS} gaps in one batch")
            return self._end(metric) if metric.name == BATCH else None
        except Rejected:
            self.spoil()
            raise

    def _end(self, metric: Metric) -> Numbered | None:
        if not isinstance(metric.value, int) or not 0 < metric.value <= MOST_NUMBER:
            raise Rejected("malformed", f"{metric.value!r} numbers no batch")
        lane = Lane.HISTORY if metric.is_historical else Lane.LIVE
        whole = Numbered(self.epoch, metric.value, lane, tuple(self._values), tuple(self._gaps))
        spoilt = self._spoilt
        self._forget()
        return None if spoilt else whole

    def _forget(self) -> None:
        self._values, self._gaps, self._spoilt = [], [], False

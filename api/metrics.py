"""What the api counts about itself, for Prometheus; one registry per app so that two apps in one process do not mix."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class Metrics:
    """The counters; names follow the Prometheus conventions (base units, `_total`)."""

    def __init__(self) -> None:
        self.registry: CollectorRegistry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests: Histogram = Histogram(
            "fabriquay_api_request_seconds",
            "Duration of HTTP requests by route, until the last byte",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=LATENCY_BUCKETS_S,
        )
        self.clients: Gauge = Gauge("fabriquay_api_live_clients", "Open WebSocket clients", registry=self.registry)
        self.refused: Counter = self._counter("live_clients_refused", "WebSocket clients refused", "reason")
        self.dropped: Counter = self._counter("live_clients_dropped", "WebSocket clients that took too long to read")
        self.frames: Counter = self._counter("live_frames", "Frames sent to WebSocket clients")
        self.frame_characters: Counter = self._counter("live_frame_characters", "Characters in those frames")
        self.built: Counter = self._counter("live_frames_built", "Frames serialised; the others were shared")
        self.documents: Counter = self._counter("feed_documents", "State and gateway documents taken from the broker")
        self.rejected: Counter = self._counter("feed_documents_rejected", "Documents that could not be used", "reason")
        self.feed_up: Gauge = Gauge(
            "fabriquay_api_feed_connected", "1 while subscribed to the live feed", registry=self.registry
        )
        self.feed_heard: Gauge = Gauge(
            "fabriquay_api_feed_last_heard_timestamp_seconds",
            "When the live feed was last heard",
            registry=self.registry,
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"fabriquay_api_{name}", text, labels, registry=self.registry)

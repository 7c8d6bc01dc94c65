"""Traces for OpenTelemetry, where an endpoint is configured: what a process did, how long each step took.

In: `traces:` of twin.yaml. Out: spans over OTLP/HTTP. Without that nothing of OpenTelemetry is imported and `span`
costs a comparison. This is its one door.
"""

import importlib.metadata
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import Field

from twin.errors import ConfigError
from twin.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

Attributes = Mapping[str, str | int | float]
Tell = Callable[[str, Attributes], None]


class TracesSettings(Settings):
    """Where traces go."""

    endpoint: str = Field(pattern=r"^https?://")  # of a collector, OTLP over HTTP, e.g. http://collector:4318
    share: float = Field(default=1.0, gt=0, le=1)  # of all traces


_tracer: "Tracer | None" = None


def install(settings: TracesSettings | None, service: str) -> Callable[[], None]:
    """Send traces from here on as `service`; what it returns sends what waits and ends it.

    Raises:
        ConfigError: the packages are missing.
    """
    if settings is None:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise ConfigError("traces: OpenTelemetry is not installed; pip install 'fabriquay[traces]'") from error
    global _tracer
    resource = Resource.create({"service.name": service, "service.version": importlib.metadata.version("fabriquay")})
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(settings.share)), resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("fabriquay")

    def end() -> None:
        global _tracer
        _tracer = None
        provider.shutdown()

    return end


@contextmanager
def span(name: str, attributes: Attributes | None = None) -> Generator[Tell]:
    """A step; what it yields tells a better name and what is known at its end. An exception marks it as failed."""
    if _tracer is None:
        yield _nothing
        return
    with _tracer.start_as_current_span(name, attributes=attributes) as current:

        def tell(known: str, more: Attributes) -> None:
            current.update_name(known)
            current.set_attributes(more)

        yield tell


def _nothing(_name: str, _attributes: Attributes) -> None:
    return

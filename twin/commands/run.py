"""`twin run`: the hot path in one process. Here, and only here, ingest, store, monitor and the live feed are joined."""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from typing import Any

from twin.commands.risk_alarms import watch_risks
from twin.commands.settings import TwinSettings
from twin.errors import ConfigError, Retryable
from twin.ingest.admit import Expected
from twin.ingest.receive import run_ingest
from twin.monitor.engine import Engine
from twin.monitor.run import Monitor
from twin.notify.check import notify_problems
from twin.notify.door import Targets
from twin.notify.run import run_notify
from twin.plant.load import load_plant
from twin.plant.tree import Plant
from twin.store.connect import Store, open_store
from twin.wire.backoff import Backoff
from twin.wire.mqtt import BrokerSettings, Client, connect

_log = logging.getLogger(__name__)


class LivePublisher:
    """Publishes on retained topics over a connection of its own, so that a slow reader never holds up a receipt."""

    def __init__(self, broker: BrokerSettings) -> None:
        self._broker = broker
        self._client: Client | None = None

    async def publish(self, topic: str, payload: bytes) -> None:
        """QoS 0: a lost state document is followed by a newer one.

        Raises:
            Retryable: the broker is away.
        """
        if self._client is None:
            raise Retryable("the broker is away")
        await self._client.publish(topic, payload, qos=0, retain=True)

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        backoff = Backoff()
        name = f"fabriquay-live-{socket.gethostname()}-{os.getpid()}"
        while True:
            try:
                async with connect(self._broker, client_id=name) as client:
                    self._client = client
                    backoff.reset()
                    async for _ in client.messages():
                        pass
            except Retryable as error:
                if backoff.fresh:
                    _log.warning("live feed: %s", error)
            finally:
                self._client = None
            await backoff.wait()


async def run_twin(settings: TwinSettings) -> None:
    """Run until cancelled. The store must be there at the start; from then on it and the broker may come and go.

    Of several processes on one database one does the work, the others stand by.
    """
    plant, targets = load_plant(settings.plant), Targets(settings.notify.targets)
    if problems := list(notify_problems(settings.notify, plant)):
        raise ConfigError(problems)
    async with open_store(settings.database) as store:
        signal_ids = await store.plants.register(plant)
        _log.info("store: %s edition; plant %s with %d signals", store.edition, plant.revision, len(signal_ids))

        async def work() -> None:
            await _run(settings, plant, store, signal_ids, targets)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(Engine(plant, signal_ids).warm_up), name="compile while standing by")
            tasks.create_task(store.leases.hold("run", work), name="lease")


async def _run(
    settings: TwinSettings, plant: Plant, store: Store, signal_ids: Mapping[str, int], targets: Targets
) -> None:
    publisher = LivePublisher(settings.broker)
    monitor = Monitor(plant, signal_ids, store, publisher.publish, policy=settings.alarms)

    async def hear(node: str, health: Mapping[str, Any]) -> None:
        await monitor.hear(node, health)
        try:
            await store.gateways.upsert(node, health)
        except Retryable as error:
            _log.info("health of %s not kept: %s", node, error)

    after_seq = await store.samples.newest_seq()  # the monitor reads everything up to here from the store
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(publisher.run(), name="live publisher")
        tasks.create_task(monitor.run(), name="monitor")
        tasks.create_task(_risk_alarms(monitor, store), name="risk alarms")
        if settings.notify.routes:
            tasks.create_task(run_notify(plant, settings.notify, store.notifications, targets), name="notify")
        tasks.create_task(
            run_ingest(
                settings.broker,
                store,
                monitor.judge,
                signal_ids=signal_ids,
                plant=expected(plant),
                on_health=hear,
                after_seq=after_seq,
                sparkplug=settings.sparkplug,
            ),
            name="ingest",
        )


async def _risk_alarms(monitor: Monitor, store: Store) -> None:
    await monitor.ready.wait()
    await watch_risks(store.risks.latest, monitor.assess)


def expected(plant: Plant) -> dict[str, Expected]:
    """What admission needs of each signal, by path."""
    return {signal.path: Expected(str(signal.kind), signal.unit) for signal in plant.signals}

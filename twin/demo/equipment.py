"""The simulated equipment as a process: the world runs, the truth log writes, the devices speak. In that order.

In: settings, the clock. Out: an OPC UA server and MQTT devices that live until the task is cancelled; a second start
goes on where the first one stopped.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from twin.demo.channel import Channel, channel_of
from twin.demo.dialects import DeviceMessage, Spoken, carrier_message, crane_message, value_message
from twin.demo.mqtt_device import MqttDevice
from twin.demo.opcua_server import EquipmentServer, serve_equipment
from twin.demo.probe import Emission
from twin.demo.truth import Entry, TruthLog, open_truth
from twin.demo.unit import Value
from twin.demo.world import World
from twin.errors import ConfigError
from twin.plant.load import load_plant
from twin.plant.tree import Kind, Plant
from twin.settings import Settings
from twin.wire.mqtt import BrokerSettings

log = logging.getLogger(__name__)

_STEP_US = 20_000  # of physics, at the plant's own speed
_LONGEST_STEP_US = 100_000
_KEEP_WORLD_S = 1.0
_FORGET_EVERY_S = 60.0
_MOST_TICK_S = 0.5  # of real time that one tick makes up for, when the process was held up


class EquipmentSettings(Settings):
    """What to simulate, where it listens and publishes, and where the truth is kept."""

    plant: Path
    truth_log: Path
    sites: tuple[Literal["factory", "terminal"], ...] = ("factory", "terminal")
    opcua_host: str = "127.0.0.1"
    opcua_port: int = Field(default=4840, ge=1, le=65535)
    broker: BrokerSettings | None = None
    seed: int = 1
    speed: PositiveFloat = 1.0
    rate: PositiveFloat | None = None  # values per second of plant time; None = the periods of the plant model
    fault_gap_s: PositiveFloat = 240.0  # mean time between the starts of two faults
    follow_calendar: bool = False  # rest outside planned hours
    tick_s: float = Field(default=0.02, gt=0, le=1)
    truth_keep_s: PositiveFloat = 86_400.0
    most_queued: PositiveInt = 100_000  # messages per device while the broker is away


Ready = Callable[[str], None]


async def run_equipment(
    settings: EquipmentSettings, *, clock: Callable[[], int] = time.time_ns, ready: Ready | None = None
) -> None:
    """Run until cancelled; `ready` is told the OPC UA endpoint ("" without the factory) once devices can be reached.

    Raises:
        ConfigError: plant, truth log or settings cannot be used.
        Retryable: the OPC UA port is taken.
    """
    plant = load_plant(settings.plant)
    tag = f"{plant.revision}/{settings.seed}/{','.join(settings.sites)}"
    async with AsyncExitStack() as stack:
        truth = await stack.enter_async_context(open_truth(settings.truth_log, tag=tag))
        equipment = Equipment(settings, plant, truth, clock)
        first = await equipment.begin()
        server = None
        if equipment.served:
            signals = {handle: equipment.world.signals[handle] for handle in equipment.served}
            server = await stack.enter_async_context(
                serve_equipment(plant, signals, first, host=settings.opcua_host, port=settings.opcua_port)
            )
        async with asyncio.TaskGroup() as group:
            for device in equipment.devices.values():
                group.create_task(device.run(), name=f"device {device.name}")
            log.info("the simulated equipment runs: %s", server.endpoint if server else "MQTT only")
            if ready is not None:
                ready(server.endpoint if server else "")
            await equipment.run(server)


class Equipment:
    """The world with its log and devices."""

    def __init__(self, settings: EquipmentSettings, plant: Plant, truth: TruthLog, clock: Callable[[], int]) -> None:
        self._settings: EquipmentSettings = settings
        self._plant: Plant = plant
        self._truth: TruthLog = truth
        self._clock: Callable[[], int] = clock
        self.world: World = self._world()
        self._channels: list[Channel] = [channel_of(plant.asset(one.asset).type) for one in self.world.signals]
        self.served: list[int] = [at for at, one in enumerate(self._channels) if one is Channel.OPCUA]
        self.devices: dict[Channel, MqttDevice] = {}
        for channel in sorted({one for one in self._channels if one is not Channel.OPCUA}):
            if settings.broker is None:
                raise ConfigError("broker: is missing; the terminal's devices need one, or leave the terminal out")
            self.devices[channel] = MqttDevice(channel.value, settings.broker, most_queued=settings.most_queued)
        self._dropped: list[int] = []
        self._counts: dict[int, Value] = {}
        self._written: int = truth.last_id

    async def begin(self) -> list[Emission]:
        """Log the first sample of every signal and queue it; the OPC UA server takes them before it listens."""
        self._truth.register(zip((one.path for one in self.world.signals), self._channels, strict=True))
        doubtful = self._truth.close_doubtful()
        if doubtful:
            log.info("%d samples of the last run may not have been emitted", doubtful)
        advance = self.world.advance(self.world.now_us)
        messages = self._compose(advance.emissions)
        ids = await self._truth.commit(Entry(advance.emissions, advance.faults, world=self.world))
        self._send(messages)
        self._written = ids[-1]
        return advance.emissions

    async def run(self, server: EquipmentServer | None) -> None:
        """Tick for ever."""
        began_us = self.world.now_us
        # what the start has cost is caught up; a plant that ran ahead of the clock goes on from where it was
        began_ns = min(began_us * 1000, self._clock())
        kept_s = forgot_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            keep = now_s - kept_s >= _KEEP_WORLD_S
            due_us = began_us + int((self._clock() - began_ns) / 1000 * self._settings.speed)
            most_us = self.world.now_us + int(_MOST_TICK_S * 1e6 * max(1.0, self._settings.speed))
            await self._tick(server, min(due_us, most_us), keep)
            if keep:
                kept_s = now_s
            if now_s - forgot_s >= _FORGET_EVERY_S:
                forgot_s = now_s
                await self._truth.forget(self.world.now_us - round(self._settings.truth_keep_s * 1e6))
            await asyncio.sleep(max(0.0, self._settings.tick_s - (time.monotonic() - now_s)))

    async def _tick(self, server: EquipmentServer | None, until_us: int, keep: bool) -> None:
        calendar = self._plant if self._settings.follow_calendar else None
        advance = self.world.advance(until_us, calendar)
        messages = self._compose(advance.emissions)
        counted = self._count(advance.emissions)
        entry = Entry(
            emissions=advance.emissions,
            faults=advance.faults,
            dropped=tuple(self._dropped),
            progress=self._progress(),
            world=self.world if keep or counted else None,
        )
        self._dropped.clear()
        ids = await self._truth.commit(entry)
        self._send(messages)
        if server is not None:
            await server.write(advance.emissions)
        if ids:
            self._written = ids[-1]

    def _count(self, emissions: Sequence[Emission]) -> bool:
        """Whether a counter has moved: then the world is kept at once, so that no restart sets one back."""
        now = {one.signal: one.value for one in emissions if self.world.signals[one.signal].kind is Kind.COUNTER}
        moved = any(self._counts.get(handle) != value for handle, value in now.items())
        self._counts |= now
        return moved

    def _progress(self) -> dict[Channel, int]:
        """Per channel: up to which sample everything is out."""
        progress = {Channel.OPCUA: self._written}
        for channel, device in self.devices.items():
            pending = device.oldest_pending()
            progress[channel] = self._written if pending is None else pending - 1
        return progress

    def _compose(self, emissions: Sequence[Emission]) -> dict[Channel, list[DeviceMessage]]:
        """What the devices will send, with the ids that the truth log will give."""
        spoken: dict[Channel, list[Spoken]] = {channel: [] for channel in self.devices}
        for number, one in enumerate(emissions, self._truth.last_id + 1):
            channel = self._channels[one.signal]
            if channel in spoken:
                spoken[channel].append(Spoken(number, self.world.signals[one.signal], one.time_us, one.value))
        return {channel: list(_messages(channel, said, self.world.headers)) for channel, said in spoken.items()}

    def _send(self, messages: dict[Channel, list[DeviceMessage]]) -> None:
        for channel, said in messages.items():
            if said:
                self._dropped += self.devices[channel].put(said)

    def _world(self) -> World:
        """The world of the last run, moved to now, or a new one."""
        settings, now_us = self._settings, self._clock() // 1_000_000 * 1000
        step_us = min(_LONGEST_STEP_US, round(_STEP_US * max(1.0, settings.speed)) // 1000 * 1000)
        world = self._truth.world()
        if world is None:
            world = World(
                self._plant,
                settings.sites,
                seed=settings.seed,
                start_us=now_us,
                step_us=step_us,
                fault_gap_s=settings.fault_gap_s,
            )
        else:
            world.step_us = step_us
            world.jump(now_us)
            log.info("the plant goes on where the last run stopped")
        world.set_rate(settings.rate)
        return world


def _messages(channel: Channel, spoken: list[Spoken], headers: dict[str, int]) -> Iterable[DeviceMessage]:
    """The messages of one channel for one tick, in order; `headers` counts those of each carrier."""
    if channel in {Channel.REEFERS, Channel.GATES}:
        yield from map(value_message, spoken)
        return
    ordered = sorted(spoken, key=lambda one: (one.signal.asset, one.time_us))
    for asset, of_unit in groupby(ordered, key=lambda one: one.signal.asset):
        name = asset.rpartition("/")[2]
        said = list(of_unit)
        if channel is Channel.CRANES:
            yield crane_message(name, said)
        else:
            for _, instant in groupby(said, key=lambda one: one.time_us):
                headers[asset] = headers.get(asset, 0) + 1
                yield carrier_message(name, list(instant), headers[asset])

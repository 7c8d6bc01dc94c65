"""The simulated plant without any input or output: plant time goes in, samples and faults come out.

Same seed, same start, same step: same samples, however the time is cut into calls. The whole world can be pickled;
`twin.demo.truth` keeps it so that the next start goes on where this one was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from twin.demo.factory import build_factory
from twin.demo.faults import Fault, FaultPlan, plan_faults
from twin.demo.probe import Emission, Probe, Sensors, is_sampled, probe_for
from twin.demo.reefer import ReeferSlot
from twin.demo.terminal import Terminal
from twin.demo.unit import Unit, Value, seeded
from twin.plant.tree import Plant, Signal

_CARRIER = "carrier"
_REPAIR_S = (60.0, 180.0)  # after a bearing has seized


@dataclass(frozen=True, slots=True)
class Advance:
    """What happened: samples in the order of time, faults that began or ended."""

    emissions: list[Emission]
    faults: list[Fault]


class World:
    """The plant's units, sensors and faults at one instant."""

    def __init__(
        self, plant: Plant, sites: Sequence[str], *, seed: int, start_us: int, step_us: int, fault_gap_s: float
    ) -> None:
        rng = Random(seed)  # noqa: S311 - physics, no secrets
        assets = [asset for asset in plant.assets if plant.site_of(asset.path).path in sites]
        self.now_us: int = start_us
        self.step_us: int = step_us
        self.terminal: Terminal = Terminal(plant, assets, seeded(rng))
        self.units: list[Unit] = [*build_factory(plant, assets, seeded(rng)), *self.terminal.units]
        self.noise: Random = seeded(rng)
        by_path = {unit.path: unit for unit in self.units}
        self.signals: tuple[Signal, ...] = tuple(one for one in plant.signals if one.asset in by_path)
        types = {asset.path: asset.type for asset in assets if asset.path in by_path}
        phases = seeded(rng)
        self.sensors: list[Sensors] = [self._place(one, types[one.path], phases.random()) for one in self.units]
        self.by_asset: dict[str, Sensors] = {one.unit.path: one for one in self.sensors}
        self.faults: FaultPlan = plan_faults(seeded(rng), types, start_us=start_us, mean_gap_s=fault_gap_s)
        self.sites: dict[str, str] = {unit.path: plant.asset(unit.path).calendar for unit in self.units}
        self.first: bool = True
        self.headers: dict[str, int] = {}  # by unit: messages that count themselves, across restarts too

    def _place(self, unit: Unit, asset_type: str, phase: float) -> Sensors:
        """The sensors of one unit; a carrier's all speak at once, in one message."""
        sensors = Sensors(unit, [], [], phase, {})
        for index, signal in enumerate(self.signals):
            if signal.asset == unit.path:
                rhythmic = asset_type == _CARRIER or is_sampled(signal)
                probe = probe_for(index, signal, start_us=self.now_us)
                (sensors.sampled if rhythmic else sensors.changing).append(probe)
        return sensors

    def set_rate(self, values_per_s: float | None) -> None:
        """Scale the sampling periods to about so many values per second of plant time; None = as the plant model says.

        Counters, states and texts speak on change and keep their own pace.
        """
        factor = 1.0
        if values_per_s is not None:
            changing = sum(1e6 / probe.nominal_us for one in self.sensors for probe in one.changing)
            sampled = sum(1e6 / probe.nominal_us for one in self.sensors for probe in one.sampled)
            factor = max(values_per_s - changing, 1.0) / max(sampled, 1e-9)
        for one in self.sensors:
            for probe in one.sampled:
                probe.period_us = max(1, round(probe.nominal_us / factor / 1000)) * 1000

    def advance(self, until_us: int, plant: Plant | None = None) -> Advance:
        """Whole steps up to `until_us`; with a plant given, units rest outside their planned hours."""
        emissions: list[Emission] = []
        faults: list[Fault] = []
        if self.first:
            self._first(emissions)
        dt_s = self.step_us / 1e6
        while self.now_us + self.step_us <= until_us:
            self.now_us += self.step_us
            resting = self._resting(plant) if plant else frozenset[str]()
            self.terminal.step(dt_s)
            for unit in self.units:
                unit.step(dt_s, self.sites[unit.path] not in resting)
            faults += self._break()
            for sensors in self.sensors:
                self._sample(sensors, emissions)
        emissions.sort(key=_by_time)
        return Advance(emissions, faults)

    def jump(self, to_us: int) -> None:
        """Go on at a later instant, as a plant that was not looked at: nothing is sampled for the time between."""
        self.now_us = max(self.now_us + self.step_us, to_us)
        for fault in self.faults.active:
            fault.lasts_us = max(fault.lasts_us, self.now_us - fault.started_us)
        self.faults.next_us = max(self.faults.next_us, self.now_us)
        self.first = True

    def _first(self, emissions: list[Emission]) -> None:
        """Every signal says where it stands, then takes its place in the rhythm."""
        self.first = False
        for sensors in self.sensors:
            if not sensors.before:
                sensors.unit.step(1e-3, True)
            for probe in sensors.all():
                self._emit(probe, sensors.unit.values[probe.name], self.now_us, emissions)
                probe.next_us = self.now_us + max(1, round(sensors.phase * probe.period_us / 1000)) * 1000
            sensors.before = dict(sensors.unit.values)
            sensors.due_us = self.now_us

    def _sample(self, sensors: Sensors, emissions: list[Emission]) -> None:
        values, before, now_us = sensors.unit.values, sensors.before, self.now_us
        for probe in sensors.changing:
            true = values[probe.name]
            if true != before[probe.name] or now_us >= probe.next_us:
                self._emit(probe, true, now_us, emissions)
                probe.next_us = now_us + probe.period_us
        if now_us >= sensors.due_us:
            for probe in sensors.sampled:
                while probe.next_us <= now_us:
                    true = self._between(probe, before[probe.name], values[probe.name], probe.next_us)
                    self._emit(probe, true, probe.next_us, emissions)
                    probe.next_us += probe.period_us
            sensors.due_us = min((probe.next_us for probe in sensors.sampled), default=now_us)
        sensors.before = dict(values)

    def _between(self, probe: Probe, before: Value, true: Value, at_us: int) -> Value:
        """The true value inside the step."""
        if probe.steady or isinstance(before, str) or isinstance(true, str):
            return true if at_us == self.now_us else before
        return true + (before - true) * ((self.now_us - at_us) / self.step_us)

    def _emit(self, probe: Probe, true: Value, at_us: int, emissions: list[Emission]) -> None:
        seen: Value = true if isinstance(true, str) else probe.read(true, self.noise)
        probe.last = seen
        emissions.append(Emission(probe.index, at_us, seen))

    def _resting(self, plant: Plant) -> frozenset[str]:
        """The calendars that plan no production now."""
        now = datetime.fromtimestamp(self.now_us / 1e6, UTC)
        shifts = {name: calendar.shift_at(now) for name, calendar in plant.calendars.items()}
        return frozenset(name for name, shift in shifts.items() if shift is None or not shift.planned)

    def _break(self) -> list[Fault]:
        """Open, worsen and close faults."""
        changed = self.faults.due(self.now_us)
        for fault in changed:
            if fault.ended_us is None:
                self._begin(fault)
            else:
                self._end(fault)
        for fault in self.faults.active:
            self._worsen(fault)
        return changed

    def _begin(self, fault: Fault) -> None:
        unit, own = self._find(fault.asset)
        if fault.kind == "jam":
            unit.break_down(fault.lasts_us / 1e6)
        elif fault.kind == "compressor" and isinstance(unit, ReeferSlot):
            unit.compressor = False
        elif fault.kind == "stuck":
            for probe in own:
                probe.stuck = probe.stuck or probe.name == fault.signal

    def _worsen(self, fault: Fault) -> None:
        severity = fault.severity(self.now_us)
        if fault.kind == "bearing":
            self._find(fault.asset)[0].bearing = severity
        elif fault.kind == "drift":
            for probe in self._find(fault.asset)[1]:
                if probe.name == fault.signal:
                    probe.bias = severity * fault.size * (probe.high - probe.low)

    def _end(self, fault: Fault) -> None:
        unit, own = self._find(fault.asset)
        if fault.kind == "bearing":
            unit.bearing = 0.0
            unit.break_down(self.noise.uniform(*_REPAIR_S))
        elif isinstance(unit, ReeferSlot):
            unit.compressor = True
        for probe in own:
            if probe.name == fault.signal:
                probe.stuck, probe.bias = False, 0.0

    def _find(self, asset: str) -> tuple[Unit, list[Probe]]:
        sensors = self.by_asset[asset]
        return sensors.unit, sensors.all()


def _by_time(emission: Emission) -> int:
    return emission.time_us

"""Summed amounts → key figures after ISO 22400-2 and TIC 4.0. Pure: one row of sums in, one row of ratios out.

Ratios are made of sums, never of ratios. What is not defined (a denominator of 0, no ideal cycle time) is None. A ratio
above 1 is not cut: `remarks` says that its input is wrong. Formulas with their sources: docs/reference/kpis.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Sums:
    """Everything that was added up for one asset and one period; `amount` by the names of buckets.AMOUNTS."""

    amount: Mapping[str, float]  # over all units of the asset
    output: Mapping[
        str, float
    ]  # QUANTITIES over the last units of its flow: one part that passes three machines is one
    ideal_s: float  # Σ ideal cycle × parts, over the units whose ideal cycle is known
    ideal_production_s: float  # Σ production time of the same units
    calls_s: float = 0.0  # of a berth: hours in which a call was worked on, whatever number of cranes worked

    def of(self, name: str) -> float:
        """One amount."""
        return self.amount.get(name, 0.0)

    @property
    def produced(self) -> float:
        """ISO 22400 PQ: good, scrap and rework; of a crane its moves."""
        return self.of("good") + self.of("scrap") + self.of("rework") + self.of("moves")


@dataclass(frozen=True, slots=True)
class Kpis:
    """Ratios are shares (0 to 1), `_s` seconds, `_per_h` per hour; None: not defined."""

    availability: float | None
    effectiveness: float | None
    quality_ratio: float | None
    oee: float | None
    nee: float | None
    teep: float | None
    throughput_per_h: float | None
    mtbf_s: float | None
    mttr_s: float | None
    scrap_ratio: float | None
    rework_ratio: float | None
    first_pass_yield: float | None
    allocation_efficiency: float | None
    utilisation_efficiency: float | None
    technical_efficiency: float | None
    setup_rate: float | None
    cycle_s: float | None
    coverage: float | None
    gross_crane_rate_per_h: float | None
    net_crane_rate_per_h: float | None
    moves_per_berth_h: float | None
    crane_intensity: float | None
    dual_cycle_share: float | None
    rehandle_ratio: float | None
    twin_lift_factor: float | None
    mmbf: float | None
    turn_mean_s: float | None
    remarks: tuple[str, ...] = field(default=())


NAMES = tuple(one.name for one in fields(Kpis) if one.name != "remarks")


def kpis(sums: Sums) -> Kpis:
    """Every key figure of one asset and one period."""
    of = {**_NOTHING, **sums.amount}  # looked up half a million times for a year of hours
    apt, aust = of["production_s"], of["setup_s"]
    adet = of["failure_s"] + of["minor_stop_s"] + of["delay_s"]
    pbt, aubt = of["busy_s"], apt + aust + adet
    calendar = sum([of[name] for name in _ELEMENT_SECONDS])
    known = calendar - of["unknown_s"]
    inspected = of["good"] + of["scrap"] + of["rework"]
    availability = _ratio(apt, pbt)
    effectiveness = _ratio(sums.ideal_s, sums.ideal_production_s) if sums.ideal_s > 0 else None
    quality = _ratio(of["good"], inspected)
    counted_quality = quality if quality is not None else 1.0 if of["moves"] > 0 else None
    output = sums.output.get("good", 0.0) + sums.output.get("moves", 0.0)
    worked = apt + aust + adet + of["starved_s"] + of["blocked_s"] + of["idle_s"]
    failures, moves = of["failures"], of["moves"]
    crane_moves = sums.output.get("moves", 0.0) if of["allocated_s"] > 0 else 0.0
    oee = _product(availability, effectiveness, counted_quality)
    return Kpis(
        availability=availability,
        effectiveness=effectiveness,
        quality_ratio=quality,
        oee=oee,
        nee=_product(_ratio(apt + aust, pbt), effectiveness, counted_quality),
        teep=_product(_ratio(apt, known), effectiveness, counted_quality),
        throughput_per_h=None if output == 0 and worked == 0 else _per_h(output, sums.output.get("worked_s", worked)),
        mtbf_s=(apt + aust) / (failures + 1) if apt + aust > 0 else None,
        mttr_s=of["failure_s"] / (failures + 1) if failures > 0 else None,
        scrap_ratio=_ratio(of["scrap"], inspected),
        rework_ratio=_ratio(of["rework"], inspected),
        first_pass_yield=_ratio(max(of["good"] - of["rework"], 0.0), of["good"] + of["scrap"]),
        allocation_efficiency=_ratio(aubt, pbt),
        utilisation_efficiency=_ratio(apt, aubt),
        technical_efficiency=_ratio(apt, apt + adet),
        setup_rate=_ratio(aust, apt + aust),
        cycle_s=_ratio(apt, sums.produced) if sums.produced > 0 else None,
        coverage=_ratio(known, calendar),
        gross_crane_rate_per_h=_per_h(crane_moves, of["allocated_s"]) if crane_moves else None,
        net_crane_rate_per_h=_per_h(crane_moves, of["allocated_s"] - of["allocated_delay_s"]) if crane_moves else None,
        moves_per_berth_h=_per_h(crane_moves, sums.calls_s) if crane_moves else None,
        crane_intensity=_ratio(of["allocated_s"], sums.calls_s),
        dual_cycle_share=_ratio(of["dual_moves"], crane_moves) if of["lifts"] > 0 else None,
        rehandle_ratio=_ratio(of["rehandles"], moves),
        twin_lift_factor=_ratio(of["boxes"], of["lifts"]),
        mmbf=_ratio(moves, failures),
        turn_mean_s=_ratio(of["turn_s"], of["turns"]),
        remarks=tuple(_remarks(availability, effectiveness, of["estimated"])),
    )


_ELEMENT_SECONDS = (
    "production_s", "setup_s", "failure_s", "minor_stop_s", "delay_s", "starved_s", "blocked_s", "idle_s",
    "maintenance_s", "planned_stop_s", "unscheduled_s", "unknown_s",
)  # fmt: skip
_OTHERS = (
    "busy_s", "allocated_s", "allocated_delay_s", "good", "scrap", "rework", "moves", "lifts", "boxes", "rehandles",
    "dual_moves", "estimated", "failures", "turns", "turn_s",
)  # fmt: skip
_NOTHING = dict.fromkeys((*_ELEMENT_SECONDS, *_OTHERS), 0.0)


def losses(sums: Sums) -> dict[str, float]:
    """Where planned busy time went, seconds: what is left of production after ideal time is slow cycles and speed."""
    slow = min(sums.of("slow_s"), max(sums.ideal_production_s - sums.ideal_s, 0.0))
    return {
        "setup": sums.of("setup_s"),
        "failure": sums.of("failure_s"),
        "minor-stop": sums.of("minor_stop_s"),
        "delay": sums.of("delay_s"),
        "starved": sums.of("starved_s"),
        "blocked": sums.of("blocked_s"),
        "idle": sums.of("idle_s"),
        "slow-cycles": slow,
        "speed": max(sums.ideal_production_s - sums.ideal_s - slow, 0.0) if sums.ideal_s > 0 else 0.0,
    }


def _ratio(above: float, below: float) -> float | None:
    return above / below if below > 0 else None


def _per_h(count: float, seconds: float) -> float | None:
    return count * HOUR_S / seconds if seconds > 0 else None


def _product(*factors: float | None) -> float | None:
    product = 1.0
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product


def _remarks(availability: float | None, effectiveness: float | None, estimated: float) -> list[str]:
    said: list[str] = []
    if effectiveness is not None and effectiveness > 1.0:
        said.append("effectiveness above 1: the ideal cycle time is too long")
    if availability is not None and availability > 1.0:
        said.append("availability above 1: it worked outside its planned time")
    if estimated > 0:
        said.append(f"{estimated:.0f} parts were counted across gaps: their time is estimated")
    return said

"""What the twin believes: findings, transitions and the live state of one asset.

These are the nouns of the judge and fold hops; frozen values for the store, the live feed and the page.
All instants are nanoseconds UTC inside; `twin.state.document` writes them as RFC 3339.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID, uuid5

from twin.state.alarm_model import RiskLevel

FINDINGS = UUID("6f0c2a1e-52b7-5d0b-9a3f-7b1f6f1c9d42")  # the namespace of finding ids


class Detector(StrEnum):
    """Which rule spoke."""

    QUALITY = "quality"  # the source itself calls the value bad
    RANGE = "range"  # outside the range of the plant model
    SPIKE = "spike"  # far from the learnt baseline of this regime
    FLATLINE = "flatline"  # the same value for longer than this signal ever held one
    DRIFT = "drift"  # a small shift that lasts (whitened CUSUM)
    JUMP = "jump"  # from one sample to the next further than this signal moves
    CREEP = "creep"  # slowly away from where it was for long, or since it was commissioned
    NOISE = "noise"  # noisier or quieter than it was
    STALE = "stale"  # silent while the rest of the asset speaks
    MULTIVARIATE = "multivariate"  # the values of an asset do not go together as they used to
    SUB_PCA = "sub-pca"  # the last stretch has a shape that the usual cycles do not explain
    CODEBOOK = "codebook"  # it has none of the usual shapes
    LEFT_PROFILE = "left-profile"  # nothing like it was there before


class Health(StrEnum):
    """The worst thing that is known of an asset."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


class FreshnessReason(StrEnum):
    """Why the newest value is as old as it is."""

    LIVE = "live"
    LATE = "late"  # the gateway holds newer values that are still on their way
    STALE = "stale"  # nothing comes although the gateway is there
    GATEWAY_OFFLINE = "gateway-offline"
    NEVER = "never"


def finding_id(signal: str, detector: str, since_ns: int) -> UUID:
    """The same episode always has the same id, however often it is replayed."""
    return uuid5(FINDINGS, f"{signal}|{detector}|{since_ns}")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one signal has to do with a finding."""

    signal: str  # path
    share: float  # of the score, 0 to 1; those of a finding sum up to 1 at most
    sign: int  # +1 above its baseline, -1 below, 0 neither


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a finding should be believed; what does not apply is None or empty.

    Hard rules (quality, range, flatline, stale) have neither `p` nor `expected_per_day`.
    """

    p: float | None = None  # that a block of this asset without a fault is as odd as this (ten minutes)
    expected_per_day: float | None = None  # alarms of its area at this level without a fault
    centre: float | None = None  # the baseline that was left, in the signal's unit
    spread: float | None = None  # its standard deviation
    contributions: tuple[Contribution, ...] = ()  # greatest share first
    regime: str = ""  # whose baseline it is; "" = the signal has only one
    model: str = ""  # version of the fitted model that judged; tier A: of the kernel's layout and limits
    earlier: UUID | None = None  # the last finding of this kind on this signal before this one


@dataclass(frozen=True, slots=True)
class Finding:
    """One episode of one detector on one signal; written when it opens and again, same id, when it ends."""

    id: UUID
    asset: str  # path
    signal: str  # path
    detector: str
    since_ns: int
    until_ns: int | None  # None while it is open
    score: float  # in the detector's own unit; the greatest one once it has ended
    message: str
    evidence: Evidence = Evidence()


@dataclass(frozen=True, slots=True)
class Transition:
    """A machine enters a state."""

    asset: str  # path
    at_ns: int
    code: int
    name: str
    category: str  # OPC 40001-1 MachineryItemState


@dataclass(frozen=True, slots=True)
class ShiftNow:
    """The running shift."""

    name: str
    started_ns: int
    ends_ns: int


@dataclass(frozen=True, slots=True)
class Production:
    """What an asset produces."""

    unit: str  # parts | moves
    now_per_h: float | None  # None until the counter has counted
    this_shift: int
    estimated: int  # the part of `this_shift` whose time inside a gap is an estimate
    shift: ShiftNow | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the newest value is, and why."""

    newest_ns: int | None
    age_s: float | None
    reason: FreshnessReason
    explanation: str  # one sentence


@dataclass(frozen=True, slots=True)
class SignalValue:
    """The last value of one signal."""

    value: float | str | None
    time_ns: int
    received_ns: int
    quality: str  # good | uncertain | bad
    fresh: bool


@dataclass(frozen=True, slots=True)
class Children:
    """The machines below a line, area or site: how many execute, how many are out of service, how many there are."""

    running: int
    down: int
    total: int


@dataclass(frozen=True, slots=True)
class AssetState:
    """Everything the page shows of one asset."""

    path: str
    at_ns: int
    seq: int
    machine_state: Transition | None
    throughput: Production | None
    health: Health
    freshness: Freshness
    findings: tuple[Finding, ...]
    signals: dict[str, SignalValue] = field(default_factory=dict[str, SignalValue])  # by name; units only
    children: Children | None = None  # roll-ups only
    risks: tuple[RiskLevel, ...] = ()  # of a fault, by horizon; empty while no model has given a number
    gateways: tuple[str, ...] = ()  # by which the last values came; units only

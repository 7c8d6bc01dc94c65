"""Onboarding: what a server has → a proposal for the agent's configuration and for the plant model. Pure.

In: the variables of a server. Out: proposed items with their reasons, and a commented YAML file that `twin edge check`
accepts as it is.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from edge.mapping_settings import Kind
from edge.sources.opcua_variable import Variable
from edge.units import is_known

_NUMBERS = frozenset(
    ("SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double", "Number", "Integer")
)
_TEXTS = frozenset(("String", "LocalizedText", "Guid", "DateTime", "XmlElement"))
_WHOLE = _NUMBERS - {"Float", "Double"}
_COUNTS = re.compile(
    r"(count(er)?|total|parts|pieces|cycles|good|scrap|produced|moves|energy)(s)?$|^(n|num)[-_]?of", re.IGNORECASE
)
_STATES = re.compile(r"(state|status|mode|alarm|running|active|enabled)$", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_DENIED = ("Good", "BadNotReadable", "BadUserAccessDenied")
BYTES_PER_VALUE = 6.0  # on the wire and on disk, compressed; see docs/benchmarks.md


@dataclass(frozen=True, slots=True)
class Proposal:
    """One signal that could be read."""

    variable: Variable
    signal: str
    kind: Kind
    unit: str  # empty where the server's is not one that we know
    sampling_ms: float

    @property
    def values_per_s(self) -> float:
        """At most: a server reports changes only."""
        return 1000.0 / self.sampling_ms if self.sampling_ms else 0.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the deployer wants of a server."""

    asset: str  # prefix of every signal path
    sampling_ms: float = 1000.0
    include: tuple[str, ...] = ()  # globs over the browse path, slashes between the names
    exclude: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()  # all


def propose(variables: Iterable[Variable], wish: Wish) -> tuple[list[Proposal], Counter[str]]:
    """What to read, and how many variables are left out for which reason."""
    chosen: list[Proposal] = []
    left: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for one in variables:
        reason = _reason(one, wish)
        kind = kind_of(one)
        if not reason and wish.kinds and kind not in wish.kinds:
            reason = f"kind {kind} was not asked for"
        if reason:
            left[reason] += 1
            continue
        path = signal_path(wish.asset, one.path)
        names[path] += 1
        if names[path] > 1:
            path = f"{path}-{names[path]}"
        unit = one.unit if kind in ("measurement", "counter") and is_known(one.unit) else ""
        sampling_ms = max(wish.sampling_ms, one.minimum_sampling_ms)
        chosen.append(Proposal(one, path, kind, unit, sampling_ms))
    return chosen, left


def kind_of(one: Variable) -> Kind:
    """What a variable most likely is: by type, enumeration and name."""
    name = one.path[-1]
    if one.type in _TEXTS:
        return "text"
    if one.type == "Boolean" or one.is_enumeration:
        return "state"
    if one.type in _WHOLE and _STATES.search(name):
        return "state"
    if one.type in _NUMBERS and _COUNTS.search(name):
        return "counter"
    return "measurement"


def signal_path(asset: str, names: Sequence[str]) -> str:
    """Browse names → lower-case words with hyphens below the asset."""
    words = [_slug(name) for name in names]
    return "/".join([asset, *[word for word in words if word]])


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "-".join(_WORDS.findall(plain)).lower()


def _reason(one: Variable, wish: Wish) -> str:
    path = "/".join(one.path)
    if wish.include and not any(fnmatchcase(path, glob) for glob in wish.include):
        return "not included"
    if any(fnmatchcase(path, glob) for glob in wish.exclude):
        return "excluded"
    if not one.readable:
        return "must not be read by this user" if one.status in _DENIED else f"cannot be read ({one.status})"
    if one.is_array:
        return "is an array"
    if one.type not in _NUMBERS | _TEXTS | {"Boolean"}:
        return f"has type {one.type or 'unknown'}"
    return ""


def rate(proposals: Iterable[Proposal], bytes_per_value: float = BYTES_PER_VALUE) -> tuple[float, float]:
    """Values per second and bytes per day, at most."""
    values_per_s = sum(one.values_per_s for one in proposals)
    return values_per_s, values_per_s * bytes_per_value * 86_400


def agent_yaml(url: str, server: str, proposals: Sequence[Proposal], wish: Wish, name: str) -> str:
    """A whole agent configuration with these items, and the plant model's signals as a comment.

    Args:
        url: of the server.
        server: what it says of itself.
        proposals: what to read.
        wish: what was asked for.
        name: of node and source.
    """
    values_per_s, bytes_per_day = rate(proposals)
    head = f"""\
# An edge agent for {_one_line(url)}
# {_one_line(server)}
# Proposed by `twin edge discover`: {len(proposals)} signals,
# at most {values_per_s:,.0f} values/s and {bytes_per_day / 1e6:,.0f} MB a day.
# Remove what nobody needs, correct kinds, units and names, then: twin edge check --live -c <this file>

node: {name}

broker: # the twin's
  host: ${{FABRIQUAY_BROKER_HOST:-127.0.0.1}}
  port: ${{FABRIQUAY_BROKER_PORT:-1883}}
  username: ${{FABRIQUAY_BROKER_USERNAME:-edge}}
  password: ${{FABRIQUAY_BROKER_PASSWORD}}

spool: # where values wait until the twin has stored them
  path: ${{FABRIQUAY_STATE_DIR:-.fabriquay}}/{name}/spool.db
  max_bytes: 2_000_000_000

sources:
  - kind: opcua
    name: {name}
    url: {_quoted(url)}
    sampling_interval_ms: {wish.sampling_ms:g}
    items:
"""
    return head + "".join(map(_item, proposals)) + "\n" + _plant(proposals)


def _item(one: Proposal) -> str:
    parts = [f"node: {_quoted(one.variable.node)}", f"signal: {one.signal}"]
    if one.kind != "measurement":
        parts.append(f"kind: {one.kind}")
    if one.unit:
        parts.append(f"unit: {_quoted(one.unit)}")
    if one.variable.minimum_sampling_ms > 0 and one.sampling_ms == one.variable.minimum_sampling_ms:
        parts.append(f"sampling_ms: {one.sampling_ms:g}")
    return f"      # {_remark(one)}\n      - {{ {', '.join(parts)} }}\n"


def _remark(one: Proposal) -> str:
    variable = one.variable
    parts = ["/".join(variable.path), variable.type]
    if variable.value:
        parts.append(f"now {variable.value}")
    if variable.low is not None:
        parts.append(f"range {variable.low:g} to {variable.high:g}")
    if variable.unit and not one.unit:
        parts.append(f"unit {variable.unit!r} is not known here, so it is left out")
    if variable.states:
        parts.append("states " + ", ".join(f"{code} {name}" for code, name in variable.states[:12]))
    if variable.keeps_history:
        parts.append("keeps history")
    if variable.description:
        parts.append(variable.description)
    return _one_line(" · ".join(parts))


def _plant(proposals: Sequence[Proposal]) -> str:
    """The signals as plant.yaml wants them, one type per asset."""
    assets: dict[str, list[Proposal]] = {}
    for one in proposals:
        assets.setdefault(one.signal.rpartition("/")[0], []).append(one)
    lines = ["For plant.yaml: the same signals, to be given to the types of these assets.", ""]
    for asset, own in assets.items():
        lines += [f"{asset}:", "  signals:"]
        for one in own:
            parts = [f"title: {_quoted(one.variable.description or one.variable.path[-1])}"]
            parts.append(f"kind: {one.kind}")
            if one.unit:
                parts.append(f"unit: {_quoted(one.unit)}")
            if one.variable.low is not None and one.kind == "measurement":
                parts.append(f"range: [{one.variable.low:g}, {one.variable.high:g}]")
            parts.append(f"period_s: {one.sampling_ms / 1000:g}")
            lines.append(f"    {one.signal.rpartition('/')[2]}: {{ {', '.join(parts)} }}")
    return "".join(f"# {_one_line(line)}".rstrip() + "\n" for line in lines)


def _quoted(text: str) -> str:
    """A YAML string in double quotes, which the loader takes as it is (it expands a plain ${)."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${")
    return '"' + "".join(letter if letter.isprintable() else rf"\U{ord(letter):08x}" for letter in plain) + '"'


def _one_line(text: str) -> str:
    """As a comment: nothing in it can begin a line of YAML."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

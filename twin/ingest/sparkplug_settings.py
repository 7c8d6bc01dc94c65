"""Which Sparkplug metric is which signal, as `configs/twin.yaml` says it under ``sparkplug``.

In: YAML. Out: frozen settings, and `Naming`: group, node, device and metric → the signal's path. Pure.
"""

import re
from typing import Annotated, NamedTuple

from pydantic import Field, field_validator, model_validator

from twin.settings import Settings
from twin.wire.broker import BrokerSettings
from twin.wire.sparkplug_topic import is_name

_CAPTURE = re.compile(r"\{([a-z][a-z0-9_]*)(\.\.\.)?\}")
_OTHER_SIGNS = re.compile(r"[^a-z0-9/]+")
_MOST_KNOWN = 1_000_000


class SignalRule(Settings):
    """Metrics that look so are signals called so. ``{name}`` takes a word without slashes, ``{name...}`` any text."""

    group: str = "{group}"
    node: str = "{node}"
    device: str = "{device...}"  # also the empty one: metrics of the node itself
    metric: str = "{metric...}"
    signal: str  # what was captured is put in lower case, with hyphens for other signs than letters and digits
    unit: str | None = None  # in place of the unit that the birth names in its property engUnit

    @model_validator(mode="after")
    def _captures_agree(self) -> "SignalRule":
        taken = [name for text in self.patterns() for name, _ in _CAPTURE.findall(text)]
        twice = {name for name in taken if taken.count(name) > 1}
        if twice:
            raise ValueError(f"{{{min(twice)}}} is captured twice; give each capture a name of its own")
        unknown = {name for name, _ in _CAPTURE.findall(self.signal)} - set(taken)
        if unknown:
            raise ValueError(f"signal names {{{min(unknown)}}}, which nothing captures; capture it or write it out")
        return self

    def patterns(self) -> tuple[str, str, str, str]:
        """What group, node, device and metric must look like."""
        return self.group, self.node, self.device, self.metric


DEFAULT_RULE = SignalRule(signal="{group}/{node}/{device}/{metric}")


class SparkplugSettings(Settings):
    """This twin as a Sparkplug host application."""

    host: str = "fabriquay"  # the host id: edge nodes name it as their primary host
    broker: BrokerSettings | None = None  # null: the twin's own
    groups: tuple[str, ...] = ()  # that are listened to; none = all
    reorder_s: Annotated[float, Field(gt=0, le=60)] = 2.0  # a missing message is waited for so long, then Rebirth
    rebirth_s: Annotated[float, Field(ge=1, le=3600)] = 5.0  # between two requests for a Rebirth of one node
    signals: tuple[SignalRule, ...] = ()  # the first that fits; then DEFAULT_RULE

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        if not is_name(host):
            raise ValueError(f"{host!r} cannot name a host application; use a word without / + #")
        return host

    @field_validator("groups")
    @classmethod
    def _are_groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for group in groups:
            if not is_name(group):
                raise ValueError(f"{group!r} cannot name a group; use a word without / + #")
        return groups


class Named(NamedTuple):
    """What a metric is called here."""

    path: str
    unit: str | None  # None = as the birth says


class Naming:
    """The rules, compiled; every answer is remembered."""

    def __init__(self, rules: tuple[SignalRule, ...]) -> None:
        self._rules = [(rule, _compiled(rule)) for rule in (*rules, DEFAULT_RULE)]
        self._known: dict[tuple[str, ...], Named] = {}

    def named(self, group: str, node: str, device: str, metric: str) -> Named:
        """The signal of a metric."""
        where = (group, node, device, metric)
        found = self._known.get(where)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[where] = self._named(where)
        return found

    def _named(self, where: tuple[str, ...]) -> Named:
        for rule, expression in self._rules:
            match = expression.fullmatch("\0".join(where))
            if match is not None:
                return Named(_path(rule.signal, match), rule.unit)
        raise AssertionError("the last rule takes everything")


def _path(signal: str, match: re.Match[str]) -> str:
    path = _CAPTURE.sub(lambda capture: path_words(match[capture[1]]), signal)
    return "/".join(level for level in path.split("/") if level)


def path_words(text: str) -> str:
    """Lower-case words with hyphens; slashes stay."""
    levels = (_OTHER_SIGNS.sub("-", level).strip("-") for level in text.lower().split("/"))
    return "/".join(level for level in levels if level)


def _compiled(rule: SignalRule) -> re.Pattern[str]:
    return re.compile("\0".join(_expression(text) for text in rule.patterns()))


def _expression(text: str) -> str:
    parts = _CAPTURE.split(text)  # text, name, dots, text, …
    pieces = [re.escape(parts[0])]
    for name, dots, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        anything = r"[^\0]*" if dots else r"[^/\0]+"
        pieces.append(f"(?P<{name}>{anything}){re.escape(literal)}")
    return "".join(pieces)

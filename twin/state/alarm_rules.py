"""Plant model and policy → alarm rules. Those of the plant are there from the start, the others when asked for.

In: `Plant`, `AlarmPolicy`. Out: `AlarmRule` by key. Pure: the same key always gives the same rule.
"""

from collections.abc import Iterator
from dataclasses import replace

from twin.plant.alarm import STALE, AlarmSpec, Priority
from twin.plant.tree import Level, Plant, Signal
from twin.state.alarm_model import AlarmKind, AlarmRule, alarm_key
from twin.state.alarm_policy import AlarmPolicy

GATEWAYS = "gateways"  # the scope of what belongs to no area; sources are gateways/<node>
_GATEWAY_TITLES = {"offline": "is offline", "certificate": "certificates", "problem": "needs attention"}


class Rules:
    """Every rule that the plant and the policy give."""

    def __init__(self, plant: Plant, policy: AlarmPolicy) -> None:
        self.policy: AlarmPolicy = policy
        self._plant = plant
        self.limits: dict[str, tuple[AlarmRule, ...]] = {}  # by signal path
        self.stale: dict[str, AlarmRule] = {}  # by signal path
        self.behind: dict[str, str] = {}  # signal path → the gateway that it came by; its silence has a parent there
        for signal in plant.signals:
            made = [self._of_signal(signal, spec) for spec in signal.alarms]
            limits = [rule for rule in made if rule.kind is AlarmKind.LIMIT]
            if limits:  # parents first: what is suppressed is then never announced
                self.limits[signal.path] = tuple(sorted(limits, key=lambda rule: len(rule.parents)))
            for rule in made:
                if rule.kind is AlarmKind.STALE:
                    self.stale[signal.path] = rule
        self._fixed = {rule.key: rule for rule in self.fixed()}

    def fixed(self) -> Iterator[AlarmRule]:
        """The rules of the plant model."""
        for rules in self.limits.values():
            yield from rules
        yield from self.stale.values()

    def rule(self, key: str) -> AlarmRule | None:
        """The rule with this key; None when plant or policy have it no longer."""
        if key in self._fixed:
            return self._behind(self._fixed[key])
        kind, _, rest = key.partition("|")
        source, _, name = rest.rpartition("|")
        match kind:
            case AlarmKind.ANOMALY:
                return self.anomaly(source, name)
            case AlarmKind.RISK:
                return self.risk(source, name)
            case AlarmKind.GATEWAY:
                return self.gateway(source.partition("/")[2], name)
            case AlarmKind.FLOOD:
                return self.flood(source)
            case _:
                return None

    def known(self, key: str) -> AlarmRule:
        """The rule with this key, or what can still be said of one that is gone."""
        return self.rule(key) or orphan(key)

    def anomaly(self, source: str, detector: str) -> AlarmRule | None:
        """The rule for a detector's episodes on a signal or asset."""
        policy = self.policy.anomalies
        priority, asset = policy.priority_of(detector), self._asset_of(source)
        if priority is None or asset is None:
            return None
        return AlarmRule(
            key=alarm_key(AlarmKind.ANOMALY, source, detector),
            kind=AlarmKind.ANOMALY,
            source=source,
            name=detector,
            asset=asset,
            scope=self.scope_of(asset),
            priority=priority,
            title=f"{self._title(source)}: {detector}",
            on_delay_s=policy.on_delay_s,
            off_delay_s=policy.off_delay_s,
        )

    def risk(self, asset: str, horizon: str) -> AlarmRule | None:
        """The rule for a probability of a fault."""
        if self.policy.risk.threshold_of(horizon) is None or not self._plant.has_asset(asset):
            return None
        return AlarmRule(
            key=alarm_key(AlarmKind.RISK, asset, horizon),
            kind=AlarmKind.RISK,
            source=asset,
            name=horizon,
            asset=asset,
            scope=self.scope_of(asset),
            priority=self.policy.risk.priority,
            title=f"{self._title(asset)}: risk of a fault within {horizon}",
        )

    def gateway(self, node: str, name: str) -> AlarmRule | None:
        """The rule for a gateway: offline, certificate or problem."""
        policy, source = self.policy.gateways, f"{GATEWAYS}/{node}"
        priority = policy.priority_of(name)
        if priority is None or name not in _GATEWAY_TITLES:
            return None
        offline = alarm_key(AlarmKind.GATEWAY, source, "offline")
        return AlarmRule(
            key=alarm_key(AlarmKind.GATEWAY, source, name),
            kind=AlarmKind.GATEWAY,
            source=source,
            name=name,
            asset=source,
            scope=GATEWAYS,
            priority=priority,
            title=f"Gateway {node}: {_GATEWAY_TITLES[name]}",
            on_delay_s=policy.on_delay_s,
            off_delay_s=policy.off_delay_s,
            parents=() if name == "offline" else (offline,),
        )

    def flood(self, scope: str) -> AlarmRule | None:
        """The rule for too many alarms of one scope."""
        if scope != GATEWAYS and not self._plant.has_asset(scope):
            return None
        title = self._title(scope) if scope != GATEWAYS else "Gateways"
        return AlarmRule(
            key=alarm_key(AlarmKind.FLOOD, scope, "flood"),
            kind=AlarmKind.FLOOD,
            source=scope,
            name="flood",
            asset=scope,
            scope=scope,
            priority=self.policy.floods.priority,
            title=f"{title}: alarm flood",
        )

    def scope_of(self, asset: str) -> str:
        """The area of an asset; the site for what stands above the areas."""
        at: str | None = asset
        while at is not None and self._plant.asset(at).level not in {Level.AREA, Level.SITE}:
            at = self._plant.asset(at).parent
        return at or asset

    def _behind(self, rule: AlarmRule) -> AlarmRule:
        node = self.behind.get(rule.source) if rule.kind is AlarmKind.STALE else None
        if node is None:
            return rule
        return replace(rule, parents=(*rule.parents, alarm_key(AlarmKind.GATEWAY, f"{GATEWAYS}/{node}", "offline")))

    def _of_signal(self, signal: Signal, spec: AlarmSpec) -> AlarmRule:
        return signal_rule(signal, spec, self.scope_of(signal.asset))

    def _asset_of(self, source: str) -> str | None:
        if self._plant.has_signal(source):
            return self._plant.signal(source).asset
        return source if self._plant.has_asset(source) else None

    def _title(self, path: str) -> str:
        if self._plant.has_signal(path):
            signal = self._plant.signal(path)
            return f"{self._plant.asset(signal.asset).title} {signal.title}"
        return self._plant.asset(path).title


def signal_rule(signal: Signal, spec: AlarmSpec, scope: str) -> AlarmRule:
    """The rule of one alarm of the plant model, also of one that is only tried out."""
    kind = AlarmKind.STALE if spec.name == STALE else AlarmKind.LIMIT
    return AlarmRule(
        key=alarm_key(kind, signal.path, spec.name),
        kind=kind,
        source=signal.path,
        name=spec.name,
        asset=signal.asset,
        scope=scope,
        priority=spec.priority,
        title=spec.title or signal.title,
        on_delay_s=spec.on_delay_s,
        off_delay_s=spec.off_delay_s,
        re_alarm_s=spec.re_alarm_s,
        latch=spec.latch,
        confirm=spec.confirm,
        parents=(_parent_key(spec.parent),) if spec.parent else (),
        spec=spec,
        unit=signal.unit,
    )


def orphan(key: str) -> AlarmRule:
    """What can still be said of an alarm whose rule is gone."""
    kind, _, rest = key.partition("|")
    source, _, name = rest.rpartition("|")
    return AlarmRule(key, AlarmKind(kind), source, name, source, source, Priority.LOW, source)


def _parent_key(parent: str) -> str:
    path, _, name = parent.rpartition(".")
    return alarm_key(AlarmKind.STALE if name == STALE else AlarmKind.LIMIT, path, name)

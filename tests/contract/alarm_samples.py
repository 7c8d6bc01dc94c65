"""Alarms of the demo plant in a real store, written as the monitor writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tests.contract.api_server import MILL, PLANT
from twin.plant.load import load_plant
from twin.state.alarm_book import AlarmBook
from twin.state.alarm_memory import rest
from twin.state.alarm_model import AlarmTransition
from twin.state.alarm_policy import AlarmPolicy
from twin.state.alarm_rules import Rules
from twin.state.alarms import Sensed
from twin.store.connect import Store

VIBRATION = f"{MILL}/vibration"


@dataclass
class Alarms:
    """A book over the demo plant and the store that it is written to."""

    store: Store
    book: AlarmBook

    async def anomaly(
        self, at_ns: int, *, condition: bool = True, source: str = VIBRATION, detector: str = "spike"
    ) -> UUID:
        """A detector speaks, long enough to raise its alarm."""
        rule = self.book.rules.anomaly(source, detector)
        assert rule is not None
        why = {"finding": "f-1", "score": 7.5}
        told = self.book.sense(rule, Sensed(at_ns, condition, 7.5, "far from normal", why))
        told += self.book.advance(at_ns + round(max(rule.on_delay_s, rule.off_delay_s) * 1e9))
        await self.keep(told)
        return rule.id

    async def gateway(self, at_ns: int, node: str = "edge-factory") -> UUID:
        """A gateway is offline."""
        rule = self.book.rules.gateway(node, "offline")
        assert rule is not None
        told = self.book.sense(rule, Sensed(at_ns, True, None, f"gateway {node} is offline"))
        await self.keep(told + self.book.advance(at_ns + round(rule.on_delay_s * 1e9)))
        return rule.id

    async def obey(self) -> None:
        """Do what operators asked for, as `twin run` does."""
        for action in await self.store.actions.after(self.book.action):
            await self.keep(self.book.act(action))

    async def keep(self, told: Sequence[AlarmTransition]) -> None:
        changed = [(self.book.rules.known(state.key), state) for state in self.book.take_changed()]
        await self.store.alarms.write(1, changed, told, rest(self.book))


def alarms(store: Store) -> Alarms:
    """An empty book."""
    return Alarms(store, AlarmBook(Rules(load_plant(PLANT), AlarmPolicy())))

"""Opens the store: everything that the twin remembers, as one object with a member per noun.

In: an address. Out: `Store`; whoever needs a part of it declares a small protocol that the member satisfies.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from twin.access.grants import By
from twin.store.accounts import Accounts
from twin.store.actions import Actions
from twin.store.alarms import Alarms
from twin.store.answered import AnsweredChanges
from twin.store.audit import Audit
from twin.store.database import Database, open_database
from twin.store.edition import Edition
from twin.store.findings import Findings
from twin.store.forecasts import Forecasts
from twin.store.gaps import Gaps
from twin.store.gateways import Gateways
from twin.store.jobs import Jobs
from twin.store.keys import Keys
from twin.store.kpis import KpiBuckets
from twin.store.leases import Leases
from twin.store.maintenance import Maintenance
from twin.store.models import Models
from twin.store.nodes import Nodes
from twin.store.notifications import Notifications
from twin.store.past import PastStates
from twin.store.plants import Plants
from twin.store.production import Production
from twin.store.retention import Retention
from twin.store.risks import Risks
from twin.store.rollups import Rollups
from twin.store.samples import Samples
from twin.store.scenarios import Scenarios
from twin.store.sessions import Sessions
from twin.store.sizes import Sizes
from twin.store.states import States
from twin.store.units import Units


@dataclass(frozen=True, slots=True)
class Store:
    """The open database."""

    database: Database
    samples: Samples
    nodes: Nodes
    plants: Plants
    findings: Findings
    states: States
    gaps: Gaps
    gateways: Gateways
    alarms: Alarms
    actions: Actions
    notifications: Notifications
    jobs: Jobs
    models: Models
    maintenance: Maintenance
    risks: Risks
    forecasts: Forecasts
    production: Production
    kpis: KpiBuckets
    units: Units
    accounts: Accounts
    sessions: Sessions
    keys: Keys
    audit: Audit
    past: PastStates
    rollups: Rollups
    retention: Retention
    leases: Leases
    sizes: Sizes
    scenarios: Scenarios
    answered: AnsweredChanges

    @property
    def edition(self) -> Edition:
        """Which database this is."""
        return self.database.edition

    async def ping(self) -> None:
        """Return when the database answers; raises Retryable when it does not."""
        async with self.database.connection() as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def unit(self, by: By | None = None) -> AsyncGenerator["Store"]:
        """One transaction around what several members do: all of it or nothing; `by` stands in the audit."""
        async with self.database.unit(by) as database:
            yield _store(database)


@asynccontextmanager
async def open_store(dsn: str, *, size: int = 8, wait_s: float = 10, role: str = "") -> AsyncGenerator[Store]:
    """Open the store at `dsn` with its schema up to date; see `open_database` for `role` and what it raises."""
    async with open_database(dsn, size=size, wait_s=wait_s, role=role) as database:
        yield _store(database)


def _store(database: Database) -> Store:
    return Store(
        database,
        Samples(database),
        Nodes(database),
        Plants(database),
        Findings(database),
        States(database),
        Gaps(database),
        Gateways(database),
        Alarms(database),
        Actions(database),
        Notifications(database),
        Jobs(database),
        Models(database),
        Maintenance(database),
        Risks(database),
        Forecasts(database),
        Production(database),
        KpiBuckets(database),
        Units(database),
        Accounts(database),
        Sessions(database),
        Keys(database),
        Audit(database),
        PastStates(database),
        Rollups(database),
        Retention(database),
        Leases(database),
        Sizes(database),
        Scenarios(database),
        AnsweredChanges(database),
    )

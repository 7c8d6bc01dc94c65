"""What a live client asks for, held against what it may see; shared by the WebSocket and the event stream."""

import asyncio
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection

from api.access.caller import Permit
from api.board import Noun
from api.deps import Parts
from api.errors import ProblemError
from api.hub import DEFAULT_INTERVAL_MS
from api.view import View

Kind = Literal["states", "gateways", "alarms"]  # as the lists of a frame are called
_NOUNS: dict[Kind, Noun] = {"states": Noun.ASSET, "gateways": Noun.GATEWAY, "alarms": Noun.ALARMS}

RIGHTS_EVERY_S = 15.0  # who was signed out or has lost a role sees nothing more after so long


class RefusedError(Exception):
    """What was asked for cannot be seen, or not any more; the text says why."""


class Subscription(BaseModel):
    """What a client wants to see, and how often at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    under: Annotated[
        tuple[str, ...], Field(max_length=100, description="at and below these assets; none: everything")
    ] = ()
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1, max_length=3, description="kinds of documents")] = (
        "states",
        "gateways",
        "alarms",
    )
    signals: Annotated[bool, Field(description="with every asset's signals")] = True
    interval_ms: Annotated[int, Field(ge=50, le=60_000, description="least time between two frames")] = (
        DEFAULT_INTERVAL_MS
    )
    after: Annotated[
        str | None, Field(max_length=40, description="`id` of the last frame that was seen, to go on from there")
    ] = None

    def view(self, parts: Parts, permit: Permit) -> View:
        """What the client sees.

        Raises:
            RefusedError: a subtree does not exist, or may not be seen.
        """
        missing = [path for path in self.under if not parts.plant.has_asset(path)]
        if missing:
            raise RefusedError(f"under: there is no asset {missing[0]!r}")
        hidden = [path for path in self.under if not permit.covers(path)]
        if hidden:
            raise RefusedError(f"under: you may not see {hidden[0]!r}")
        return View(
            tuple(sorted(set(self.under))), self.signals, permit.within, frozenset(_NOUNS[one] for one in self.kinds)
        )


async def until_rights_change(connection: HTTPConnection, parts: Parts, permit: Permit) -> None:
    """Look after the rights that a connection began with, for ever.

    Raises:
        RefusedError: they are others now.
    """
    if permit.caller.is_anonymous:
        await asyncio.Event().wait()
    while True:
        await asyncio.sleep(RIGHTS_EVERY_S)
        try:
            now = await parts.gate.admit(connection)
        except ProblemError as problem:
            if problem.status in (401, 403):
                raise RefusedError(f"{problem.detail}: {problem.do}") from problem
            continue  # the store is away: it is asked again
        if now.roots != permit.roots or now.caller.how is not permit.caller.how:
            raise RefusedError("your rights have changed; connect again")

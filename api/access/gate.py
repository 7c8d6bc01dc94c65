"""The gate before every route: who asks, by the one table of rules; a dependency of the whole app.

In: a connection whose route is known. Out: a `Permit`, or a problem: 401 who are you, 403 you may not, 429 too much.
"""

import logging
import math
import time
from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection
from starlette.routing import WebSocketRoute

from api.access.caller import Caller, How, Permit, forbidden, sign_in_needed
from api.access.identify import Identities
from api.access.limits import Limiter
from api.access.rules import RULES, Rule, Where, without_rule
from api.errors import ProblemError
from api.security import READING, foreign, from_own_page, request_id
from twin.access.grants import roots
from twin.access.settings import AccessSettings

log = logging.getLogger(__name__)

CHANGE_COST = 5  # a change counts as so many reads
WRONG_CREDENTIAL_COST = 10


class Gate:
    """Enforces the rules and the rate limits."""

    def __init__(self, identities: Identities, settings: AccessSettings, origins: tuple[str, ...]) -> None:
        self.identities: Identities = identities
        self._origins: tuple[str, ...] = origins
        self._limiter: Limiter = Limiter(settings.requests_per_s, settings.burst)

    async def admit(self, connection: HTTPConnection) -> Permit:
        """What the caller may do on this route."""
        rule = RULES[route_of(connection)]
        address, request = address_of(connection), request_id(connection.scope)
        if rule.is_open:
            return Permit(self.identities.anonymous, (), address=address, request=request)
        caller = await self._identified(connection, address)
        self._count(f"@{address}" if caller.is_anonymous else caller.name, _cost(connection))
        self._own_page(connection, caller)
        permit = Permit(caller, roots(caller.grants, rule.roles), rule.roles, address, request)
        _check(permit, rule, connection)
        return permit

    async def _identified(self, connection: HTTPConnection, address: str) -> Caller:
        try:
            return await self.identities.of(connection)
        except ProblemError as problem:
            if problem.status == 401:
                self._count(f"@{address}", WRONG_CREDENTIAL_COST)
            raise

    def _count(self, key: str, cost: int) -> None:
        if wait_s := self._limiter.wait_s(key, time.monotonic(), cost):
            raise too_many(wait_s, "requests")

    def _own_page(self, connection: HTTPConnection, caller: Caller) -> None:
        """A cookie comes along by itself: a change needs to show that our own page has asked for it."""
        if caller.how is How.SESSION and _changes(connection):
            if not from_own_page(connection.headers, self._origins):
                raise foreign(connection.headers)
            if caller.is_initial and not connection.scope["route"].path.startswith("/v1/session"):
                raise ProblemError(
                    403,
                    "choose-a-password",
                    "your password was chosen by somebody else",
                    do="choose your own with PUT /v1/session/password, then try again",
                )


def _check(permit: Permit, rule: Rule, connection: HTTPConnection) -> None:
    if not permit.roots:
        raise sign_in_needed() if permit.caller.is_anonymous else forbidden(permit.caller, rule.roles)
    if rule.where is Where.EVERYWHERE:
        permit.demand("")
    named = _named(connection) if rule.where is Where.NAMED else None
    if named is not None:
        permit.demand(named)


def _named(connection: HTTPConnection) -> str | None:
    """The path that the request names; of a parameter given twice the last one, as the routes read it."""
    path = connection.path_params.get("path")
    return path or connection.query_params.get("under") or connection.query_params.get("asset")


def _changes(connection: HTTPConnection) -> bool:
    return connection.scope["type"] == "http" and connection.scope["method"] not in READING


def _cost(connection: HTTPConnection) -> int:
    return CHANGE_COST if _changes(connection) else 1


def route_of(connection: HTTPConnection) -> str:
    """The name of a route in the table."""
    method = connection.scope.get("method", "WS")
    return f"{method} {connection.scope['route'].path}"


def address_of(connection: HTTPConnection) -> str:
    """Where the request comes from; a trusted proxy's word is believed (uvicorn)."""
    return connection.client.host if connection.client else ""


def routes_of(app: FastAPI) -> Iterator[str]:
    """Every route of an app as the table names it."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, WebSocketRoute):
            yield f"WS {context.path}"
        for method in context.methods or ():
            yield f"{method} {context.path}"


def every_route_has_a_rule(app: FastAPI) -> None:
    """Raise LookupError, a bug, for a route that the table forgot."""
    if missing := without_rule(routes_of(app)):
        raise LookupError(f"api/access/rules.py has no rule for {', '.join(missing)}")


def too_many(wait_s: float, what: str) -> ProblemError:
    """429: later."""
    seconds = math.ceil(wait_s)
    return ProblemError(
        429,
        "too-many-" + what,
        f"too many {what}",
        do=f"wait {seconds} s, then try again",
        headers={"Retry-After": str(seconds)},
    )

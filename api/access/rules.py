"""The one table of who may do what: route × roles, and on which part of the plant the route acts.

Pure. `api.access.gate` enforces it for every route; an api with a route that has no rule does not start.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from twin.access.grants import Role

VIEWER, ENGINEER, PLANNER, GATEWAY, ADMIN = Role.VIEWER, Role.ENGINEER, Role.PLANNER, Role.GATEWAY, Role.ADMIN


class Where(StrEnum):
    """On which part of the plant a role must hold."""

    ANYWHERE = "anywhere"  # somewhere; the answer holds only what lies there
    NAMED = "named"  # at the path, under or asset that the request names; names it none: as anywhere
    INSIDE = "inside"  # at what the body or the id is about: the route demands it
    EVERYWHERE = "everywhere"  # in the whole plant


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use a route; without roles everybody may, also without a log-in."""

    roles: tuple[Role, ...] = ()
    where: Where = Where.ANYWHERE

    @property
    def is_open(self) -> bool:
        """No log-in is needed."""
        return not self.roles


_OPEN = Rule()
_SIGNED_IN = tuple(Role)
_LOOK = (VIEWER, ENGINEER, PLANNER, ADMIN)
_WATCH = (*_LOOK, GATEWAY)
_ACT = (ENGINEER, ADMIN)
_PLAN = (PLANNER, ENGINEER, ADMIN)

RULES: dict[str, Rule] = {
    "GET /healthz": _OPEN,
    "GET /readyz": _OPEN,
    "GET /openapi.json": _OPEN,
    "HEAD /openapi.json": _OPEN,
    "GET /{path:path}": _OPEN,  # the page's own files
    "HEAD /{path:path}": _OPEN,
    "GET /v1/session": _OPEN,
    "POST /v1/session": _OPEN,
    "DELETE /v1/session": _OPEN,
    "GET /v1/session/oidc": _OPEN,
    "GET /v1/session/oidc/callback": _OPEN,
    "PUT /v1/session/password": Rule(_SIGNED_IN),
    "GET /metrics": Rule(_WATCH),
    "WS /v1/live": Rule(_WATCH),
    "GET /v1/live": Rule(_WATCH, Where.NAMED),
    "GET /v1/plant": Rule(_WATCH),
    "GET /v1/states": Rule(_WATCH, Where.NAMED),
    "GET /v1/assets/{path:path}/state": Rule(_WATCH, Where.NAMED),
    "GET /v1/signals/{path:path}/series": Rule(_WATCH, Where.NAMED),
    "GET /v1/signals/{path:path}/detectors": Rule(_LOOK, Where.NAMED),
    "GET /v1/gateways": Rule(_WATCH),
    "GET /v1/assets/{path:path}/risk": Rule(_LOOK, Where.NAMED),
    "GET /v1/risk": Rule(_LOOK),
    "GET /v1/risk/reliability": Rule(_LOOK),
    "GET /v1/findings": Rule(_LOOK, Where.NAMED),
    "GET /v1/kpis": Rule(_LOOK, Where.NAMED),
    "GET /v1/bottlenecks": Rule(_LOOK, Where.NAMED),
    "GET /v1/lineage": Rule(_LOOK, Where.NAMED),
    "GET /v1/forecasts": Rule(_LOOK, Where.NAMED),
    "GET /v1/forecasts/accuracy": Rule(_LOOK, Where.NAMED),
    "GET /v1/alarms": Rule(_LOOK, Where.NAMED),
    "GET /v1/alarms/reports": Rule(_LOOK, Where.NAMED),
    "GET /v1/alarms/{alarm:uuid}": Rule(_LOOK, Where.INSIDE),
    "GET /v1/maintenance": Rule(_LOOK),
    "GET /v1/maintenance-events": Rule(_LOOK, Where.NAMED),
    "GET /v1/scenarios": Rule(_LOOK),
    "GET /v1/scenarios/{id}": Rule(_LOOK, Where.INSIDE),
    "POST /v1/scenarios": Rule(_PLAN, Where.INSIDE),
    "POST /v1/alarms/replay": Rule(_LOOK, Where.INSIDE),  # it changes nothing
    **{
        f"POST /v1/alarms/{{alarm:uuid}}/{action}": Rule(_ACT, Where.INSIDE)
        for action in ("acknowledge", "confirm", "reset", "shelve", "unshelve", "comment", "verdict")
    },
    "POST /v1/maintenance": Rule(_ACT, Where.INSIDE),
    "POST /v1/maintenance/{window}/end": Rule(_ACT, Where.INSIDE),
    "POST /v1/new-normal": Rule(_ACT, Where.INSIDE),
    "POST /v1/maintenance-events": Rule(_ACT, Where.INSIDE),
    "POST /v1/intervals/{path:path}/reclassify": Rule(_ACT, Where.NAMED),
    **{
        f"GET /aas/{path}": Rule(_LOOK, Where.EVERYWHERE)
        for path in (
            "description",
            "shells",
            "shells/{id}",
            "shells/{id}/asset-information",
            "shells/{id}/submodel-refs",
            "shells/{id}/submodels/{submodel}",
            "submodels",
            "submodels/{id}",
            "submodels/{id}/$value",
            "submodels/{id}/submodel-elements",
            "submodels/{id}/submodel-elements/{path}",
            "submodels/{id}/submodel-elements/{path}/$value",
        )
    },
    "GET /v1/users": Rule((ADMIN,), Where.EVERYWHERE),
    "POST /v1/users": Rule((ADMIN,), Where.EVERYWHERE),
    "PATCH /v1/users/{name}": Rule((ADMIN,), Where.EVERYWHERE),
    "PUT /v1/users/{name}/password": Rule((ADMIN,), Where.EVERYWHERE),
    "GET /v1/keys": Rule((ADMIN,), Where.EVERYWHERE),
    "POST /v1/keys": Rule((ADMIN,), Where.EVERYWHERE),
    "DELETE /v1/keys/{key}": Rule((ADMIN,), Where.EVERYWHERE),
    "GET /v1/audit": Rule((ADMIN,), Where.EVERYWHERE),
}


def without_rule(routes: Iterable[str]) -> list[str]:
    """The routes that the table forgot."""
    return sorted(set(routes) - set(RULES))

"""The OpenAPI document: what the routes cannot say of themselves, above all the problem documents.

In: FastAPI's generated document. Out: the same with the introduction, the tags, and one schema for every error.
"""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.access.cookies import SESSION_COOKIE
from api.access.rules import RULES
from api.errors import MEDIA_TYPE, ProblemDocument
from twin.access.grants import Role
from twin.access.settings import AccessSettings

DESCRIPTION = """\
Reads the twin: what the plant is, what state it is in now, and every sample that was ever kept.

* **Paths** are area first and lower case, e.g. `factory/machining/mill-1`; a signal's path is its asset's path and its
  name. Slashes stand in the URL as they are.
* **Times** are RFC 3339 with a zone in, UTC out. `time_ms` is milliseconds since 1970 UTC, with microseconds behind the
  point.
* **Units** are those of the plant model (`/v1/plant`), e.g. `A`, `mm/s`, `degC`.
* **Quality** is an octet: 0 good, 1 uncertain, 2 bad in the low two bits; 4 held, 8 estimated, 16 backfilled,
  32 time adjusted.
* **Access**: people sign in with `POST /v1/session` and get a cookie, machines send `Authorization: Bearer fbq_…`.
  Roles (viewer, engineer, planner, gateway, admin) hold at and below a path; lists hold only what the caller may see.
  A change with the cookie must come from this origin. 401: sign in; 403: ask for the role; 429: wait `Retry-After`.
* **Changes** carry the name of whoever is signed in, are kept for ever and told in `/v1/audit`. `Idempotency-Key:
  <uuid>` makes trying again safe: the same change with the same key is made once and answered again, for a week;
  another change with that key is refused (409). `X-Request-ID` comes back in the answer and stands in the audit.
* **Unchanged** answers cost no transfer: what a GET under `/v1` answers as a whole carries an `ETag`; sent back in
  `If-None-Match` it brings 304 and no body. Streams, live frames and who may do what (`/v1/session`, `/v1/users`,
  `/v1/keys`, `/v1/audit`: `no-store`) carry none.
* **Errors** are RFC 9457 problem documents; `do` says what to do.
* **Live**: `WS /v1/live` pushes changed states. The first frame is `{"type":"hello"}`, then a full
  `{"type":"states","full":true,…}`, then only what changed, and a `{"type":"heartbeat",…}` that says how far the feed
  can be trusted. Send `{"subscribe":{"under":["factory"],"signals":false,"interval_ms":500}}` to choose. A client that
  reads slowly gets fewer frames, each with the latest state; `merged` says how many publications a frame stands for.
  `?after=<id of the last frame>` goes on where a connection broke. The same frames come as server-sent events from
  `GET /v1/live?under=factory&kinds=states&signals=false`. Close codes: 1008 the message or the subtree is wrong,
  1013 no place, 1012 the server restarts: connect again.
"""

TAGS = [
    {"name": "plant", "description": "What exists: assets, signals, flow"},
    {"name": "state", "description": "What the twin believes now"},
    {"name": "series", "description": "What was measured"},
    {"name": "what-if", "description": "What would happen: scenarios simulated from the live state"},
    {"name": "alarms", "description": "What needs somebody, what became of it, and what operators do about it"},
    {
        "name": "figures",
        "description": "What the plant achieves, where it is held up, and what these figures are made of",
    },
    {"name": "forecasts", "description": "What will probably be produced, and how right earlier forecasts were"},
    {"name": "gateways", "description": "The edge agents"},
    {"name": "risk", "description": "The probability that a fault begins, and how far to trust it"},
    {"name": "maintenance", "description": "What was done to the machines"},
    {"name": "access", "description": "Who is signed in, who may, and who did what"},
    {"name": "health", "description": "For supervisors and monitoring"},
]

_MEANING = {
    400: "The body is no text that can be read",
    401: "Nobody has signed in, or with what cannot be used",
    403: "The caller may not, or a page from elsewhere asks",
    404: "There is no such thing in the plant",
    406: "None of the media types in Accept can be produced",
    413: "The body is too large",
    409: "It cannot be done in the present state, or the key belongs to another change",
    421: "The Host header names somebody else",
    422: "A parameter cannot be used; `errors` lists each",
    429: "Too much; try again after Retry-After seconds",
    503: "A part behind the api is away; try again after Retry-After seconds",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: these statuses come as problem documents."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANING[status], "content": content} for status in (*statuses, 421)}


def install(app: FastAPI, access: AccessSettings) -> None:
    """Make `app.openapi()` complete."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            )
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs"))
            schemas["Problem"] = problem
            _document_bodies(made)
            _document_access(made, access)
            _document_conditions(made)
            _document_keys(made)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document


def _document_bodies(made: dict[str, Any]) -> None:
    """What every operation with a body can answer: the body cannot be read, or comes from a page of somebody else."""
    refusals = {str(status): response for status, response in problems(400, 403, 413).items()}
    for methods in made["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation:
                operation["responses"].update(refusals)


def _document_conditions(made: dict[str, Any]) -> None:
    """Which operations answer 304: those whose answers may be kept."""
    for path, methods in made["paths"].items():
        operation = methods.get("get", {})
        content = operation.get("responses", {}).get("200", {}).get("content", {})
        if path.startswith("/v1/") and "application/json" in content and "access" not in operation["tags"]:
            operation["responses"]["304"] = {"description": "Unchanged since the answer with the ETag in If-None-Match"}


def _document_keys(made: dict[str, Any]) -> None:
    """What every operation with an Idempotency-Key can answer: the key belongs to another change."""
    refusals = {str(status): response for status, response in problems(409).items()}
    for methods in made["paths"].values():
        for operation in methods.values():
            if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ())):
                operation["responses"].update(refusals)


def _document_access(made: dict[str, Any], access: AccessSettings) -> None:
    """Whether an operation needs a log-in, by the same table that the gate enforces."""
    made["components"]["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "From POST /v1/session"},
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, or a token of single sign-on"},
    }
    refusals = {str(status): response for status, response in problems(401, 403, 429).items()}
    rules = {re.sub(r":\w+}", "}", route): rule for route, rule in RULES.items()}  # paths there have no converters
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            rule = rules[f"{method.upper()} {path}"]
            if rule.is_open:
                continue
            looks = access.anonymous == "viewer" and Role.VIEWER in rule.roles
            operation["security"] = [{"session": []}, {"key": []}, *([{}] if looks else [])]
            operation["responses"].update(refusals)

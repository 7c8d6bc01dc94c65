"""Every answer that is not the wanted one: RFC 9457 problem documents that say what is wrong and what to do.

In: exceptions on their way out of a route. Out: `application/problem+json`.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import orjson
from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.media import TableFormat
from twin.errors import Retryable

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:fabriquay:problem:"
RETRY_AFTER_S = 2


class FieldProblem(BaseModel):
    """One parameter that cannot be used."""

    field: str = Field(description="Where it stands, e.g. `query.points`", examples=["query.points"])
    problem: str = Field(description="What is wrong with it", examples=["input should be greater than or equal to 2"])


class ProblemDocument(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="A stable name of this kind of problem", examples=[f"{TYPE_PREFIX}unknown-signal"])
    title: str = Field(description="The same in words", examples=["Unknown signal"])
    status: int = Field(description="The HTTP status", examples=[404])
    detail: str = Field(description="What happened here", examples=["there is no signal 'factory/mill-1/curent'"])
    do: str = Field(description="What to do about it", examples=["did you mean 'factory/machining/mill-1/current'?"])
    instance: str = Field(description="The path that was asked for", examples=["/v1/signals/…/series"])
    errors: list[FieldProblem] = Field(default=[], description="Every parameter that cannot be used")


class ProblemError(Exception):
    """Raised by a route when it cannot answer; becomes a problem document."""

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        do: str,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(detail)
        self.status: int = status
        self.name: str = name  # kebab-case, e.g. unknown-signal
        self.detail: str = detail
        self.do: str = do
        self.headers: Mapping[str, str] = headers or {}
        self.errors: Sequence[FieldProblem] = errors

    def response(self, instance: str) -> Response:
        """The problem document as a response."""
        document = ProblemDocument(
            type=TYPE_PREFIX + self.name,
            title=self.name.replace("-", " ").capitalize(),
            status=self.status,
            detail=self.detail,
            do=self.do,
            instance=instance,
            errors=list(self.errors),
        )
        body = orjson.dumps(document.model_dump(exclude_defaults=not self.errors))
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(body, status_code=self.status, media_type=MEDIA_TYPE, headers=headers)


_DO = {
    404: "see /openapi.json for what there is",
    405: "use one of the methods in the Allow header",
}


def install(app: FastAPI) -> None:
    """Answer every exception with a problem document."""

    async def of_problem(request: Request | WebSocket, error: ProblemError) -> Response | None:
        response = error.response(request.url.path)
        if isinstance(request, WebSocket):
            return await request.send_denial_response(response)
        return response

    async def of_http(request: Request, error: HTTPException) -> Response:
        others = allowed_methods(request) if error.status_code in (404, 405) else set[str]()
        if others:  # a path that exists with other methods, whichever route has refused
            error = HTTPException(405, headers={"Allow": ", ".join(sorted(others))})
        phrase = HTTPStatus(error.status_code).phrase
        return ProblemError(
            error.status_code,
            phrase.lower().replace(" ", "-"),
            f"{request.method} {request.url.path}: {error.detail or phrase}",
            do=_DO.get(error.status_code, "correct the request"),
            headers=error.headers,
        ).response(request.url.path)

    async def of_validation(request: Request, error: RequestValidationError) -> Response:
        errors = [_field_problem(one) for one in cast("Sequence[dict[str, Any]]", error.errors())]
        return ProblemError(
            422,
            "invalid-parameters",
            "; ".join(f"{one.field}: {one.problem}" for one in errors),
            do="correct these parameters; /openapi.json says what they may be",
            errors=errors,
        ).response(request.url.path)

    async def of_absence(request: Request | WebSocket, error: Retryable) -> Response | None:
        return await of_problem(request, unavailable(str(error)))

    async def of_bug(request: Request, error: Exception) -> Response:
        return ProblemError(
            500,
            "internal-error",
            f"this is a bug ({type(error).__name__}), not your request",
            do="look for the traceback in the api's log and report it",
        ).response(request.url.path)

    app.add_exception_handler(ProblemError, of_problem)  # pyright: ignore[reportArgumentType]
    app.add_exception_handler(HTTPException, of_http)  # pyright: ignore[reportArgumentType]
    app.add_exception_handler(RequestValidationError, of_validation)  # pyright: ignore[reportArgumentType]
    app.add_exception_handler(Retryable, of_absence)  # pyright: ignore[reportArgumentType]
    app.add_exception_handler(Exception, of_bug)


def not_acceptable(offered: Iterable[TableFormat] = TableFormat) -> ProblemError:
    """406: the client accepts nothing that can be made."""
    types = ", ".join(one.media_type for one in offered)
    return ProblemError(406, "not-acceptable", "none of the types in Accept can be made", do=f"accept one of {types}")


def allowed_methods(request: Request) -> set[str]:
    """The methods that the OpenAPI document has for the path of this request; none when this method is among them."""
    paths, found = request.app.openapi()["paths"], set[str]()
    for template in (
        [request.url.path] if request.url.path in paths else paths
    ):  # a concrete path stands before templates
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template).replace(r"\{path\}", ".+"))
        if re.fullmatch(pattern, request.url.path):
            found |= {method.upper() for method in paths[template]}
    return set() if request.method in found else found


def unavailable(detail: str) -> ProblemError:
    """503: a part behind the api is away; waiting helps."""
    return ProblemError(
        503,
        "part-unavailable",
        detail,
        do="try again in a moment; /readyz says which part is missing",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    message = str(error["msg"]).removeprefix("Value error, ")
    return FieldProblem(field=".".join(str(part) for part in error["loc"]), problem=message[:1].lower() + message[1:])

"""Who may talk to the api from a browser: the Host header, the Origin of WebSockets, and headers on every answer.

In: ASGI connections. Out: the same with security headers and a request id, or a refusal. Pure ASGI, so that streams and
WebSockets pass through untouched. Also the one place that sees every HTTP answer from first to last byte: it takes the
time.
"""

import re
import time
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ProblemError
from api.metrics import Metrics
from api.settings import ApiSettings
from twin.traces import span

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
MOST_BODY_BYTES = 8 * 1024 * 1024
TLS_ONLY = "max-age=31536000"
REQUEST_ID = "X-Request-ID"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SCOPE_KEY = "fabriquay.request"
READING = ("GET", "HEAD", "OPTIONS")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Guard:
    """Refuses foreign Host headers, adds the headers, measures."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, metrics: Metrics) -> None:
        self.app: ASGIApp = app
        self._metrics: Metrics = metrics
        self._origins: tuple[str, ...] = settings.allowed_origins
        given = tuple(name.lower() for name in settings.allowed_hosts)
        self._hosts: tuple[str, ...] = (*LOOPBACK_NAMES, *given) if settings.loopback or given else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        scope[_SCOPE_KEY] = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        host = host_name(Headers(scope=scope).get("host", ""))
        if self._hosts and host not in self._hosts:
            await _misdirected(host).response(scope["path"])(scope, receive, send)
        elif scope["type"] == "http":
            await self._measured(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _app_for(self, scope: Scope) -> ASGIApp:
        """The api, or a refusal: too much, or a page from elsewhere that may not act in the operator's name."""
        headers = Headers(scope=scope)
        if int(headers.get("content-length", "0")) > MOST_BODY_BYTES:
            return _too_large().response(scope["path"])
        if scope["method"] in READING or origin_allowed(headers, self._origins):
            return self.app
        return foreign(headers).response(scope["path"])

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        with span(scope["method"]) as tell:
            status, route = await self._answered(scope, receive, send)
            tell(f"{scope['method']} {route}", {"http.response.status_code": status, "http.route": route})

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> tuple[int, str]:
        started_s = time.perf_counter()
        status: int = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers[REQUEST_ID] = request_id(scope)
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = TLS_ONLY
            await send(message)

        try:
            await self._app_for(scope)(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if route != "none" else "any"  # no label from what anybody may invent
            self._metrics.requests.labels(method, route, str(status)).observe(time.perf_counter() - started_s)
        return status, route


def request_id(scope: Scope) -> str:
    """The id of a request, from the client or made here; it stands in the answer and in the audit."""
    return str(scope.get(_SCOPE_KEY, ""))


def origin_allowed(headers: Headers, allowed: tuple[str, ...]) -> bool:
    """Whether a WebSocket may open or a request act: no Origin (no browser), the same host, or one of the settings."""
    origin = headers.get("origin")
    return origin is None or origin in allowed or _same_host(origin, headers)


def from_own_page(headers: Headers, allowed: tuple[str, ...]) -> bool:
    """Whether a browser says that a page of ours asks; who says nothing is no browser and has no business with cookies.

    Sec-Fetch-Site decides where the browser sends it (all of today, over TLS and on loopback), Origin elsewhere.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin in allowed:
        return True
    if site is not None:
        return site == "same-origin"
    return origin is not None and _same_host(origin, headers)


def _same_host(origin: str, headers: Headers) -> bool:
    host = headers.get("host", "").lower()
    return host != "" and urlsplit(origin).netloc.lower() == host


def foreign(headers: Headers) -> ProblemError:
    """403: a browser says that the page is from elsewhere, or does not say that it is from here."""
    return ProblemError(
        403,
        "foreign-origin",
        f"a page from {headers.get('origin', '')[:200]!r} may not act or listen here",
        do="open the page from this address, or add that origin to allowed_origins in the api's settings",
    )


def _too_large() -> ProblemError:
    detail = f"the body is larger than {MOST_BODY_BYTES:,} bytes"
    return ProblemError(413, "content-too-large", detail, do="send it in several requests")


def host_name(host: str) -> str:
    """``[::1]:8000`` → ``::1``; lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _misdirected(host: str) -> ProblemError:
    return ProblemError(
        421,
        "misdirected-request",
        f"the api does not answer to the name {host[:100]!r}",
        do="use the address that it listens on, or add the name to allowed_hosts in its settings",
    )

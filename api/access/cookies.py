"""Our cookies: HttpOnly, over TLS Secure with the __Host- prefix.

The session's is SameSite=Strict; that of a single sign-on on its way is Lax, because the browser brings it back from
another site.
"""

from typing import Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

SESSION_COOKIE = "fabriquay_session"
_FLOW_COOKIE = "fabriquay_oidc"
_FLOW_S = 600
_SECURE = "__Host-"  # no other host, no page without TLS can set it


def is_secure(connection: HTTPConnection) -> bool:
    """Whether the browser speaks TLS, to us or to a trusted proxy before us."""
    return connection.scope["scheme"] in ("https", "wss")


def session_token(connection: HTTPConnection) -> str | None:
    """The token in the cookie."""
    return connection.cookies.get(_name(SESSION_COOKIE, connection))


def set_session(response: Response, connection: HTTPConnection, token: str, length_s: float) -> None:
    """Hand the token to the browser."""
    _set(response, connection, SESSION_COOKIE, token, int(length_s), "strict")


def drop_session(response: Response, connection: HTTPConnection) -> None:
    """Take it back."""
    _set(response, connection, SESSION_COOKIE, "", 0, "strict")


def flow_text(connection: HTTPConnection) -> str:
    """What the browser has kept while it was at the provider of single sign-on."""
    return connection.cookies.get(_name(_FLOW_COOKIE, connection), "")


def set_flow(response: Response, connection: HTTPConnection, text: str) -> None:
    """Have it kept."""
    _set(response, connection, _FLOW_COOKIE, text, _FLOW_S, "lax")


def drop_flow(response: Response, connection: HTTPConnection) -> None:
    """It has served."""
    _set(response, connection, _FLOW_COOKIE, "", 0, "lax")


def _set(
    response: Response, connection: HTTPConnection, name: str, value: str, age_s: int, site: Literal["strict", "lax"]
) -> None:
    secure = is_secure(connection)
    response.set_cookie(
        _name(name, connection), value, max_age=age_s, path="/", secure=secure, httponly=True, samesite=site
    )


def _name(name: str, connection: HTTPConnection) -> str:
    return _SECURE + name if is_secure(connection) else name

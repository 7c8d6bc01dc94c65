"""The session's cookie: HttpOnly, SameSite=Strict, and over TLS Secure with the __Host- prefix."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

SESSION_COOKIE = "fabriquay_session"
_SECURE_NAME = "__Host-fabriquay_session"  # no other host, no page without TLS can set it


def is_secure(connection: HTTPConnection) -> bool:
    """Whether the browser speaks TLS, to us or to a trusted proxy before us."""
    return connection.scope["scheme"] in ("https", "wss")


def session_token(connection: HTTPConnection) -> str | None:
    """The token in the cookie."""
    return connection.cookies.get(_name(connection))


def set_session(response: Response, connection: HTTPConnection, token: str, length_s: float) -> None:
    """Hand the token to the browser."""
    response.set_cookie(
        _name(connection),
        token,
        max_age=int(length_s),
        path="/",
        secure=is_secure(connection),
        httponly=True,
        samesite="strict",
    )


def drop_session(response: Response, connection: HTTPConnection) -> None:
    """Take it back."""
    response.delete_cookie(_name(connection), path="/", secure=is_secure(connection), httponly=True, samesite="strict")


def _name(connection: HTTPConnection) -> str:
    return _SECURE_NAME if is_secure(connection) else SESSION_COOKIE

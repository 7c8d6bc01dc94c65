"""Single sign-on by OpenID Connect: the page's code flow (PKCE, state, nonce) and the tokens that machines send.

In: the provider's answers. Out: a `Caller` whose roles follow from a claim. OpenID Connect Core 1.0, RFC 7636,
RFC 9068.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast
from urllib.parse import quote, urlencode

import httpx
import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.access.caller import Caller, How
from api.errors import ProblemError, unavailable
from twin.access.settings import OidcSettings

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # never one with a shared key, never none
KNOWN_S = 3_600.0  # the provider's addresses and keys are asked for again after so long
NEW_KEYS_S = 30.0  # at most so often for a key that is not known
LEEWAY_S = 30  # between the clocks
_DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Flow:
    """What the browser keeps in a cookie while it is at the provider."""

    state: str
    nonce: str
    verifier: str

    def text(self) -> str:
        """For the cookie."""
        return base64.urlsafe_b64encode(orjson.dumps(asdict(self))).decode()


def read_flow(text: str) -> Flow | None:
    """From the cookie; None when it is none of ours."""
    try:
        return Flow(**orjson.loads(base64.urlsafe_b64decode(text)))
    except (ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class _Provider:
    authorization: str
    token: str
    keys: KeySet
    seen_s: float


class Oidc:
    """The provider of one installation, as far as we have asked it."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings: OidcSettings = settings
        self._known: _Provider | None = None

    async def begin(self, redirect: str) -> tuple[str, Flow]:
        """Where the browser goes, and what it keeps meanwhile."""
        provider = await self._provider()
        flow = Flow(*(secrets.token_urlsafe(32) for _ in range(3)))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(flow.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect,
            "scope": self._settings.scope,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{provider.authorization}?{urlencode(query)}", flow

    async def finish(self, redirect: str, flow: Flow, code: str) -> Caller:
        """Who has signed in.

        Raises:
            ProblemError: 401 the provider's answer cannot be used, 403 no role, 503 it is away.
        """
        provider, given = await self._provider(), self._settings
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
        form |= {"client_id": given.client_id, "code_verifier": flow.verifier}
        # RFC 6749 section 2.3.1: both are form-encoded before they become a password
        auth = (quote(given.client_id), quote(given.client_secret)) if given.client_secret else None
        answer = await self._ask(provider.token, form, auth)
        token = answer.get("id_token")
        claims = await self._claims(token, given.client_id) if isinstance(token, str) else None
        if claims is None or claims.get("nonce") != flow.nonce or claims.get("azp", given.client_id) != given.client_id:
            raise refused("its ID token is not for this page")
        caller = self._caller(claims, How.SESSION)
        if not caller.grants:
            raise ProblemError(
                403,
                "no-role",
                f"{caller.name} is known to {given.title}, but has no role here",
                do=f"ask an administrator: access.oidc.roles says which {given.roles_claim} give which role",
            )
        return caller

    async def caller(self, token: str) -> Caller | None:
        """Whose access token it is; None when it cannot be used, or no audience is configured."""
        if self._settings.audience is None:
            return None
        claims = await self._claims(token, self._settings.audience)
        return None if claims is None else self._caller(claims, How.TOKEN)

    def _caller(self, claims: Mapping[str, Any], how: How) -> Caller:
        values = _inside(claims, self._settings.roles_claim)
        roles = values.split() if isinstance(values, str) else cast("list[object]", values or [])
        grants = self._settings.grants([str(value) for value in roles])
        name = str(claims.get(self._settings.name_claim) or claims["sub"])[:100]
        return Caller(name, how, grants, float(claims["exp"]) if how is How.TOKEN else float("inf"))

    async def _claims(self, token: str, audience: str) -> Mapping[str, Any] | None:
        for age_s in (KNOWN_S, NEW_KEYS_S):
            provider = await self._provider(age_s)
            try:
                decoded = jwt.decode(token, provider.keys, algorithms=ALGORITHMS)
                jwt.JWTClaimsRegistry(
                    leeway=LEEWAY_S,
                    iss={"essential": True, "value": self._settings.issuer},
                    aud={"essential": True, "value": audience},
                    exp={"essential": True},
                    sub={"essential": True},
                ).validate(decoded.claims)
            except (JoseError, ValueError):  # perhaps signed with a key that is new
                continue
            return decoded.claims
        return None

    async def _provider(self, older_than_s: float = KNOWN_S) -> _Provider:
        known, now_s = self._known, time.monotonic()
        if known is not None and now_s - known.seen_s < older_than_s:
            return known
        found = await self._ask(self._settings.issuer.rstrip("/") + _DISCOVERY)
        if found.get("issuer") != self._settings.issuer:
            raise refused(f"it calls itself {found.get('issuer')!r}, access.oidc.issuer says otherwise")
        try:
            keys = KeySet.import_key_set(cast("Any", await self._ask(str(found["jwks_uri"]))))
            self._known = _Provider(str(found["authorization_endpoint"]), str(found["token_endpoint"]), keys, now_s)
        except (KeyError, ValueError, JoseError) as error:
            raise refused(f"its description cannot be used ({error})") from error
        return self._known

    async def _ask(
        self, address: str, form: Mapping[str, str] | None = None, auth: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        method = "GET" if form is None else "POST"
        try:
            async with httpx.AsyncClient(timeout=self._settings.timeout_s) as client:
                answer = await client.request(method, address, data=form, auth=auth)
            document = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise unavailable(f"{self._settings.title} does not answer: {error or type(error).__name__}") from error
        if answer.status_code != 200 or not isinstance(document, dict):
            said = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
            raise refused(f"it says {said.get('error_description') or said.get('error') or answer.status_code}")
        return cast("dict[str, Any]", document)


def refused(why: str) -> ProblemError:
    """401: the provider has answered, and not with what opens the api."""
    return ProblemError(401, "single-sign-on-failed", f"single sign-on: {why}", do="sign in again from the page")


def _inside(claims: Mapping[str, Any], path: str) -> object:
    """The claim at a dotted path; a name with dots of its own comes first."""
    if path in claims:
        return claims[path]
    name, _, rest = path.partition(".")
    inner = claims.get(name)
    return _inside(cast("Mapping[str, Any]", inner), rest) if rest and isinstance(inner, Mapping) else None

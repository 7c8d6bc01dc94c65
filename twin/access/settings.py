"""`access:` of configs/twin.yaml: who may look without a log-in, how long a session lasts, limits, single sign-on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from twin.access.grants import Grant, parse_grants
from twin.settings import Secret, Settings


def _grants(texts: tuple[str, ...]) -> tuple[str, ...]:
    parse_grants(texts)
    return texts


GrantTexts = Annotated[tuple[str, ...], AfterValidator(_grants)]


class OidcSettings(Settings):
    """Single sign-on by OpenID Connect: the page by the code flow, machines by tokens of the same issuer."""

    issuer: str = Field(pattern=r"^https?://[^\s/]+(/\S*)?$")  # where /.well-known/openid-configuration is below
    client_id: str = Field(min_length=1)
    client_secret: Secret = ""  # empty: a public client, PKCE alone
    title: str = "single sign-on"  # on the page's button
    scope: str = "openid profile"
    audience: str | None = None  # of the tokens that machines send; left out: machines send none
    name_claim: str = "preferred_username"
    roles_claim: str = "groups"  # dots lead inside: realm_access.roles
    roles: Mapping[str, GrantTexts] = {}  # value of that claim → grants, e.g. plant-engineers: [engineer:factory]
    address: str | None = None  # of this api as browsers see it; left out: as the request says
    timeout_s: float = Field(default=5.0, gt=0, le=60)

    @model_validator(mode="after")
    def _safe(self) -> Self:
        where = urlsplit(self.issuer)
        if where.scheme != "https" and where.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError(f"{self.issuer} sends passwords and tokens without TLS; give its https:// address")
        if self.audience == self.client_id:
            raise ValueError("audience is the page's client_id: its ID tokens would open the api; give the api's own")
        return self

    def grants(self, values: list[str]) -> tuple[Grant, ...]:
        """What these values of the claim give, each once."""
        texts = dict.fromkeys(text for value in values for text in self.roles.get(value, ()))
        return parse_grants(texts)


class TlsSettings(Settings):
    """Certificate and key of the api's own TLS."""

    certificate: Path
    key: Path
    client_ca: Path | None = None  # only clients with a certificate of this authority may connect


class AccessSettings(Settings):
    """Who may use the api."""

    anonymous: Literal["none", "viewer"] = "none"  # what those may who have not signed in
    anonymous_reach: Literal["this-machine", "whole-network"] = "this-machine"
    session_idle_h: float = Field(default=12.0, gt=0, le=720)  # unused for so long, a session ends
    session_h: float = Field(default=168.0, gt=0, le=8_760)  # and after so long in any case
    attempts: int = Field(default=5, ge=1, le=100)  # wrong passwords in a row before a name is locked
    lock_s: float = Field(default=30.0, gt=0, le=3_600)  # the first time; doubles with each further one up to an hour
    sign_ins_per_min: float = Field(default=30.0, gt=0)  # from one address
    requests_per_s: float = Field(default=50.0, gt=0)  # of one caller, a change counts five times
    burst: int = Field(default=500, ge=1)
    oidc: OidcSettings | None = None

"""Which of the user tokens that a server offers is used. In: its offers, the settings. Out: one, or why none.

asyncua takes the first of the right type; a server may list one that sends the password in plain text before a better.
"""

from collections.abc import Sequence

from edge.sources.opcua_library import Opaque, ua
from edge.sources.opcua_policy import STRONG, policy_name
from edge.sources.opcua_settings import DEPRECATED, OpcUaSettings, permission
from twin.errors import Retryable


def choose_token(offered: Sequence[Opaque], settings: OpcUaSettings) -> list[Opaque]:
    """The one offer to use, or all of them where nothing secret is sent.

    Raises:
        Retryable: the server offers none that may be used.
    """
    if settings.user_certificate is not None:
        wanted, what = ua.UserTokenType.Certificate, "user certificates"
    elif settings.username is not None:
        wanted, what = ua.UserTokenType.UserName, "user names"
    else:
        return list(offered)
    fitting = [one for one in offered if one.TokenType == wanted]
    if not fitting:
        raise Retryable(f"the server takes no {what} at this endpoint; it takes {_kinds(offered)}")
    if wanted == ua.UserTokenType.UserName and settings.password is None:
        return fitting
    usable = [one for one in fitting if _rank(one, settings) is not None]
    if not usable:
        raise Retryable(_none_usable(fitting, settings))
    return [min(usable, key=lambda one: _rank(one, settings) or 0)]


def _rank(token: Opaque, settings: OpcUaSettings) -> int | None:
    """How good the encryption of the token is, 0 the best; None: must not be used."""
    policy = _policy(token, settings)
    if policy == settings.security.policy != "None":
        return 0
    if policy in STRONG:
        return 1
    if policy in DEPRECATED and settings.security.allow_deprecated:
        return 3
    if policy == "None" and settings.user_certificate is None:
        encrypted = settings.security.mode == "SignAndEncrypt"
        return 2 if encrypted or settings.security.allow_plain_password else None
    return None


def _policy(token: Opaque, settings: OpcUaSettings) -> str:
    uri = str(token.SecurityPolicyUri or "")  # empty: that of the channel
    return policy_name(uri) if uri else settings.security.policy


def _kinds(offered: Sequence[Opaque]) -> str:
    return ", ".join(sorted({str(ua.UserTokenType(one.TokenType).name) for one in offered})) or "nobody"


def _none_usable(fitting: Sequence[Opaque], settings: OpcUaSettings) -> str:
    policies = {_policy(one, settings) for one in fitting}
    if settings.user_certificate is None and "None" in policies:
        allowed = permission("allow_plain_password", settings.url)
        return f"the server wants the password in plain text: use mode SignAndEncrypt, or say under security {allowed}"
    allowed = permission("allow_deprecated", settings.url)
    return f"the server protects its user tokens by {', '.join(sorted(policies))} only: say under security {allowed}"

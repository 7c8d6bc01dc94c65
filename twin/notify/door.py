"""The door to Apprise, and nowhere else: e-mail, chat, webhooks, MQTT and a hundred more by address.

In: targets by name. Out: a message delivered, or `Retryable`. Apprise works in threads; a target that hangs is left
behind after `SEND_TIMEOUT_S`.
"""

import asyncio
from collections.abc import Mapping

import apprise

from twin.errors import ConfigError, Retryable

SEND_TIMEOUT_S = 30.0


class Targets:
    """Every configured target.

    Raises:
        ConfigError: an address that Apprise does not understand; the address itself, which may hold a password, is not
            shown.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._targets: dict[str, apprise.Apprise] = {}
        problems: list[str] = []
        for name, address in addresses.items():
            target = apprise.Apprise()
            if not target.add(address):  # pyright: ignore[reportUnknownMemberType]
                problems.append(f"notify.targets.{name}: is no address that Apprise knows; see the list in its manual")
            self._targets[name] = target
        if problems:
            raise ConfigError(problems)

    async def send(self, name: str, title: str, body: str) -> None:
        """Deliver one message as plain text.

        Raises:
            Retryable: the target did not take it, or not in time.
        """
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                sent = await self._targets[name].async_notify(
                    body=body, title=title, body_format=apprise.NotifyFormat.TEXT
                )
        except TimeoutError as error:
            raise Retryable(f"notification to {name}: no answer within {SEND_TIMEOUT_S:g} s") from error
        if not sent:
            raise Retryable(f"notification to {name}: the target did not take it")

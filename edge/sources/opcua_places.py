"""The servers of a redundant set that are tried in turn. In: settings. Out: whose turn it is, and how it is trusted."""

from collections.abc import Callable

from edge.sources.opcua_security import Security
from edge.sources.opcua_settings import OpcUaSettings


class Places:
    """One address, or several with the same nodes."""

    def __init__(self, settings: OpcUaSettings, clock: Callable[[], int]) -> None:
        urls = (settings.url, *settings.redundant_urls)
        self._settings: list[OpcUaSettings] = [settings.model_copy(update={"url": url}) for url in urls]
        self._securities: list[Security] = [Security(one, clock) for one in self._settings]
        self._at: int = 0

    def __len__(self) -> int:
        return len(self._settings)

    @property
    def settings(self) -> OpcUaSettings:
        """With the address whose turn it is."""
        return self._settings[self._at]

    @property
    def security(self) -> Security:
        """Of that address."""
        return self._securities[self._at]

    def move_on(self) -> bool:
        """To the next; True when all have had their turn."""
        self._at = (self._at + 1) % len(self._settings)
        return self._at == 0

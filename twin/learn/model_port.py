"""What every fitting job needs of the store's models."""

from collections.abc import Mapping
from typing import Any, Protocol


class Models(Protocol):
    """Where fitted models go, version by version."""

    async def save(  # noqa: D102
        self,
        kind: str,
        subject: str,
        params: bytes,
        *,
        fitted_ns: int,
        trained_ns: tuple[int, int],
        report: Mapping[str, Any],
    ) -> int: ...
    async def promote(self, kind: str, subject: str, version: int) -> None: ...  # noqa: D102

"""Fitted models from the store → the hot loop: what has become champion since the last look, each read only once."""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from twin.detect import multivariate, stretches
from twin.errors import Rejected
from twin.monitor.asset_banks import Fitted
from twin.monitor.patience import patiently
from twin.monitor.ports import Models
from twin.monitor.stretches import FittedStretches

_log = logging.getLogger(__name__)
_Model = TypeVar("_Model")


class NewModels:
    """What is in use, and what comes next."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._taken: dict[tuple[str, str], int] = {}  # kind and subject → version

    async def banks(self) -> list[Fitted]:
        """The banks that are not in use yet."""
        found = await self._new(multivariate.KIND, multivariate.from_bytes)
        return [Fitted(model, version) for model, version in found]

    async def stretches(self) -> list[FittedStretches]:
        """The detectors of stretches that are not in use yet."""
        found = await self._new(stretches.KIND, stretches.from_bytes)
        return [FittedStretches(model, version) for model, version in found]

    async def _new(self, kind: str, read: Callable[[bytes], _Model]) -> list[tuple[_Model, int]]:
        found: list[tuple[_Model, int]] = []
        for subject, version in (await patiently(lambda: self._models.versions(kind))).items():
            if self._taken.get((kind, subject)) == version:
                continue
            stored = await patiently(lambda subject=subject: self._models.champion(kind, subject))
            if stored is None:
                continue
            self._taken[kind, subject] = stored.version
            try:
                found.append((await asyncio.to_thread(read, stored.params), stored.version))
            except Rejected as refused:
                _log.warning("the %s model of %s is not used: %s", kind, subject, refused)
        return found

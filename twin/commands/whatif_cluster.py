"""A sweep of scenarios on a Dask cluster: one task per scenario, answers in the order of the scenarios."""

from collections.abc import Sequence
from typing import Any, cast

from twin.errors import ConfigError, Retryable
from twin.plant.tree import Plant
from twin.whatif.answer import answer
from twin.whatif.back_test import Trust
from twin.whatif.build import Setting
from twin.whatif.scenario import ScenarioText
from twin.whatif.statement import Answer

CONNECT_S = 10


def on_cluster(
    scheduler: str, plant: Plant, texts: Sequence[ScenarioText], starts: Sequence[tuple[Setting, Trust]]
) -> list[Answer]:
    """The same answers as locally, computed by the scheduler's workers.

    Raises:
        ConfigError: the package that speaks with the scheduler is not installed.
        Retryable: the scheduler does not answer.
    """
    try:
        import distributed
    except ImportError as error:
        raise ConfigError("a scheduler needs the extra `cluster`: pip install 'fabriquay[cluster]'") from error
    try:
        client = cast("Any", distributed).Client(scheduler, timeout=CONNECT_S)
    except OSError as error:
        raise Retryable(
            f"the scheduler {scheduler} does not answer ({error}); start it or correct the address"
        ) from error
    with client:
        tasks = [
            client.submit(answer, plant, text, setting, trust=trust, threads=1, pure=False)
            for text, (setting, trust) in zip(texts, starts, strict=True)
        ]
        return client.gather(tasks)

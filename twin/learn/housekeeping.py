"""Job `models-trim`: retired models are forgotten, all but the last few of each subject."""

from typing import Protocol

from twin.learn.job import Job

_KEEP = 10  # retired versions of each subject, to go back to and to compare with


class Models(Protocol):
    """What trims."""

    async def trim(self, keep: int) -> int: ...  # noqa: D102


def models_trim(models: Models, *, period_s: float = 86_400.0) -> Job:
    """Once a day."""

    async def run(_now_ns: int) -> str:
        forgotten = await models.trim(_KEEP)
        return f"forgot {forgotten} retired model{'' if forgotten == 1 else 's'}"

    return Job("models-trim", period_s, run)

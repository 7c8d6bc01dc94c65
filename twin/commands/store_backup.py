"""`twin store backup | restore | restored`. In: settings and a file. Out: what was done, in lines."""

import asyncio
from pathlib import Path

from twin.commands.reading_words import size_words
from twin.commands.settings import TwinSettings
from twin.store import backup, incarnation
from twin.store.database import open_database


async def back_up_store(settings: TwinSettings, file: Path, progress: backup.Progress) -> list[str]:
    """Everything that the store has now, into one file."""
    size = await asyncio.to_thread(backup.back_up, settings.database, file, progress)
    return [f"{file}: {size_words(size)}"]


async def restore_store(settings: TwinSettings, file: Path, progress: backup.Progress) -> list[str]:
    """Into an empty database."""
    newest = await backup.restore(settings.database, file, progress)
    return [f"the store is as it was at batch {newest:,}; start `twin run`: the spools send again what it lacks"]


async def declare_set_back(settings: TwinSettings) -> list[str]:
    """The database was put back in a way that it cannot notice itself."""
    async with open_database(settings.database, size=1) as database:
        await incarnation.set_back(database)
    return ["with its next commit the store asks the spools for what it lacks"]

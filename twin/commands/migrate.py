"""`twin migrate`: bring the database's schema up to date and register the plant's signals."""

from twin.commands.settings import TwinSettings
from twin.plant.load import load_plant
from twin.store.connect import open_store


async def migrate_store(settings: TwinSettings) -> None:
    """Idempotent; safe while other processes run (one advisory lock)."""
    plant = load_plant(settings.plant)
    async with open_store(settings.database) as store:
        await store.plants.register(plant)

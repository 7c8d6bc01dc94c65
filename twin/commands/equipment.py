"""The simulated plant as a process of its own."""

from pathlib import Path

from twin.demo.equipment import EquipmentSettings, run_equipment
from twin.settings import load


async def simulate(config: Path) -> None:
    """Run the equipment that the file describes until cancelled."""
    await run_equipment(load(config, EquipmentSettings))

"""The micro-factory as units: machines by type, joined by the buffers of the plant's flow graph."""

from random import Random

from twin.demo.machines import Conveyor, InspectionCell, MachineTool, Packer, Printer, Robot, Shelf
from twin.demo.station import Station, Stock, Work
from twin.demo.unit import Unit
from twin.plant.tree import Asset, Plant

_WORK = {
    "mill": Work(cycle_s=24.0, variation=0.10, scrap_share=0.012),
    "lathe": Work(cycle_s=11.0, variation=0.06, scrap_share=0.008),
    "printer": Work(cycle_s=23.0, variation=0.04, scrap_share=0.02, order_size=80),
    "robot": Work(cycle_s=10.0, variation=0.07, scrap_share=0.004, order_size=200),
    "inspection-cell": Work(cycle_s=9.0, variation=0.03, scrap_share=0.02, order_size=200),
    "packer": Work(cycle_s=8.5, variation=0.12, scrap_share=0.002, order_size=120),
    "conveyor": Work(cycle_s=2.0, variation=0.0, scrap_share=0.0),
}
_SPEED_RPM = {"mill": 8000.0, "lathe": 3200.0}
_PLAIN = {"printer": Printer, "robot": Robot, "inspection-cell": InspectionCell, "packer": Packer, "conveyor": Conveyor}


def build_factory(plant: Plant, assets: list[Asset], rng: Random) -> list[Unit]:
    """Every asset of a type that the micro-factory knows, in the order of the plant."""
    stocks: dict[str, Stock] = {}
    for asset in assets:
        if asset.type == "buffer" and asset.path in plant.buffers:
            capacity = plant.buffers[asset.path].capacity
            stocks[asset.path] = Stock(asset.path, capacity, capacity // 3)
    units: list[Unit] = []
    for asset in assets:
        if asset.path in stocks:
            units.append(Shelf(asset.path, rng, stocks[asset.path]))
        elif asset.type in _WORK:
            units.append(_station(plant, asset, stocks, rng))
    return units


def _station(plant: Plant, asset: Asset, stocks: dict[str, Stock], rng: Random) -> Station:
    sources = dict.fromkeys(link.buffer for link in plant.flow if link.target == asset.path)
    targets = dict.fromkeys(link.buffer for link in plant.flow if link.source == asset.path)
    inputs = [stocks[path] for path in sources if path in stocks]
    output = next((stocks[path] for path in targets if path in stocks), None)
    work = _WORK[asset.type]
    if asset.type in _SPEED_RPM:
        return MachineTool(asset.path, rng, inputs, output, work, _SPEED_RPM[asset.type])
    return _PLAIN[asset.type](asset.path, rng, inputs, output, work)


def parts_inside(units: list[Unit]) -> int:
    """Parts in all machines and buffers; a joined unit counts as one."""
    inside = sum(unit.contents() for unit in units if isinstance(unit, Station))
    return inside + sum(unit.stock.level for unit in units if isinstance(unit, Shelf))

"""Over which wire each unit speaks, by its type."""

from enum import StrEnum


class Channel(StrEnum):
    """One connection of the simulated equipment."""

    OPCUA = "opcua"  # the micro-factory's server
    CRANES = "cranes"  # MQTT, TIC 4.0-like
    CARRIERS = "carriers"  # MQTT, VDA 5050-like
    REEFERS = "reefers"  # MQTT, one topic per value
    GATES = "gates"  # MQTT, one topic per value


_BY_TYPE = {
    "sts-crane": Channel.CRANES,
    "yard-crane": Channel.CRANES,
    "carrier": Channel.CARRIERS,
    "reefer-slot": Channel.REEFERS,
    "gate-lane": Channel.GATES,
}


def channel_of(asset_type: str) -> Channel:
    """The channel of a unit of this type; what is no terminal equipment speaks OPC UA."""
    return _BY_TYPE.get(asset_type, Channel.OPCUA)

"""What the settings of an MQTT source say of single signals. In: settings, handles. Out: the same by handle. Pure."""

from collections.abc import Mapping

from edge.deadband import Deadband
from edge.sources.mqtt_settings import MqttSettings
from edge.swinging_door import SwingingDoor


def bands(settings: MqttSettings, handles: Mapping[str, int]) -> dict[int, Deadband | SwingingDoor]:
    """What is left out of each signal, by handle."""
    found: dict[int, Deadband | SwingingDoor] = {}
    for topic in settings.topics:
        for path, name in topic.feeds():
            signal = topic.signals[name]
            if signal.thin is not None:
                found[handles[path]] = signal.thin.band
            elif signal.deadband is not None:
                found[handles[path]] = Deadband(signal.deadband, signal.max_interval_s)
    return found


def unqueued(settings: MqttSettings, handles: Mapping[str, int]) -> set[int]:
    """The signals that we subscribe with QoS 0: no broker queues them."""
    return {handles[path] for topic in settings.topics if topic.qos == 0 for path, _ in topic.feeds()}

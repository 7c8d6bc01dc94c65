"""Independent Sparkplug B peers (mqtt-spb-wrapper), in an environment of their own: ``wrapper.py edge|app PORT GROUP NAME``.

Lines of JSON in and out, as the peers in JavaScript. The edge node is told {"set": {name: value}}, {"device": {…}} and
{"die": true}; the application says {"topic", "payload"} of everything that it has understood.
"""

import json
import sys
import threading

import mqtt_spb_wrapper as spb

_LOCK = threading.Lock()


def say(**words):
    with _LOCK:
        sys.stdout.write(json.dumps(words, default=str) + "\n")
        sys.stdout.flush()


def told():
    return (json.loads(line) for line in sys.stdin)


def edge(port, group, name):
    node = spb.MqttSpbEntityEdgeNode(group, name)
    device = spb.MqttSpbEntityDevice(group, name, "mill-1")
    births = {"set": node, "device": device}
    for words in told():
        for kind, entity in births.items():
            for metric, value in words.get(kind, {}).items():
                entity.data.set_value(metric, value)
            if kind in words and entity.is_connected():
                entity.publish_data()
            elif kind in words:
                assert entity.connect("127.0.0.1", port)
                entity.publish_birth()
        if words.get("die"):
            device.disconnect()
            node.disconnect()
        say(done=True)


def app(port, group, name):
    reader = spb.MqttSpbEntityScada(group, name)
    heard = lambda topic, payload: say(topic=topic.to_string(), payload=payload)  # noqa: E731
    reader.callback_birth = reader.callback_data = reader.callback_death = heard
    reader.on_connect = lambda code: say(ready=code == 0)
    assert reader.connect("127.0.0.1", port)
    for words in told():
        reader.send_command(words["command"], True, words["node"])


if __name__ == "__main__":
    role, port, group, name = sys.argv[1:]
    {"edge": edge, "app": app}[role](int(port), group, name)

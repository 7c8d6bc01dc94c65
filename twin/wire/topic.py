"""Every MQTT topic that this project owns, in one place.

Uplink (edge ⇄ ingest), below ``fabriquay/1/<node>/``: data, schema/<hash>, receipt, health, command.
Live feed (run → api and anyone else), below ``fabriquay/1/_twin/``, retained: state/<asset path>, gateway/<node>,
alarms/<scope>.
"""

import re

ROOT = "fabriquay/1"
LIVE = f"{ROOT}/_twin"

ALL_DATA = f"{ROOT}/+/data"
ALL_SCHEMAS = f"{ROOT}/+/schema/+"
ALL_HEALTH = f"{ROOT}/+/health"
ALL_STATES = f"{LIVE}/state/#"
ALL_GATEWAYS = f"{LIVE}/gateway/+"
ALL_ALARMS = f"{LIVE}/alarms/#"

NODE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def data(node: str) -> str:
    """Column batches of a node, QoS 1."""
    return f"{ROOT}/{node}/data"


def schema(node: str, schema_hash: str) -> str:
    """One schema of a node, retained: handle → signal path, unit, kind."""
    return f"{ROOT}/{node}/schema/{schema_hash}"


def receipt(node: str) -> str:
    """What the store has committed of a node, retained, published after COMMIT."""
    return f"{ROOT}/{node}/receipt"


def health(node: str) -> str:
    """The node's own report, retained; its last will says offline."""
    return f"{ROOT}/{node}/health"


def command(node: str) -> str:
    """Requests to a node, e.g. to publish a schema again."""
    return f"{ROOT}/{node}/command"


def state(asset_path: str) -> str:
    """The live state of one asset, retained."""
    return f"{LIVE}/state/{asset_path}"


def gateway(node: str) -> str:
    """What the twin knows of one gateway, retained."""
    return f"{LIVE}/gateway/{node}"


def alarms(scope: str) -> str:
    """The alarms of one area, of a site's own assets, or of the gateways, retained."""
    return f"{LIVE}/alarms/{scope}"


def node_of(topic: str) -> str | None:
    """The node in an uplink topic, or None when the topic is not one of ours."""
    parts = topic.split("/", 3)
    if len(parts) < 4 or f"{parts[0]}/{parts[1]}" != ROOT or not NODE_NAME.fullmatch(parts[2]):
        return None
    return parts[2]

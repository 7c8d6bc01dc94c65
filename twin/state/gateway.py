"""What is wrong with a gateway, in words, for the API and the page (pure). In: its health report. Out: sentences."""

from collections.abc import Mapping
from typing import Any, cast

from twin.state.freshness import gateway_status

_MOST = 50
_MOST_CHARACTERS = 400


def gateway_problems(node: str, health: Mapping[str, Any]) -> list[str]:
    """One sentence per problem; none when all is well. An agent that makes no warnings itself is looked at for it."""
    status = gateway_status(node, health)
    if not status.online:
        return [f"gateway {node} is offline"]
    told = health.get("warnings")
    if isinstance(told, list):
        words = [text for text in cast("list[object]", told) if isinstance(text, str)]
        return [text[:_MOST_CHARACTERS] for text in words[:_MOST]]
    return [
        f"source {source.name} is down{f': {source.detail}' if source.detail else ''}"[:_MOST_CHARACTERS]
        for source in status.sources[:_MOST]
        if source.status == "down"
    ]

"""Where the next page begins, as a text that clients send back unread. In: the last alarm of a page, or the text."""

import base64
import binascii
from uuid import UUID

from api.errors import ProblemError
from twin.state.alarm_model import AlarmRule, AlarmState

Place = tuple[int, int, UUID]  # rank of the priority, at_ns, id


def write_cursor(rule: AlarmRule, state: AlarmState) -> str:
    """The place behind this alarm."""
    text = f"{rule.priority.rank}.{state.at_ns // 1000}.{state.id.hex}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Place:
    """The place; a 422 problem for a text that no page gave."""
    try:
        rank, at_us, identity = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(".")
        place = int(rank), int(at_us) * 1000, UUID(identity)
        if not (0 <= place[0] <= 3 and 0 <= place[1] < 2**63):
            raise ValueError(text)
    except (ValueError, binascii.Error) as error:
        raise ProblemError(
            422, "wrong-cursor", f"{text[:60]!r} is no cursor of this api", do="send `next` of the page before"
        ) from error
    return place

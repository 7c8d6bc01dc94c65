"""HistoryReadResponse bytes → per node its status, its continuation point and its readings.

In: the response after its header, and the items that were asked for. Out: `Answer`s in their order. Values are decoded
as notifications are, so that both give one reading the same source time.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.sources.opcua_decode import Decoder
from edge.sources.opcua_message import Publication, node_number
from twin.errors import Retryable
from twin.wire.reading import Quality, Reading

_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")
_HISTORY_DATA, _HISTORY_MODIFIED_DATA = 658, 664  # …_Encoding_DefaultBinary


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says of one node."""

    status: int
    continuation: bytes  # empty: there is no more
    readings: list[Reading]

    @property
    def is_bad(self) -> bool:
        """Whether the severity is bad."""
        return self.status >> 31 == 1


def read_answers(
    data: bytes, handles: Sequence[int], decoder: Decoder, received_ns: int, shift_ns: int = 0
) -> list[Answer]:
    """One answer per item; `shift_ns` is added to every source time, which is then flagged.

    Raises:
        Retryable: this is no HistoryReadResponse to our question.
    """
    try:
        (count,) = _I32.unpack_from(data, 0)
        if count != len(handles):
            raise ValueError(f"{count} results for {len(handles)} nodes")
        answers: list[Answer] = []
        at = 4
        for handle in handles:
            answer, at = _answer(data, at, handle, decoder, received_ns)
            answers.append(answer)
    except (struct.error, IndexError, ValueError) as error:
        raise Retryable(f"read history: the answer cannot be read: {error}") from error
    if not shift_ns:
        return answers
    return [replace(answer, readings=_shifted(answer.readings, shift_ns)) for answer in answers]


def _shifted(readings: Sequence[Reading], by_ns: int) -> list[Reading]:
    flag = Quality.TIME_ADJUSTED
    return [one._replace(source_ns=one.source_ns + by_ns, quality=one.quality | flag) for one in readings]


def _answer(data: bytes, at: int, handle: int, decoder: Decoder, received_ns: int) -> tuple[Answer, int]:
    (status,) = _U32.unpack_from(data, at)
    length, at = _length(data, at + 4)
    continuation, at = data[at : at + length], at + length
    kind, at = node_number(data, at)
    encoding, at = data[at], at + 1
    found = Publication(0, 0)
    if encoding:
        length, at = _length(data, at)
        if kind in (_HISTORY_DATA, _HISTORY_MODIFIED_DATA):
            decoder.data_values(found, data, at, at + length, handle, received_ns)
        at += length
    if at > len(data):
        raise ValueError("a result ends after the answer")
    return Answer(status, continuation, found.readings), at


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length of a ByteString (a null one is empty), and the place after it."""
    (length,) = _I32.unpack_from(data, at)
    return max(length, 0), at + 4

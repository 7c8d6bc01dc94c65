"""Hop *keep*: a new epoch for a spool that turns out to be an old copy of itself.

A file restored from a backup or a cloned card would use numbers again that the store already has, and the store would
take the new batches for copies. In: the waiting batches. Out: the same readings, numbered from 1 in a fresh epoch;
what the store has of them already it recognises by signal and time.
"""

import logging
import secrets
import sqlite3

from edge.spool_table import ROW_BYTES
from twin.errors import Rejected
from twin.wire import batch
from twin.wire.receipt import Receipt

logger = logging.getLogger(__name__)


def is_ahead(receipt: Receipt, last_number: int) -> bool:
    """Whether the store has numbers of our epoch that we have not given out yet."""
    newest = receipt.above[-1][1] if receipt.above else receipt.high_water
    return newest > last_number


def renew(connection: sqlite3.Connection) -> tuple[str, int]:
    """Number every waiting batch anew, within the caller's transaction; returns the new epoch and the last number."""
    epoch = secrets.token_hex(16)
    number = 0
    for (old,) in connection.execute("SELECT number FROM batch ORDER BY number").fetchall():
        payload = connection.execute("SELECT payload FROM batch WHERE number = ?", (old,)).fetchone()[0]
        try:
            renumbered = _renumbered(payload, epoch, number + 1)
        except Rejected as error:
            logger.error("batch %d in the spool cannot be read and is dropped: %s", old, error)
            connection.execute("DELETE FROM batch WHERE number = ?", (old,))
            continue
        number += 1
        connection.execute(
            "UPDATE batch SET number = ?, payload = ?, bytes = ? WHERE number = ?",
            (number, renumbered, len(renumbered) + ROW_BYTES, old),
        )
    connection.execute("DELETE FROM withdrawn")
    connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
    return epoch, number


def _renumbered(payload: bytes, epoch: str, number: int) -> bytes:
    columns = batch.decode(payload)
    header = columns.header
    return batch.encode(
        columns.readings(),
        columns.gaps,
        node=header.node,
        epoch=epoch,
        number=number,
        lane=header.lane,
        schema_hash=header.schema_hash,
        created_ns=header.created_ns,
    )

"""What the store knows of the edge nodes: their schemas, so that old batches stay readable, and their receipts."""

from twin.store.commit import to_receipt
from twin.store.database import Database
from twin.store.incarnation import current
from twin.store.queries import load_queries
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema

_QUERIES = load_queries("nodes")


class Nodes:
    """The nodes of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def save_schema(self, schema: NodeSchema) -> None:
        """Keep a schema for ever; the same one again changes nothing."""
        values = {"node": schema.node, "hash": schema.hash, "document": schema.to_json()}
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["save_schema"], values)

    async def schema(self, node: str, schema_hash: str) -> NodeSchema | None:
        """The schema that a batch names, None when it never came."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(_QUERIES["schema"], {"node": node, "hash": schema_hash})
            row = await cursor.fetchone()
        return NodeSchema.from_json(row[0]) if row else None

    async def schemas(self) -> list[NodeSchema]:
        """Every schema, oldest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["schemas"])).fetchall()
        return [NodeSchema.from_json(document) for (document,) in rows]

    async def receipts(self) -> list[tuple[str, Receipt]]:
        """(node, receipt) of every epoch, the newest of a node last: what is published again at every start."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["receipts"])).fetchall()
            incarnation = await current(connection)
        return [(node, to_receipt(epoch, committed, incarnation)) for node, epoch, committed in rows]

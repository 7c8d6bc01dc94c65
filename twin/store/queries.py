"""Named queries from ``sql/*.sql``: ``-- name: what it does`` opens one, everything up to the next is its text.

Read once at import; a name that no file has is an error at import too.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import LiteralString, cast

_NAME = re.compile(r"^-- ([a-z][a-z0-9_]*): .*$", re.MULTILINE)


def load_queries(file: str) -> Mapping[str, LiteralString]:
    """The queries of ``sql/<file>.sql`` by name.

    They ship with the package, nobody outside can write them: hence `LiteralString`.
    """
    text = files("twin.store").joinpath("sql", f"{file}.sql").read_text(encoding="utf-8")
    pieces = _NAME.split(text)[1:]
    names, bodies = pieces[0::2], pieces[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"sql/{file}.sql names a query twice")
    return {name: cast("LiteralString", body.strip().rstrip(";")) for name, body in zip(names, bodies, strict=True)}

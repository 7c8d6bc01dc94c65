"""api/web/src/api.gen.ts: the page's types of bodies and answers, from the api's own OpenAPI document.

In: the routes; no network, store or broker. Out: TypeScript, by openapi-typescript.
Run as `make types`; a test compares.
The generator is no package of the page: it needs an older TypeScript, and the page is built without it.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from api.app import create_app
from api.settings import ApiSettings
from setup.page import ROOT, WEB, install, run
from twin.wire.mqtt import BrokerSettings

TYPES = WEB / "src" / "api.gen.ts"
GENERATOR = ROOT / "tests" / "peers" / "page"
HEAD = "// Written by `make types` from the OpenAPI document: bodies and answers in JSON. Not to be edited.\n\n"


def types() -> str:
    """The whole module."""
    install(GENERATOR)
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "openapi.json", Path(folder) / "api.ts"
        source.write_text(json.dumps(document()), encoding="utf-8")
        program = GENERATOR / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
        # what has a default may be left out of a body, and of an answer too
        run(GENERATOR, program, source, "--output", made, "--default-non-nullable=false")
        _, text = made.read_text(encoding="utf-8").split("*/\n", 1)  # its own head
        return HEAD + text.lstrip()


def document() -> dict[str, Any]:
    """The OpenAPI document, as far as the page is checked by it: shapes, no words."""
    broker = BrokerSettings(host="127.0.0.1")
    made = create_app(ApiSettings(dsn="", broker=broker, plant=ROOT / "configs" / "plant.yaml")).openapi()
    for schema in made["components"]["schemas"].values():
        if "properties" in schema:  # later versions may add fields, but the page asks for none that it does not know
            schema.pop("additionalProperties", None)
    paths = {
        path: {method: _shape(operation) for method, operation in methods.items()}
        for path, methods in made["paths"].items()
        if path.startswith("/v1/")
    }
    schemas = made["components"]["schemas"]
    head = {key: made[key] for key in ("openapi", "info")}
    return head | {"paths": _wordless(paths), "components": {"schemas": _wordless(schemas)}}


def _shape(operation: dict[str, Any]) -> dict[str, Any]:
    """Its body and what it answers in JSON when all is well."""
    answers = {
        status: {"content": {"application/json": shape}}
        for status, answer in operation["responses"].items()
        if status.startswith("2") and (shape := answer.get("content", {}).get("application/json"))
    }
    body = {"requestBody": operation["requestBody"]} if "requestBody" in operation else {}
    return body | {"responses": answers}


def _wordless(part: object) -> object:
    """Without titles, descriptions and examples, so that another wording makes no other types."""
    if isinstance(part, list):
        return [_wordless(one) for one in part]
    if not isinstance(part, dict):
        return part
    words = {"title": str, "description": str, "examples": list}  # a field of such a name is a schema, no text
    return {
        key: _wordless(value) for key, value in part.items() if key not in words or not isinstance(value, words[key])
    }


if __name__ == "__main__":
    TYPES.write_text(types(), encoding="utf-8")

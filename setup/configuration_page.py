"""docs/reference/configuration.md from the models that read the files: every key, its default and meaning.

In: pydantic models; the meaning of a key is the comment behind its field. Run as `make docs`; a test compares.
"""

import ast
import inspect
import textwrap
import tokenize
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from edge.config import _AgentFile
from twin.commands.settings import TwinSettings
from twin.plant.document import PlantText
from twin.whatif.scenario import ScenarioText

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "configuration.md"
FILES: Mapping[str, tuple[type[BaseModel], str]] = {
    "twin.yaml": (
        TwinSettings,
        "`twin run`, `learn`, `api`, `migrate`, `check`; the commented example is `configs/twin.yaml`.",
    ),
    "edge.yaml": (
        _AgentFile,
        "One agent, `twin edge …`; the commented examples are `configs/edge-*.yaml`.",
    ),
    "plant.yaml": (PlantText, "The plant model; the example is `configs/plant.yaml`."),
    "a scenario": (ScenarioText, "`twin whatif` and `POST /v1/scenarios`; examples are in `configs/scenarios`."),
}
HEAD = """# Configuration

Every key of every file. Written by `make docs` from the models that read the files. Unknown keys are refused;
`twin check` and `twin edge check` name every mistake with file, line and key. `${NAME}` comes from the
environment, `${NAME:-default}` too; a value that begins with `file:/` is the first line of that file.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    known: dict[str, str] = {}
    for name, (model, what) in FILES.items():
        parts.append(f"\n## {name}\n\n{what}\n")
        parts.extend(_section(one, model, known, name) for one in _models(model) if one.__name__ not in known)
    return "".join(parts)


def _section(model: type[BaseModel], top: type[BaseModel], known: dict[str, str], file: str) -> str:
    known[model.__name__] = file
    schema, comments = model.model_json_schema(), _comments(model)
    inner = schema.get("$defs", {})
    one = schema if "properties" in schema else inner[model.__name__]  # a model that holds itself is a reference
    shapes, required = one["properties"], set(one.get("required", ()))
    title = "" if model is top else f"\n### {_title(model)}\n\n{textwrap.dedent(inspect.getdoc(model) or '').strip()}\n"
    rows = ["\n| key | takes | default | meaning |\n|---|---|---|---|\n"]
    for key, shape in shapes.items():
        field = next(name for name, one in model.model_fields.items() if key in {name, one.alias})
        default = (
            "**required**"
            if key in required
            else _default(model.model_fields[field].get_default(call_default_factory=True))
        )
        rows.append(f"| `{key}` | {_takes(shape, inner)} | {default} | {_cell(comments.get(field, ''))} |\n")
    return title + "".join(rows)


def _title(model: type[BaseModel] | str) -> str:
    name = model if isinstance(model, str) else model.__name__
    words = name.strip("_").removesuffix("Text").removesuffix("Settings")
    return "".join(f" {letter.lower()}" if letter.isupper() and at else letter for at, letter in enumerate(words))


def _takes(shape: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "$ref" in shape:
        name = shape["$ref"].rsplit("/", 1)[1]
        if "enum" in known[name]:
            return _takes(known[name], known)
        return f"[{_title(name)}](#{_title(name).lower().replace(' ', '-')})"
    if "enum" in shape or "const" in shape:
        return ", ".join(f"`{one}`" for one in shape.get("enum", [shape.get("const")]))
    choices = [*shape.get("anyOf", ()), *shape.get("oneOf", ()), *shape.get("allOf", ())]
    if choices:
        return " or ".join(dict.fromkeys(_takes(one, known) for one in choices if one.get("type") != "null"))
    kind = shape.get("type", "any")
    if kind == "array":
        return f"list of {_takes(shape.get('items', {}), known)}"
    if kind == "object":
        inner = shape.get("additionalProperties")
        return f"name → {_takes(inner, known)}" if isinstance(inner, dict) else "mapping"
    return f"{_KINDS.get(kind, kind)}{_bounds(shape)}"


_KINDS: Mapping[str, str] = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "any": "text or number",
}


def _bounds(shape: Mapping[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return "".join(f" {sign} {shape[word]:,}" for word, sign in signs.items() if word in shape)


def _default(value: object) -> str:
    if isinstance(value, BaseModel):
        return "as below"
    if value is None or value in ((), "", {}, frozenset()):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and those inside it, each once, outermost first."""
    found: dict[type[BaseModel], None] = {}
    waiting: list[Any] = [model]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, type) and issubclass(one, BaseModel):
            if one not in found:
                found[one] = None
                waiting[:0] = [field.annotation for field in one.model_fields.values()]
                waiting[:0] = [inner for field in one.model_fields.values() for inner in field.metadata]
        else:
            waiting[:0] = get_args(one)
    return iter(found)


def _comments(model: type[BaseModel]) -> dict[str, str]:
    """Field → the comment on its line, or on the last line of its default; of the model and its bases."""
    told: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            told |= _own_comments(one)
    return told


def _own_comments(model: type[BaseModel]) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(model))
    words = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(StringIO(source).readline)
        if token.type == tokenize.COMMENT and "noqa" not in token.string
    }
    fields = [one for one in ast.parse(source).body[0].body if isinstance(one, ast.AnnAssign)]  # type: ignore[attr-defined]
    return {
        one.target.id: " ".join(
            words[line] for line in range(one.lineno, (one.end_lineno or one.lineno) + 1) if line in words
        )
        for one in fields
        if isinstance(one.target, ast.Name)
    }


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

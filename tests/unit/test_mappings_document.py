"""docs/reference/mappings.md tells the truth: every example gives what stands below it."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from edge.mapping_files import shipped_mappings
from edge.mapping_settings import Mapped, MqttTopic
from tests.unit.dialects import NOW, Dialect, utc
from twin.commands.map_message import quality_words

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "mappings.md"
BLOCK = re.compile(r"```(yaml|json|text)(?: (\S+))?\n(.*?)```", re.DOTALL)


class Example(NamedTuple):
    entry: str
    messages: tuple[tuple[str, str], ...]
    shown: str


def examples():
    entry, messages = "", []
    for kind, topic, text in BLOCK.findall(DOCUMENT.read_text(encoding="utf-8").partition("## The dialects")[2]):
        if kind == "yaml":
            entry, messages = text, []
        elif kind == "json":
            messages.append((topic, text))
        else:
            yield Example(entry, tuple(messages), text)


def shown(folder, example):
    """The lines of the last message."""
    dialect = Dialect(folder, example.entry)
    for topic, text in example.messages:
        mapped = dialect.send(topic, text, raw=True)
    assert not mapped.rejected
    lines = []
    for reading in mapped.readings:
        path = dialect.paths[reading.handle]
        value = reading.value if isinstance(reading.value, str) else f"{reading.value:.12g}"
        value = repr(value) if isinstance(reading.value, str) else f"{value} {dialect.units[path]}".strip()
        at = "time of receipt" if utc(reading.source_ns) == NOW else utc(reading.source_ns)
        lines.append(f"{path}  {value}  {at}  {quality_words(reading.quality)}\n")
    return "".join(lines)


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.messages[-1][0])
def test_an_example_gives_what_stands_below_it(tmp_path, example):
    assert shown(tmp_path, example) == example.shown


def test_every_shipped_mapping_and_every_key_is_described():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert not [one.name for one in shipped_mappings() if one.name not in text]
    tables = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    keys = {*MqttTopic.model_fields, *Mapped.model_fields}
    assert not [key for key in keys if f"`{key}`" not in tables]


if __name__ == "__main__":  # writes the results into the document
    import sys
    import tempfile

    text = DOCUMENT.read_text(encoding="utf-8")
    results = []
    for one in examples():
        with tempfile.TemporaryDirectory() as folder:
            results.append(shown(Path(folder), one))
    pieces = iter(results)
    head, middle, rest = text.partition("## The dialects")
    rest = re.sub(r"```text\n.*?```", lambda _: f"```text\n{next(pieces)}```", rest, flags=re.DOTALL)
    DOCUMENT.write_text(head + middle + rest, encoding="utf-8")
    sys.stdout.write("".join(results))

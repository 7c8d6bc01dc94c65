"""Mappings by name: ``mapping: vda5050`` in an edge configuration. In: the parsed file. Out: the same, written out.

A mapping says how a dialect's messages are built and, where the dialect has fixed names, which signals it knows. What
the configuration says beside the name goes before what the mapping says.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from edge.mapping_settings import MqttTopic
from twin.errors import ConfigError
from twin.settings import Document, Key

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_HERE = Path(__file__).resolve().parents[1]
_FOLDERS = (_HERE / "configs" / "mappings", _HERE / "twin" / "demo" / "configs" / "mappings")  # a checkout, a wheel
_OF_A_FILE = frozenset({"description", "every_signal", "signals"})

Tree = dict[str, Any]


class MappingFile(NamedTuple):
    """One mapping."""

    name: str
    path: Path
    description: str


def shipped_folder() -> Path:
    """Where the mappings that come with the product lie."""
    return next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])


def shipped_mappings() -> list[MappingFile]:
    """The mappings that come with the product."""
    found = sorted(shipped_folder().glob("*.yaml"))
    return [MappingFile(path.stem, path, str(Document(path).data.get("description", ""))) for path in found]


def write_out_mappings(document: Document) -> list[bytes]:
    """Replace every ``mapping: name`` of the document's MQTT sources by what it stands for.

    Returns:
        The contents of the mapping files that were used.

    Raises:
        ConfigError: with every problem of the mappings that were named.
    """
    used: dict[Path, bytes] = {}
    problems: list[str] = []
    for keys, holder, index in _topics(document.data):
        entry = cast("Tree", holder[index])
        if "mapping" not in entry:
            continue
        try:
            mapping = _find(document, keys, entry["mapping"])
        except ConfigError as error:
            problems += error.problems
            continue
        used[mapping.path] = mapping.path.read_bytes()
        problems += _unknown_signals(document, keys, mapping, entry)
        merged = merge(mapping.data, entry)
        holder[index] = merged
        problems += _own_mistakes(mapping, merged, entry)
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return list(used.values())


def own_mappings(data: object) -> list[str]:
    """The mappings that a configuration names by a path of its own, not those that come with the product."""
    named = [holder[index].get("mapping") for _, holder, index in _topics(data)]
    return sorted({name for name in named if isinstance(name, str) and not _NAME.fullmatch(name)})


def merge(mapping: Tree, entry: Tree) -> Tree:
    """The entry with what the mapping adds to it."""
    base = {key: value for key, value in mapping.items() if key not in _OF_A_FILE}
    own = {key: value for key, value in entry.items() if key not in ("mapping", "signals")}
    result = _deep(base, own)
    catalogue = cast("Tree", mapping.get("signals") or {})
    chosen = entry.get("signals")
    if chosen is None:
        chosen = dict.fromkeys(catalogue)
    if not isinstance(chosen, dict):
        return {**result, "signals": chosen}
    every = cast("Tree", mapping.get("every_signal") or {})
    named = _items(cast("object", chosen))
    signals = {name: _signal({**every, **catalogue.get(name, {})}, given) for name, given in named}
    return {**result, "signals": signals} if signals else result


def _signal(base: Tree, given: object) -> object:
    if given is None:
        return base
    if not isinstance(given, dict):
        return given
    own = cast("Tree", given)
    if "unit" in own and "unit" in base and "source_unit" not in base and "scale" not in own:
        base = {**base, "source_unit": base["unit"]}  # the device goes on speaking its own
    return _deep(base, own)


def _deep(base: Tree, own: Tree) -> Tree:
    result = dict(base)
    for key, value in own.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            result[key] = _deep(cast("Tree", below), cast("Tree", value))
        else:
            result[key] = value
    return result


def _topics(data: object) -> Iterator[tuple[list[Key], list[Any], int]]:
    """Every entry under `topics` of every source: its keys, and where it can be replaced."""
    for source_at, source in enumerate(_listed(data, "sources")):
        topics = _listed(source, "topics")
        for index, topic in enumerate(topics):
            if isinstance(topic, dict):
                yield ["sources", source_at, "topics", index], topics, index


def _listed(data: object, key: str) -> list[Any]:
    found = cast("Tree", data).get(key) if isinstance(data, dict) else None
    return cast("list[Any]", found) if isinstance(found, list) else []


def _items(tree: object) -> Iterator[tuple[str, object]]:
    for key, value in cast("dict[object, object]", tree).items():
        yield str(key), value


def _find(document: Document, keys: Sequence[Key], named: object) -> Document:
    where = [*keys, "mapping"]
    if not isinstance(named, str):
        raise ConfigError(document.problem(where, "name a mapping, or the path of a file of your own"))
    if _NAME.fullmatch(named):
        path = shipped_folder() / f"{named}.yaml"
        if not path.is_file():
            names = [one.stem for one in shipped_folder().glob("*.yaml")]
            raise ConfigError(document.problem(where, f"there is no mapping {named!r}; {_instead(named, names)}"))
    else:
        path = document.path.parent / named
    mapping = Document(path)
    if not isinstance(mapping.data, dict):
        raise ConfigError(f"{path}: a mapping is a table of keys; see configs/mappings for examples")
    known = {*MqttTopic.model_fields, *_OF_A_FILE} - {"asset"}
    wrong = [key for key in cast("Tree", mapping.data) if key not in known]
    if wrong:
        raise ConfigError(mapping.problem([key], f"unknown key; {_instead(str(key), sorted(known))}") for key in wrong)
    return mapping


def _unknown_signals(document: Document, keys: Sequence[Key], mapping: Document, entry: Tree) -> Iterator[str]:
    """Signals that neither the mapping nor the entry says where to find."""
    catalogue = cast("Tree", mapping.data).get("signals")
    chosen = entry.get("signals")
    if not isinstance(catalogue, dict) or not isinstance(chosen, dict):
        return
    for name, given in _items(cast("object", chosen)):
        if name not in catalogue and (not isinstance(given, dict) or "value" not in given):
            instead = _instead(name, [str(known) for known in cast("Tree", catalogue)])
            message = f"{mapping.path.stem} has no signal {name!r}; {instead}, or give its value"
            yield document.problem([*keys, "signals", name], message)


def _own_mistakes(mapping: Document, merged: Tree, entry: Tree) -> list[str]:
    """What is wrong in the mapping itself, with its own lines; the rest is told with those of the configuration."""
    try:
        MqttTopic.model_validate(merged)
    except ValidationError as error:
        found: list[str] = []
        for problem in error.errors():
            place = problem["loc"]
            if not place or problem["type"] == "missing" or _stands(entry, place):
                continue
            if not _stands(mapping.data, place) and place[0] == "signals":
                problem["loc"] = ("every_signal", *place[2:])
            found.append(mapping.explain(problem))
        return found
    return []


def _stands(data: object, place: Sequence[Key]) -> bool:
    for key in place:
        if isinstance(data, Mapping) and key in data:
            data = cast("Mapping[Key, object]", data)[key]
        elif isinstance(data, list) and isinstance(key, int) and key < len(cast("list[object]", data)):
            data = cast("list[object]", data)[key]
        else:
            return False
    return True


def _instead(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"

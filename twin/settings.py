"""Configuration files → frozen pydantic models; every problem with file, line, key and what to do.

No network, no clock. Both `edge` and `twin` load their YAML through here, so that an error always looks the same.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twin.errors import ConfigError

_ENVIRONMENT = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?::-([^}]*))?\}")


class Settings(BaseModel):
    """Base of every configuration model: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_enum_values=False)


Model = TypeVar("Model", bound=BaseModel)
Key = str | int


class Document:
    """One parsed YAML file that remembers on which line each key stands."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
        try:
            self._root: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
            self.data: Any = _construct(self._root)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}; mend the syntax") from error
        duplicates = list(_duplicate_keys(self._root))
        if duplicates:
            raise ConfigError(
                f"{path}:{line}: {key}: this key stands here a second time; remove one of the two"
                for key, line in duplicates
            )

    def line(self, keys: Sequence[Key]) -> int:
        """The line (from 1) of the key path, or of its nearest ancestor that exists."""
        node, line = self._root, 1
        for key in keys:
            found = _child(node, key)
            if found is None:
                break
            line, node = found
        return line

    def problem(self, keys: Sequence[Key], message: str) -> str:
        """``file:line: key: message``."""
        where = ".".join(str(key) for key in keys)
        return f"{self.path}:{self.line(keys)}: {where + ': ' if where else ''}{message}"

    def model(self, kind: type[Model]) -> Model:
        """The document as a validated model.

        Raises:
            ConfigError: with every problem that was found, not only the first.
        """
        try:
            return kind.model_validate(self.data)
        except ValidationError as error:
            raise ConfigError(self._explain(problem) for problem in error.errors()) from error

    def _explain(self, problem: Any) -> str:
        kind, message = problem["type"], problem["msg"].removeprefix("Value error, ")
        keys = _real_location(self.data, problem["loc"])
        if kind == "extra_forbidden":
            return self.problem(keys, "unknown key; remove it or correct its spelling")
        if kind == "missing":
            return self.problem([*keys, problem["loc"][-1]], "is missing; add it")
        return self.problem(keys, f"{message[:1].lower()}{message[1:]}, not {problem['input']!r}"[:300])


def load(path: Path, kind: type[Model]) -> Model:
    """Read one YAML file into a model; see `Document.model`."""
    return Document(path).model(kind)


Secret = Annotated[str, Field(repr=False)]


def resolve_secret(text: str) -> str:
    """Replace ``${NAME}`` and ``${NAME:-default}`` by the environment; ``file:/path`` by that file's first line.

    Raises:
        ConfigError: when the variable is not set or the file cannot be read.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = os.environ.get(name, default)
        if found is None:
            raise ConfigError(f"environment variable {name} is not set; set it or give a default as ${{{name}:-…}}")
        return found

    text = _ENVIRONMENT.sub(value, text)
    if text.startswith("file:"):
        path = Path(text.removeprefix("file:"))
        try:
            return path.read_text(encoding="utf-8").splitlines()[0].strip()
        except (OSError, IndexError) as error:
            raise ConfigError(f"{path}: the secret cannot be read; check the path and its permissions") from error
    return text


def _construct(node: yaml.Node | None) -> Any:
    if node is None:
        return {}
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _duplicate_keys(node: yaml.Node | None) -> "list[tuple[str, int]]":
    found: list[tuple[str, int]] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            name = str(key.value)
            if name in seen:
                found.append((name, key.start_mark.line + 1))
            seen.add(name)
            found += _duplicate_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in cast("list[yaml.Node]", node.value):
            found += _duplicate_keys(value)
    return found


def _child(node: yaml.Node | None, key: Key) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            if str(name.value) == str(key):
                return name.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        items = cast("list[yaml.Node]", node.value)
        if key < len(items):
            return items[key].start_mark.line + 1, items[key]
    return None


def _real_location(data: Any, location: Sequence[Key]) -> list[Key]:
    """The location without the discriminators that pydantic puts between the real keys."""
    real: list[Key] = []
    for part in location:
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(cast("list[Any]", data))
        )
        if inside:
            real.append(part)
            data = data[part]
    return real

"""Configuration files → frozen pydantic models; every problem with file, line, key and what to do.

No network, no clock. Both `edge` and `twin` load their YAML through here, so that an error always looks the same.
The YAML is read by the core schema of YAML 1.2: ``on``, ``12:30`` and ``2026-01-01`` are text, not a truth value,
a number of base 60 or a date. Every string may name the environment or a secret file, see `resolve_secret`.
"""

import os
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from twin.errors import ConfigError

_SUBSTITUTION = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_ENVIRONMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Settings(BaseModel):
    """Base of every configuration model: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_enum_values=False)


Model = TypeVar("Model", bound=BaseModel)
Key = str | int
Secret = Annotated[str, Field(repr=False)]


class Document:
    """One parsed YAML file that remembers on which line each key stands.

    `data` has the environment and the secrets put in; messages show what the file says, never a secret.
    """

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None) -> None:
        self.path: Path = path
        self._root: yaml.Node | None = _compose(path)
        mistakes = list(_mistakes(self._root, ()))
        if mistakes:
            raise ConfigError(f"{path}:{line}: {message}" for line, message in mistakes)
        self._written: dict[tuple[Key, ...], str] = {}
        self._problems: list[str] = []
        raw = _construct(path, self._root)
        self.data: Any = self._substituted(raw, (), os.environ if environment is None else environment)
        if self._problems:
            raise ConfigError(self._problems)

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
            raise ConfigError(self.explain(problem) for problem in _causes(error.errors())) from error

    def _substituted(self, data: object, keys: tuple[Key, ...], environment: Mapping[str, str]) -> object:
        if isinstance(data, dict):
            items = cast("dict[Key, Any]", data).items()
            return {key: self._substituted(value, (*keys, key), environment) for key, value in items}
        if isinstance(data, list):
            elements = enumerate(cast("list[Any]", data))
            return [self._substituted(value, (*keys, index), environment) for index, value in elements]
        if not isinstance(data, str):
            return data
        try:
            value = resolve_secret(data, environment)
        except ConfigError as error:
            self._problems.append(self.problem(keys, str(error)))
            return data
        if value != data:
            self._written[keys] = data
        return value

    def explain(self, problem: ErrorDetails) -> str:
        """A problem that pydantic found, in our words, with file, line and key."""
        kind, message = problem["type"], problem["msg"].removeprefix("Value error, ")
        keys = _real_location(self.data, problem["loc"])
        if kind == "extra_forbidden":
            return self.problem(keys, "unknown key; remove it or correct its spelling")
        if kind == "missing":
            return self.problem([*keys, problem["loc"][-1]], "is missing; add it")
        written = self._written.get(tuple(keys), problem["input"])
        if kind == "value_error":  # our own validators say the value and what to do
            return self.problem(keys, message)
        shown = "" if isinstance(written, dict | list | tuple) else f", not {written!r}"[:200]
        return self.problem(keys, f"{message[:1].lower()}{message[1:]}{shown}")


def load(path: Path, kind: type[Model]) -> Model:
    """Read one YAML file into a model; see `Document.model`."""
    return Document(path).model(kind)


def resolve_secret(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Put the environment and secret files into a text.

    ``${NAME}`` and ``${NAME:-default}`` become the environment variable, ``$${`` a plain ``${``, and a text that begins
    with ``file:/`` (after substitution) the first line of that file.

    Raises:
        ConfigError: when a variable is not set or a file cannot be read; without file and line.
    """
    found = os.environ if environment is None else environment
    text = _SUBSTITUTION.sub(lambda match: _variable(match, found), text)
    if not text.startswith("file:/"):
        return text
    path = Path(text.removeprefix("file:"))
    try:
        return path.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise ConfigError(f"the secret file {path} cannot be read; check the path and its permissions") from error


def _variable(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match.group(0) == "$${":
        return "${"
    parts = _ENVIRONMENT.fullmatch(match.group(1))
    if parts is None:
        raise ConfigError(f"{match.group(0)} is not an environment variable; write ${{NAME}}, or $${{ for a plain ${{")
    name, default = parts.group(1), parts.group(2)
    value = environment.get(name) or default
    if value is None:
        raise ConfigError(f"environment variable {name} is not set; set it or give a default as ${{{name}:-…}}")
    return value


class _Composer(yaml.CSafeLoader):
    """Scalars as the core schema of YAML 1.2 reads them."""


_CORE_SCHEMA: tuple[tuple[str, str, str], ...] = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
)
_Composer.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _CORE_SCHEMA:
    _starts = [*_first.replace("\0", ""), *([""] if "\0" in _first else [])]
    cast("Any", _Composer).add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _starts)


def _compose(path: Path) -> yaml.Node | None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    return _yaml_errors(path, lambda: yaml.compose(text, Loader=_Composer))


def _construct(path: Path, node: yaml.Node | None) -> object:
    if node is None:
        return {}
    loader = cast("Any", yaml.SafeLoader(""))
    try:
        return _yaml_errors(path, lambda: loader.construct_document(node))
    finally:
        loader.dispose()


Parsed = TypeVar("Parsed")


def _yaml_errors(path: Path, parse: Callable[[], Parsed]) -> Parsed:
    try:
        return parse()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}; mend the syntax") from error
    except (yaml.YAMLError, ValueError) as error:  # a character or a number that cannot be
        first = str(error).splitlines()[0]
        raise ConfigError(f"{path}: not valid YAML: {first}; mend the syntax") from error


def _causes(problems: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without the lists that count as too short only because their elements are wrong."""
    for problem in problems:
        where = problem["loc"]
        if problem["type"] == "too_short" and any(one["loc"][: len(where)] == where != one["loc"] for one in problems):
            continue
        yield problem


def _mistakes(node: yaml.Node | None, above: tuple[int, ...]) -> Iterator[tuple[int, str]]:
    """What YAML allows and nobody means: the same key twice, a key that is no scalar, a node inside itself."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return
    if id(node) in above:
        yield node.start_mark.line + 1, "this section contains itself by an alias; write it out"
        return
    below = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            if not isinstance(key, yaml.ScalarNode):
                yield key.start_mark.line + 1, "a key must be plain text; write it on one line"
                continue
            if str(key.value) in seen and key.value != "<<":
                yield key.start_mark.line + 1, f"{key.value}: this key stands here a second time; remove one of the two"
            seen.add(str(key.value))
            yield from _mistakes(value, below)
    else:
        for value in cast("list[yaml.Node]", node.value):
            yield from _mistakes(value, below)


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


def _real_location(data: object, location: Sequence[Key]) -> list[Key]:
    """The location without the discriminators that pydantic puts between the real keys."""
    real: list[Key] = []
    for part in location:
        if isinstance(data, dict) and part in data:
            data = cast("dict[Key, object]", data)[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(cast("list[object]", data)):
            data = cast("list[object]", data)[part]
        else:
            continue
        real.append(part)
    return real

"""A configuration mistake is reported with file, line, key and what to do; secrets stay out of the message."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from twin.errors import ConfigError
from twin.settings import Document, Secret, Settings, load, resolve_secret


class Circle(Settings):
    kind: Literal["circle"]
    radius_m: float = Field(gt=0)


class Square(Settings):
    kind: Literal["square"]
    side_m: float


class Drawing(Settings):
    name: str
    port: int = 1883
    password: Secret = ""
    shapes: tuple[Annotated[Circle | Square, Field(discriminator="kind")], ...] = ()


def write(folder: Path, text: str) -> Path:
    path = folder / "drawing.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path, Drawing)
    return [problem.removeprefix(f"{path}") for problem in caught.value.problems]


def test_every_problem_is_reported_at_once_with_its_line(tmp_path):
    text = "nam: x\nport: many\nshapes:\n  - kind: circle\n    radius_m: -1\n  - kind: square\n"
    assert problems(tmp_path, text) == [
        ":1: name: is missing; add it",
        ":2: port: input should be a valid integer, unable to parse string as an integer, not 'many'",
        ":5: shapes.0.radius_m: input should be greater than 0, not -1",
        ":6: shapes.1.side_m: is missing; add it",
        ":1: nam: unknown key; remove it or correct its spelling",
    ]


def test_a_key_that_stands_twice_is_refused(tmp_path):
    assert problems(tmp_path, "name: a\nport: 1\nname: b\n") == [
        ":3: name: this key stands here a second time; remove one of the two"
    ]


def test_a_section_inside_itself_is_refused(tmp_path):
    assert problems(tmp_path, "name: &a [*a]\n") == [":1: this section contains itself by an alias; write it out"]


@pytest.mark.parametrize(
    "text", ["name: [", "name: \x00", "a: b: c", "? [x]\n: y", "name: !!python/object:os.system x"]
)
def test_text_that_is_not_plain_yaml_is_a_configuration_error(tmp_path, text):
    assert problems(tmp_path, text)


def test_a_missing_file_and_a_binary_file_are_configuration_errors(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Document(tmp_path / "nothing.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        Document(tmp_path / "binary.yaml")


def test_scalars_are_read_by_the_core_schema_of_yaml_1_2(tmp_path):
    text = "a: on\nb: 22:00\nc: 2026-01-01\nd: 1e3\ne:\nf: 007\ng: true\nON: 1\noff: 0x10\n"
    data = Document(write(tmp_path, text)).data
    expected = {"a": "on", "b": "22:00", "c": "2026-01-01", "d": 1000.0, "e": None, "f": "007"}
    assert data == {**expected, "g": True, "ON": 1, "off": 16}


def test_the_environment_is_put_into_every_string(tmp_path):
    text = "name: ${SITE}-${LINE:-line-1}$$-$${SITE}\nshapes: [{kind: circle, radius_m: '${R}'}]\nport: ${PORT:-1884}\n"
    document = Document(write(tmp_path, text), {"SITE": "north", "R": "2.5"})
    drawing = document.model(Drawing)
    assert drawing.name == "north-line-1$$-${SITE}"
    assert drawing.port == 1884
    assert drawing.shapes[0] == Circle(kind="circle", radius_m=2.5)


def test_variables_that_are_not_set_are_all_reported_with_their_lines(tmp_path):
    path = write(tmp_path, "name: ${SITE}\nport: ${PORT}\npassword: ${3}\n")
    with pytest.raises(ConfigError) as caught:
        Document(path, {})
    assert caught.value.problems == (
        f"{path}:1: name: environment variable SITE is not set; set it or give a default as ${{SITE:-…}}",
        f"{path}:2: port: environment variable PORT is not set; set it or give a default as ${{PORT:-…}}",
        f"{path}:3: password: ${{3}} is not an environment variable; write ${{NAME}}, or $${{ for a plain ${{",
    )


def test_an_error_shows_what_the_file_says_and_not_the_secret(tmp_path):
    document = Document(write(tmp_path, "name: n\nport: ${TOKEN}\n"), {"TOKEN": "hunter2"})
    with pytest.raises(ConfigError) as caught:
        document.model(Drawing)
    assert "hunter2" not in str(caught.value)
    assert "not '${TOKEN}'" in str(caught.value)


def test_a_secret_is_read_from_the_first_line_of_its_file(tmp_path):
    (tmp_path / "secret").write_text("s3cret\nnot this\n")
    assert resolve_secret(f"file:{tmp_path}/secret", {}) == "s3cret"
    assert resolve_secret("file:${FOLDER}/secret", {"FOLDER": str(tmp_path)}) == "s3cret"
    with pytest.raises(ConfigError, match="the secret file /nowhere/x cannot be read"):
        resolve_secret("file:/nowhere/x", {})


def test_a_secret_is_not_shown_when_the_settings_are_printed():
    assert "hunter2" not in repr(Drawing(name="n", password="hunter2"))


def test_an_empty_file_names_what_is_missing(tmp_path):
    assert problems(tmp_path, "") == [":1: name: is missing; add it"]

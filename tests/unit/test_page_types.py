"""The page's sources pass their type checker, with types from the OpenAPI document: the build strips them unseen."""

import runpy
from pathlib import Path

from setup.page_types import TYPES, types

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_sound_in_its_types() -> None:
    page = runpy.run_path(str(ROOT / "setup/page.py"))
    page["install"](page["WEB"])
    page["run"](page["WEB"], page["WEB"] / "node_modules/typescript/bin/tsc", "--noEmit")


def test_the_types_of_the_page_are_those_of_the_api() -> None:
    assert TYPES.read_text(encoding="utf-8") == types(), "the api has changed: run `make types`"


def test_the_logic_of_the_page_does_what_its_own_tests_say() -> None:
    page = runpy.run_path(str(ROOT / "setup/page.py"))
    tests = sorted((page["WEB"] / "test").glob("*.test.ts"))
    assert len(tests) >= 2
    page["run"](page["WEB"], "--test", *tests)

"""The page's sources pass their type checker: the build strips the types without a look at them."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_sound_in_its_types() -> None:
    page = runpy.run_path(str(ROOT / "setup/page.py"))
    page["install"](page["WEB"])
    page["run"](page["WEB"], page["WEB"] / "node_modules/typescript/bin/tsc", "--noEmit")


def test_the_logic_of_the_page_does_what_its_own_tests_say() -> None:
    page = runpy.run_path(str(ROOT / "setup/page.py"))
    tests = sorted((page["WEB"] / "test").glob("*.test.ts"))
    assert len(tests) >= 2
    page["run"](page["WEB"], "--test", *tests)

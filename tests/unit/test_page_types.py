"""The page's sources pass their type checker: the build strips the types without a look at them."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_sound_in_its_types() -> None:
    page = runpy.run_path(str(ROOT / "setup/page.py"))
    page["install"](page["WEB"])
    page["run"](page["WEB"], page["WEB"] / "node_modules/typescript/bin/tsc", "--noEmit")

"""hatch hook: a wheel or sdist carries the built page; an editable install builds it with `make`."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Builds api/static before the files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page; a wheel made from an sdist reuses the page inside it, without network."""
        del build_data
        root = Path(self.root)
        carried = (root / "PKG-INFO").exists() and (root / "api" / "static" / "index.html").exists()
        if version != "editable" and not carried:
            runpy.run_path(str(root / "setup" / "page.py"), run_name="__main__")

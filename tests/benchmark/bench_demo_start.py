"""(f) `twin demo` from nothing to the first live value on the page's API, everything already downloaded."""

import json
import time
import urllib.error
import urllib.request

from tests.benchmark.record import Result
from tests.journey.demo_process import Demo
from tests.servers import open_folder


def _live(page: str) -> bool:
    try:
        with urllib.request.urlopen(f"{page}v1/assets/factory/machining/mill-1/state", timeout=2) as answer:
            state = json.load(answer)
    except (urllib.error.URLError, OSError):
        return False
    return any(value["value"] is not None and value["fresh"] for value in state.get("signals", {}).values())


def measure() -> list[Result]:
    """Seconds from the command to the first fresh value of a mill."""
    with open_folder("start") as folder:
        started = time.monotonic()
        with Demo(folder) as demo:
            demo.wait_until(lambda: _live(demo.page), 120, "the first live value")
            took_s = time.monotonic() - started
    return [
        Result("f-demo-start", "make demo to the first live value, warm cache", took_s, "s", "≤ 20 s", took_s <= 20),
    ]

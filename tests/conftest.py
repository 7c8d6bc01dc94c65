"""What holds for every test: a skipped test is seen, and in CI only a known reason may skip one; who runs what."""

import os

import pytest

from tests.skips import ALLOWED_SKIPS

_skipped: list[tuple[str, str]] = []  # node id, reason


def pytest_runtest_logreport(report):
    _note(report)


def pytest_collectreport(report):
    _note(report)


def _note(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped.append((report.nodeid, reason.removeprefix("Skipped: ")))


def _forbidden():
    return [(node, reason) for node, reason in _skipped if reason not in ALLOWED_SKIPS.values()]


def pytest_sessionfinish(session, exitstatus):
    controller = not hasattr(session.config, "workerinput")
    if controller and os.environ.get("CI") == "true" and _forbidden() and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    write = terminalreporter.write_line
    reasons = [reason for _, reason in _skipped]
    for name, reason in ALLOWED_SKIPS.items():
        if reason in reasons:
            write(f"NOT TESTED ({name}): {reason} [{reasons.count(reason)} tests]", yellow=True, bold=True)
    for node, reason in _forbidden():
        write(f"SKIPPED WITHOUT LEAVE: {node}: {reason} (allowed reasons stand in tests/skips.py)", red=True, bold=True)


TOGETHER = ("tests/browser", "tests/store")  # one demo, one server of each edition for the whole folder


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Files go to the workers as these become free, a folder with one dear fixture as a whole."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::", 1)[0]
            return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)

    config.option.loadscopereorder = False  # the dear ones come first, not those with the most tests
    return ByFile(config, log)

"""Which configuration is in force, on disk. In: checked bundles, verdicts. Out: the path of the file to run under.

The file that the administrator wrote is never touched. Beside it a folder holds each accepted configuration in a folder
of its own, and `state.json`, replaced as a whole, says which one counts: a kill at any moment leaves one or the other.
"""

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from edge.bundle import CONFIGURATION, Bundle
from edge.config import AgentSettings, load_agent
from edge.probation import Before
from twin.errors import ConfigError
from twin.settings import Settings

logger = logging.getLogger(__name__)

_MOST_STARTS = 3  # of the process within one probation; then it counts as failed
Status = Literal["none", "unchanged", "refused", "probation", "in-force", "rolled-back", "changed-by-hand"]


class State(Settings):
    """What the agent remembers of configurations that came to it."""

    serial: int = 0  # of the newest that was decided on
    fingerprint: str = ""  # of its document
    status: Status = "none"  # what became of it
    detail: str = ""
    active: str | None = None  # folder of the configuration in force; none: the administrator's file
    former: str | None = None  # … to go back to, in probation
    base: str = ""  # fingerprint of the administrator's file when `active` was put in force
    starts: int = 0  # in this probation
    before: Before = Before()


class DesiredStore:
    """The folder of one agent."""

    def __init__(self, base: Path, folder: Path) -> None:
        self._base: Path = base
        self.folder: Path = folder
        self.inbox: Path = folder / "inbox.json"  # a bundle that was brought by hand
        self.state: State = self._read()

    def begin(self) -> AgentSettings:
        """The configuration to run under, at the start of the process or after a change.

        Raises:
            ConfigError: the one in force cannot be used, and there is none to go back to.
        """
        state = self.state
        if state.active is not None and state.base != self._base_fingerprint():
            detail = f"{self._base} was changed by hand and is in force again"
            logger.warning("%s; configuration %d is not", detail, state.serial)
            self.write(state.model_copy(update={"active": None, "status": "changed-by-hand", "detail": detail}))
        elif state.status == "probation" and state.starts >= _MOST_STARTS:
            self.roll_back(f"the agent ended {state.starts} times under it")
        elif state.status == "probation":
            self.write(state.model_copy(update={"starts": state.starts + 1}))
        try:
            return load_agent(self.path())
        except ConfigError as error:
            if self.state.status != "probation":
                raise
            self.roll_back(str(error))
            return load_agent(self.path())

    def path(self) -> Path:
        """The file in force."""
        return self._base if self.state.active is None else self.folder / self.state.active / CONFIGURATION

    def stage(self, bundle: Bundle) -> AgentSettings:
        """Write the bundle's files down and check them; nothing is in force by that.

        Raises:
            ConfigError: with every problem of the configuration, by its lines.
        """
        folder = self.folder / _name(bundle)
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in {**bundle.mappings, CONFIGURATION: bundle.configuration}.items():
            _write(folder / path, text.encode())
        try:
            return load_agent(folder / CONFIGURATION)
        except ConfigError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ConfigError(problem.replace(f"{folder}/", "") for problem in error.problems) from error

    def try_out(self, bundle: Bundle, then: Before) -> None:
        """Put a staged bundle in force, on probation."""
        self.write(
            State(
                serial=bundle.serial,
                fingerprint=bundle.fingerprint,
                status="probation",
                detail="must show that it is as good as the one before",
                active=_name(bundle),
                former=self.state.active,
                base=self._base_fingerprint(),
                before=then,
            )
        )

    def conclude(self, bundle: Bundle, status: Status, detail: str) -> None:
        """A bundle was decided on and changes nothing."""
        shutil.rmtree(self.folder / _name(bundle), ignore_errors=True)
        decided = {"serial": bundle.serial, "fingerprint": bundle.fingerprint, "status": status, "detail": detail}
        self.write(self.state.model_copy(update=decided))

    def accept(self) -> None:
        """The probation is over."""
        logger.info("configuration %d has proved itself and stays", self.state.serial)
        self.write(self.state.model_copy(update={"status": "in-force", "detail": "", "former": None, "starts": 0}))

    def roll_back(self, why: str) -> None:
        """The configuration before is in force again."""
        logger.error("configuration %d is rolled back: %s", self.state.serial, why)
        back = {"status": "rolled-back", "detail": why, "active": self.state.former, "former": None, "starts": 0}
        self.write(self.state.model_copy(update=back))

    def write(self, state: State) -> None:
        """Replace the state, and remove what it no longer needs."""
        _write(self.folder / "state.json", state.model_dump_json(indent=1).encode())
        self.state = state
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name not in (state.active, state.former):
                shutil.rmtree(folder, ignore_errors=True)

    def _read(self) -> State:
        try:
            return State.model_validate(json.loads((self.folder / "state.json").read_bytes()))
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, ValidationError) as error:
            remedy = f"remove the folder to begin with {self._base}"
            raise ConfigError(f"{self.folder}/state.json: cannot be read ({error}); {remedy}") from error

    def _base_fingerprint(self) -> str:
        return hashlib.sha256(self._base.read_bytes()).hexdigest() if self._base.exists() else ""


def folder_of(config: Path, settings: AgentSettings) -> Path:
    """Where an agent keeps the configurations that came to it."""
    chosen = settings.desired.folder if settings.desired is not None else None
    return chosen or config.with_name(f"{config.name}.desired")


def _name(bundle: Bundle) -> str:
    return f"serial-{bundle.serial}"


def _write(path: Path, content: bytes) -> None:
    """As a whole and on disk, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

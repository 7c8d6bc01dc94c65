"""Which configuration is in force, whatever happens to the process in between."""

from pathlib import Path

import pytest

from edge.bundle import Bundle, new_key
from edge.config import load_agent
from edge.desired_store import DesiredStore, folder_of
from edge.probation import Before
from edge.rollout import is_news, unfit
from twin.errors import ConfigError, Rejected

KEY = new_key()[1]
TEXT = """\
node: gate-7
broker: {{host: broker.example}}
spool: {{path: spool.db, linger_ms: {linger}}}
desired: {{public_key: {key}}}
sources:
  - kind: mqtt
    name: gates
    broker: {{host: broker.example}}
    topics:
      - {{mapping: own.yaml, asset: terminal/gates}}
"""
MAPPING = "topic: a/b\nsignals: {queue: {}}\n"


def text(linger: int) -> str:
    return TEXT.format(linger=linger, key=KEY)


def bundle(serial: int, **more) -> Bundle:
    of = {"configuration": text(serial), "mappings": {"own.yaml": MAPPING}, "fingerprint": f"of-{serial}", **more}
    return Bundle("gate-7", serial, **of)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "own.yaml").write_text(MAPPING)
    path = tmp_path / "edge.yaml"
    path.write_text(text(1000))
    return path


def store(base: Path) -> DesiredStore:
    return DesiredStore(base, folder_of(base, load_agent(base)))


def linger(found: DesiredStore) -> float:
    return found.begin().spool.linger_ms


def tried(base: Path, serial: int) -> DesiredStore:
    found = store(base)
    found.stage(bundle(serial))
    found.try_out(bundle(serial), Before(connected=("gates",)))
    return found


def test_nothing_has_come_and_the_administrators_file_is_in_force(base: Path):
    assert linger(store(base)) == 1000
    assert not store(base).folder.exists()


def test_what_is_tried_out_and_accepted_stays_after_a_restart_and_the_file_is_untouched(base: Path):
    before = base.read_text()
    assert linger(tried(base, 7)) == 7
    store(base).accept()
    for _ in range(9):
        assert linger(store(base)) == 7
    assert base.read_text() == before
    assert (store(base).state.status, store(base).state.former) == ("in-force", None)


def test_what_is_rolled_back_gives_way_to_the_one_before_it(base: Path):
    tried(base, 7).accept()
    assert linger(tried(base, 8)) == 8
    store(base).roll_back("worse")
    again = store(base)
    assert linger(again) == 7
    assert (again.state.serial, again.state.status, again.state.detail) == (8, "rolled-back", "worse")
    assert [path.name for path in again.folder.iterdir() if path.is_dir()] == ["serial-7"]


def test_one_under_which_the_process_ends_again_and_again_is_rolled_back(base: Path):
    tried(base, 7)
    assert [linger(store(base)) for _ in range(5)] == [7, 7, 7, 1000, 1000]
    assert store(base).state.detail == "the agent ended 3 times under it"


def test_one_that_cannot_be_read_any_more_in_its_probation_is_rolled_back(base: Path):
    found = tried(base, 7)
    found.path().write_text("node: [")
    assert linger(store(base)) == 1000
    assert "not valid YAML" in store(base).state.detail


def test_the_administrators_file_counts_again_when_it_was_changed_after(base: Path):
    tried(base, 7).accept()
    base.write_text(text(500))
    assert linger(store(base)) == 500
    assert linger(store(base)) == 500
    assert store(base).state.status == "changed-by-hand"
    assert linger(tried(base, 8)) == 8


def test_a_kill_between_staging_and_the_state_leaves_the_former_in_force(base: Path):
    tried(base, 7).accept()
    store(base).stage(bundle(8))
    assert linger(store(base)) == 7
    tried(base, 9).accept()
    assert [path.name for path in store(base).folder.iterdir() if path.is_dir()] == ["serial-9"]


def test_a_wrong_configuration_is_told_by_its_lines_and_leaves_nothing(base: Path):
    found = store(base)
    with pytest.raises(ConfigError) as caught:
        found.stage(bundle(7, configuration=text(7).replace("kind: mqtt", "kind: mqqt")))
    assert caught.value.problems[0].startswith("edge.yaml:")
    with pytest.raises(ConfigError, match=r"own\.yaml"):
        found.stage(bundle(7, mappings={}))
    assert list(found.folder.iterdir()) == []
    assert linger(store(base)) == 1000


def test_only_what_is_newer_and_for_this_node_is_news(base: Path):
    found = tried(base, 7)
    assert not is_news(bundle(7), found, "gate-7")
    assert is_news(bundle(8), found, "gate-7")
    for wrong, reason in ((bundle(6), "old-serial"), (bundle(7, fingerprint="x"), "old-serial")):
        with pytest.raises(Rejected) as caught:
            is_news(wrong, found, "gate-7")
        assert caught.value.reason == reason
    with pytest.raises(Rejected) as caught:
        is_news(bundle(8), found, "gate-8")
    assert caught.value.reason == "other-node"


def test_one_of_another_node_without_the_key_or_with_another_spool_is_unfit(base: Path):
    present = load_agent(base)
    assert unfit(present, present) == ""
    for old, new, why in (
        ("gate-7", "gate-8", "sign the right file"),
        (f"desired: {{public_key: {KEY}}}\n", "", "desired: is missing"),
        ("spool.db", "other.db", "what waits in spool.db would stay there"),
    ):
        base.write_text(text(1).replace(old, new))
        assert why in unfit(load_agent(base), present)


def test_a_state_that_cannot_be_read_is_told_and_not_guessed(base: Path):
    tried(base, 7)
    (store(base).folder / "state.json").write_text("{")
    with pytest.raises(ConfigError, match="remove the folder"):
        store(base)

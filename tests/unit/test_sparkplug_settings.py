"""Which metric is which signal: captures, the default, and what a configuration may not say."""

from pathlib import Path

import pytest

from twin.commands.check import check_folder
from twin.errors import ConfigError
from twin.ingest.sparkplug_settings import Naming, SignalRule, SparkplugSettings
from twin.settings import load

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def path(where: tuple[str, str, str, str], **rule: str) -> str:
    return Naming((SignalRule(**rule),) if rule else ()).named(*where).path


def test_without_a_rule_the_names_become_the_path() -> None:
    assert path(("Factory", "Line 1", "Mill_1", "Spindle/Temp (C)")) == "factory/line-1/mill-1/spindle/temp-c"
    assert path(("Factory", "Line 1", "", "Power")) == "factory/line-1/power"


def test_captures_are_put_into_the_path_in_lower_case() -> None:
    where = ("G", "N", "MILL-1", "Spindle/Speed")
    assert (
        path(where, device="{unit}", metric="Spindle/{what}", signal="factory/{unit}/{what}") == "factory/mill-1/speed"
    )
    assert path(where, metric="{all...}", signal="{all}") == "spindle/speed"
    assert path(where, metric="{one}", signal="x/{one}") == "g/n/mill-1/spindle/speed"  # does not fit: the default


def test_the_first_rule_that_fits_counts_and_gives_its_unit() -> None:
    rules = (
        SignalRule(metric="Power", signal="a/power", unit="kW"),
        SignalRule(metric="{m}", signal="b/{m}"),
    )
    assert Naming(rules).named("g", "n", "", "Power") == ("a/power", "kW")
    assert Naming(rules).named("g", "n", "", "Other") == ("b/other", None)
    assert Naming(rules).named("g", "n", "d", "Other") == ("b/other", None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("signals: [{metric: '{a}', signal: 'x/{b}'}]", "{b}, which nothing captures"),
        ("signals: [{node: '{a}', metric: '{a}', signal: 'x/{a}'}]", "{a} is captured twice"),
        ("host: a/b", "cannot name a host"),
        ("groups: ['#']", "cannot name a group"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(file, SparkplugSettings)
    assert complaint in str(error.value)
    assert f"{file}:1" in str(error.value)


def test_a_rule_for_a_signal_that_does_not_exist_is_found_by_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FABRIQUAY_DSN", "FABRIQUAY_BROKER_PASSWORD"):
        monkeypatch.setenv(name, "x")
    (tmp_path / "plant.yaml").write_text((CONFIGS / "plant.yaml").read_text())
    rule = "\nsparkplug: { signals: [{ metric: Power, signal: factory/nowhere/power }] }\n"
    (tmp_path / "twin.yaml").write_text((CONFIGS / "twin.yaml").read_text() + rule)
    with pytest.raises(ConfigError, match="'factory/nowhere/power' is not in"):
        check_folder(tmp_path)

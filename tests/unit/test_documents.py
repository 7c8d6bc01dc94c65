"""The documents name only what exists."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "document", ["docs/data-path.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs/decisions").glob("*.md"))]
)
def test_every_file_that_a_document_names_exists(document: str) -> None:
    named = re.findall(r"`((?:twin|edge|api|configs|tests|docs)/[\w./-]+)`", (ROOT / document).read_text())
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_readme_links_only_to_what_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_the_compose_file_names_only_commands_and_files_that_exist() -> None:
    from typer.testing import CliRunner

    from twin.commands.cli import app

    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    own = {name: service for name, service in services.items() if "fabriquay" in str(service.get("image", ""))}
    assert {"run", "api", "migrate", "edge"} <= set(own)
    for service in own.values():
        words = [word for word in service["command"] if not word.startswith(("-", "/"))]
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0
        config = next(word for word in service["command"] if word.startswith("/etc/fabriquay/"))
        assert (ROOT / "configs" / Path(config).name).exists()


def test_the_lock_files_carry_hashes_and_no_addresses() -> None:
    locks = sorted((ROOT / "setup").glob("*.lock"))
    assert len(locks) >= 5
    for lock in locks:
        assert "://" not in lock.read_text()
        assert "--hash=sha256:" in lock.read_text()
    npm = [ROOT / "api/web/package-lock.json", *ROOT.glob("tests/peers/*/package-lock.json")]
    assert len(npm) >= 5
    for lock in npm:
        packages = lock.read_text()
        assert "://" not in packages
        assert '"integrity": "sha512-' in packages


def test_the_page_is_built_again_only_when_a_source_changed() -> None:
    page = runpy.run_path(str(ROOT / "setup/page.py"))
    assert (ROOT / "api/static/.built-from").read_text() == page["fingerprint"]()

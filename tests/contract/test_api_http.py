import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.access.rules import RULES, Rule
from api.app import create_app
from api.security import HEADERS
from api.serve import listen, serve
from tests.contract.api_server import MILL, PLANT, api_settings, running_api
from twin.errors import ConfigError
from twin.plant.load import load_plant


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem document, checked for what every one of them holds."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"urn:fabriquay:problem:{name}"
    assert document["status"] == status
    assert document["instance"] == answer.request.url.path
    assert document["title"]
    assert document["detail"]
    assert document["do"]
    assert HEADERS.items() <= {name: answer.headers.get(name) for name in HEADERS}.items()
    return document


@pytest.mark.parametrize(
    "path", ["/nope", "/v1", "/v1/nope", "/v1/plant/", "/v1/assets//state", "/assets/../../etc/passwd"]
)
async def test_an_unknown_address_is_a_404_problem(path: str) -> None:
    async with running_api(api_settings(static=Path("/nonexistent"))) as api:
        answer = await api.http.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_does_not_fit_is_a_405_problem_that_names_those_that_do() -> None:
    async with running_api(api_settings()) as api:
        for path in ("/v1/plant", f"/v1/assets/{MILL}/state", "/healthz"):
            for method in ("POST", "PUT", "DELETE", "PATCH", "QUERY"):
                answer = await api.http.request(method, path)
                problem(answer, 405, "method-not-allowed")
                assert "GET" in answer.headers["allow"]


async def test_an_unknown_asset_is_a_404_problem_that_suggests_the_nearest() -> None:
    async with running_api(api_settings()) as api:
        answer = await api.http.get("/v1/assets/factory/machining/mil-1/state")
        assert repr(MILL) in problem(answer, 404, "unknown-asset")["do"]
        problem(await api.http.get("/v1/states", params={"under": "nowhere"}), 404, "unknown-asset")


async def test_a_bug_is_a_500_problem_and_the_api_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "GET /v1/broken", Rule())
    settings = api_settings()
    async with running_api(settings) as api:

        async def broken() -> None:
            raise ZeroDivisionError

        api.app.get("/v1/broken")(broken)
        api.app.router.routes.insert(0, api.app.router.routes.pop())
        with caplog.at_level(logging.CRITICAL):
            document = problem(await api.http.get("/v1/broken"), 500, "internal-error")
        assert "ZeroDivisionError" in document["detail"]
        assert (await api.http.get("/healthz")).json() == {"status": "ok"}


async def test_without_store_and_broker_it_lives_but_is_not_ready_and_says_why() -> None:
    async with running_api(api_settings()) as api:
        assert (await api.http.get("/healthz")).status_code == 200
        answer = await api.http.get("/readyz")
        detail = problem(answer, 503, "not-ready")["detail"]
        assert "store: " in detail
        assert "broker: " in detail
        assert answer.headers["retry-after"]
        assert (await api.http.get("/v1/plant")).status_code == 200
        never = (await api.http.get(f"/v1/assets/{MILL}/state")).json()
        assert never["freshness"]["reason"] == "never"
        assert never["health"] == "unknown"


async def test_the_plant_is_complete_and_revalidates() -> None:
    plant = load_plant(PLANT)
    async with running_api(api_settings()) as api:
        answer = await api.http.get("/v1/plant")
        document = answer.json()
        assert document["revision"] == plant.revision
        assert [asset["path"] for asset in document["assets"]] == [asset.path for asset in plant.assets]
        signals = [signal["path"] for asset in document["assets"] for signal in asset["signals"]]
        assert sorted(signals) == sorted(signal.path for signal in plant.signals)
        assert len(document["flow"]) == len(plant.flow)
        again = await api.http.get("/v1/plant", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_on_loopback_a_foreign_host_name_is_refused() -> None:
    async with running_api(api_settings(allowed_hosts=("Twin.Example",))) as api:
        for host in ("evil.example", f"evil.example:{api.port}", "", "127.0.0.1.evil.example"):
            answer = await api.http.get("/v1/plant", headers={"Host": host})
            assert answer.status_code == 421, host
            assert answer.json()["type"].endswith(":misdirected-request")
        for host in ("localhost", f"127.0.0.1:{api.port}", "[::1]:80", "twin.example:443"):
            assert (await api.http.get("/v1/plant", headers={"Host": host})).status_code == 200, host


async def test_every_answer_carries_the_security_headers() -> None:
    async with running_api(api_settings()) as api:
        for path in ("/", "/v1/plant", "/v1/states", "/healthz", "/metrics", "/openapi.json"):
            answer = await api.http.get(path)
            assert HEADERS.items() <= {name: answer.headers.get(name) for name in HEADERS}.items(), path
            assert "server" not in answer.headers


async def test_requests_are_measured_by_route_and_never_by_what_somebody_made_up() -> None:
    async with running_api(api_settings()) as api:
        await api.http.get(f"/v1/assets/{MILL}/state")
        await api.http.request("MADEUP", "/made/up")
        text = (await api.http.get("/metrics")).text
        assert 'route="/v1/assets/{path:path}/state",status="200"' in text
        assert "MADEUP" not in text
        assert "made/up" not in text


async def test_without_a_built_page_the_root_says_how_to_build_it(tmp_path: Path) -> None:
    async with running_api(api_settings(static=tmp_path / "none")) as api:
        answer = await api.http.get("/")
        assert answer.headers["content-type"].startswith("text/html")
        assert "make page" in answer.text


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "assets" / "index-4f2a.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


async def test_the_page_is_always_asked_for_again_and_its_hashed_files_never(built: Path) -> None:
    async with running_api(api_settings(static=built)) as api:
        page = await api.http.get("/")
        assert page.text.startswith("<!doctype html>")
        assert page.headers["cache-control"] == "no-cache"
        assert page.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
        asset = await api.http.get("/assets/index-4f2a.js")
        assert "immutable" in asset.headers["cache-control"]
        assert "javascript" in asset.headers["content-type"]
        again = await api.http.get("/", headers={"If-None-Match": page.headers["etag"]})
        assert again.status_code == 304
        assert (await api.http.head("/")).status_code == 200
        problem(await api.http.get("/assets/index-old.js"), 404, "not-found")


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/a%00b"])
async def test_nothing_outside_the_page_folder_is_served(built: Path, path: str) -> None:
    async with running_api(api_settings(static=built)) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert b" 404 " in answer.splitlines()[0]
        assert b"secret" not in answer.partition(b"\r\n\r\n")[2].replace(b"secret.txt", b"")


async def test_an_address_that_is_taken_is_a_configuration_problem() -> None:
    async with running_api(api_settings()) as api:
        settings = api_settings().model_copy(update={"port": api.port})
        with pytest.raises(ConfigError, match="choose others"):
            listen(settings)


async def test_a_bug_in_the_background_ends_the_server_so_that_its_supervisor_sees_it() -> None:
    settings = api_settings()
    app = create_app(settings)
    serving = asyncio.create_task(serve(app, settings, listen(settings)))
    app.state.parts.hub._paces = None
    with pytest.raises(AttributeError):
        async with asyncio.timeout(10):
            await serving

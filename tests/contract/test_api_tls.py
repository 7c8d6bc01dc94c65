"""TLS by configuration: the cookie is Secure and of this host alone, clients may need a certificate."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.serve import listen, serve
from api.settings import ApiSettings
from tests.certificates import Authority
from tests.contract.api_server import LOOK, PASSWORD, add_user, api_settings
from tests.contract.conftest import Database
from twin.access.settings import TlsSettings
from twin.errors import ConfigError


async def test_over_tls_the_cookie_is_secure_and_a_client_without_certificate_is_refused(
    tmp_path: Path, database: Database
) -> None:
    authority = Authority(tmp_path)
    issued, client = authority.server("api"), authority.client("wall-screen")
    tls = TlsSettings(certificate=issued.certificate, key=issued.key, client_ca=authority.ca)
    context = ssl.create_default_context(cafile=str(authority.ca))
    stranger = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(client.certificate, client.key)
    settings = api_settings(dsn=database.dsn, access=LOOK, tls=tls)
    app, listener = create_app(settings), listen(settings)
    base = f"https://localhost:{listener.getsockname()[1]}"
    serving = asyncio.create_task(serve(app, settings, listener))
    try:
        await app.state.parts.link.opened()
        await add_user(app.state.parts.link.store, "Kim", "engineer")
        async with httpx.AsyncClient(base_url=base, verify=context, timeout=30) as page:
            headers = {"Origin": base}
            answer = await page.post("/v1/session", json={"name": "Kim", "password": PASSWORD}, headers=headers)
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-fabriquay_session=")
            assert "Secure" in cookie
            assert answer.headers["strict-transport-security"]
            assert (await page.get("/v1/session")).json()["name"] == "Kim"
        async with httpx.AsyncClient(base_url=base, verify=stranger) as other:
            with pytest.raises(httpx.TransportError):
                await other.get("/healthz")
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize("wrong", ["missing", "foreign"])
async def test_a_certificate_that_cannot_be_used_is_a_configuration_problem(tmp_path: Path, wrong: str) -> None:
    authority = Authority(tmp_path)
    one, other = authority.server("one"), authority.server("other")
    key = tmp_path / "none.key" if wrong == "missing" else other.key
    settings: ApiSettings = api_settings(tls=TlsSettings(certificate=one.certificate, key=key))
    with pytest.raises(ConfigError, match=r"api\.tls: .*check the certificate"):
        await serve(create_app(settings), settings, listen(settings))

"""`twin doctor`, the api: what `/readyz` says where the settings put it. In: settings. Out: checks."""

import http.client
import json
import ssl
from typing import Any

from twin.commands.diagnosis import Check, ok, problem, skipped, warning
from twin.commands.settings import ApiAddress, TwinSettings

TIMEOUT_S = 5.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 – where it listens on all, it answers on the loopback


def check_api(settings: TwinSettings) -> list[Check]:
    """Ask once; blocks."""
    address = settings.api
    where = f"{'https' if address.tls else 'http'}://{address.host}:{address.port}"
    if address.tls is not None and address.tls.client_ca is not None:
        do = f"ask {where}/readyz with a certificate of your own"
        return [skipped("api", f"{where} wants a client's certificate", do)]
    try:
        status, body = _ask(address)
    except (OSError, http.client.HTTPException, ValueError) as error:
        do = "start twin api, or correct api.host and api.port if it runs elsewhere"
        return [problem("api", f"{where} does not answer: {error}", do)]
    return [_meaning(where, status, body)]


def _ask(address: ApiAddress) -> tuple[int, dict[str, Any]]:
    host = _ANY.get(address.host, address.host)
    if address.tls is None:
        connection = http.client.HTTPConnection(host, address.port, timeout=TIMEOUT_S)
    else:
        trusted = ssl.create_default_context(cafile=str(address.tls.certificate))
        trusted.check_hostname = False  # it is asked by its address; its file says who it is
        trusted.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        connection = http.client.HTTPSConnection(host, address.port, timeout=TIMEOUT_S, context=trusted)
    try:
        connection.request("GET", "/readyz", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _meaning(where: str, status: int, body: dict[str, Any]) -> Check:
    if status != 200:
        return problem("api", f"{where}: {body.get('detail', status)}", str(body.get("do", "look into its log")))
    feed = body["parts"]["feed"]
    if body["status"] == "degraded":
        return warning("api", f"{where}: {feed['detail']}", "start twin run, or look into its log")
    return ok("api", f"{where} is ready, its feed is {feed['status']}")

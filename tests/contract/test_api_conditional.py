"""ETags and If-None-Match: on a store every answer that may be kept, and the rules of RFC 9110 without one."""

import pytest

from api.board import Noun
from api.conditional import is_known
from tests.contract.alarm_samples import alarms
from tests.contract.api_samples import START_NS
from tests.contract.api_server import MILL, Api, api_settings, running_api, state_document
from tests.contract.conftest import Database
from twin.store.connect import open_store

HOUR = {"start": "2026-03-02T00:00:00Z", "end": "2026-03-02T01:00:00Z"}
UNKNOWN = "/v1/scenarios/{id}"  # nobody has asked


def kept(api: Api) -> list[str]:
    """The addresses whose answers may be kept, as the OpenAPI document says."""
    paths = api.app.openapi()["paths"]
    return [path for path, methods in paths.items() if "304" in methods.get("get", {}).get("responses", {})]


async def test_whatever_may_be_kept_is_not_sent_again_while_it_is_unchanged(database: Database) -> None:
    async with open_store(database.dsn) as store:
        alarm = await alarms(store).anomaly(START_NS)
    async with running_api(api_settings(dsn=database.dsn)) as api:
        await api.parts.link.opened()
        api.parts.board.put(Noun.ASSET, MILL, state_document(MILL))
        addresses = kept(api)
        assert len(addresses) > 20
        for template in addresses:
            path = f"{MILL}/power" if "/signals/" in template else MILL
            address = template.replace("{path}", path).replace("{alarm}", str(alarm)).replace("{id}", "none")
            place = "asset" if template in ("/v1/lineage", "/v1/findings", "/v1/maintenance-events") else "under"
            first = await api.http.get(address, params={place: MILL, **HOUR})
            if template == UNKNOWN:
                assert (first.status_code, "etag" in first.headers) == (404, False), template
                continue
            assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache"), template
            tag = first.headers["etag"]
            assert tag.startswith('W/"'), template
            again = await api.http.get(address, params={place: MILL, **HOUR}, headers={"If-None-Match": tag})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), template
            assert "content-type" not in again.headers, template
            other = await api.http.get(address, params={place: MILL, **HOUR}, headers={"If-None-Match": '"other"'})
            assert (other.status_code, bool(other.content)) == (200, True), template


async def test_who_may_do_what_and_streams_and_refusals_are_kept_by_nobody(database: Database) -> None:
    async with running_api(api_settings(dsn=database.dsn)) as api:
        await api.parts.link.opened()
        await api.sign_in("root", "admin")
        stream = (f"/v1/signals/{MILL}/power/series", {"format": "csv", **HOUR})
        for address, query in (
            *((f"/v1/{one}", {}) for one in ("session", "users", "keys", "audit")),
            stream,
            ("/v1/states", {"under": "nowhere"}),
        ):
            answer = await api.http.get(address, params=query, headers={"If-None-Match": "*"})
            assert "etag" not in answer.headers, address
            assert answer.headers["cache-control"] == "no-store", address
            assert answer.content, address


async def test_a_state_that_changes_has_another_tag_and_the_clock_alone_does_not_change_it() -> None:
    async with running_api(api_settings()) as api:
        api.parts.board.put(Noun.ASSET, MILL, state_document(MILL))
        first = await api.http.get("/v1/states")
        again = await api.http.get("/v1/states")
        assert first.json()["feed"]["at"] != again.json()["feed"]["at"]
        assert first.headers["etag"] == again.headers["etag"]
        tag = {"If-None-Match": first.headers["etag"]}
        assert (await api.http.get("/v1/states", headers=tag)).status_code == 304
        api.parts.board.put(Noun.ASSET, MILL, state_document(MILL, seq=2, value=40.0))
        changed = await api.http.get("/v1/states", headers=tag)
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]


async def test_the_tag_is_the_same_however_the_answer_is_compressed() -> None:
    async with running_api(api_settings()) as api:
        tags = set[str]()
        for encoding in ("identity", "gzip", "zstd"):
            answer = await api.http.get("/v1/plant", headers={"Accept-Encoding": encoding})
            assert answer.headers.get("content-encoding", "identity") == encoding
            assert {"accept-encoding", "cookie"} <= set(answer.headers["vary"].lower().split(", "))
            tags.add(answer.headers["etag"])
        (tag,) = tags
        headers = {"Accept-Encoding": "zstd", "If-None-Match": f'"a", {tag}'}
        assert (await api.http.get("/v1/plant", headers=headers)).status_code == 304


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ('W/"a"', True),
        ('"a"', True),  # weak comparison
        ('"b" ,W/"a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ('W/"ab"', False),
        (",", False),
    ],
)
def test_if_none_match_is_compared_weakly(given: str, *, known: bool) -> None:
    assert is_known('W/"a"', given) is known

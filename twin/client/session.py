"""One connection to the api: requests, problem documents as errors, tables as frames."""

import os
from collections.abc import Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import quote

import httpx
import pyarrow
import pyarrow.ipc  # pyright: ignore[reportUnusedImport] – an attribute of pyarrow from here on

pa = cast("Any", pyarrow)  # it has no types

Frames = Literal["pandas", "polars", "arrow"]
ARROW = "application/vnd.apache.arrow.stream"


class ApiProblem(Exception):
    """The api could not answer; `status` 0: it was not reached.

    `kind` is the stable name of the problem (the end of its `type`), `do` says what to do about it.
    """

    def __init__(self, status: int, kind: str, detail: str, do: str) -> None:
        super().__init__(f"{detail}; {do}" if do else detail)
        self.status: int = status
        self.kind: str = kind
        self.detail: str = detail
        self.do: str = do


class Session:
    """Requests to one api; use as a context manager, or `close` it.

    Args:
        url: of the api, with or without a path in front of `/v1`.
        key: an API key; default: the environment variable FABRIQUAY_API_KEY, where it is set.
        frames: what tables become.
        timeout_s: of one request.
    """

    def __init__(self, url: str, key: str | None = None, frames: Frames = "pandas", timeout_s: float = 60.0) -> None:
        key = key or os.environ.get("FABRIQUAY_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http: httpx.Client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s)
        self._frames: Frames = frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def json(self, path: str, asked: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 – a JSON document
        """GET a document."""
        return self._ask("GET", path, asked, "application/json").json()

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401
        """POST a document; the answer's document."""
        return self._ask("POST", path, None, "application/json", body).json()

    def table(self, path: str, asked: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 – a frame
        """GET a table as a frame of the chosen kind."""
        answer = self._ask("GET", path, asked, ARROW)
        return self.frame(pa.ipc.open_stream(answer.content).read_all())

    def frame(self, table: Any) -> Any:  # noqa: ANN401
        """An Arrow table as a frame of the chosen kind."""
        if self._frames == "arrow":
            return table
        return table.to_pandas() if self._frames == "pandas" else import_module("polars").from_arrow(table)

    def _ask(
        self, method: str, path: str, asked: Mapping[str, object] | None, wanted: str, body: object = None
    ) -> httpx.Response:
        given = {name: str(value) for name, value in (asked or {}).items() if value is not None}
        headers = {"Accept": f"{wanted}, application/problem+json;q=0.1"}
        try:
            answer = self._http.request(method, path, params=given, headers=headers, json=body)
        except httpx.HTTPError as error:
            why = "is the address right, and does the api run?"
            raise ApiProblem(0, "not-reached", f"{self._http.base_url}: {error}", why) from error
        if answer.is_error:
            raise _problem(answer)
        return answer


def at_path(*words: str) -> str:
    """A path of the api; slashes inside a word stay, everything else is quoted."""
    return "/v1/" + "/".join(quote(word, safe="/") for word in words)


def _problem(answer: httpx.Response) -> ApiProblem:
    try:
        told: Mapping[str, Any] = answer.json()
    except ValueError:
        return ApiProblem(answer.status_code, "no-problem-document", answer.text[:200], "")
    errors = "; ".join(f"{one['field']}: {one['problem']}" for one in told.get("errors", ()))
    detail = f"{told.get('detail', '')}{f' ({errors})' if errors else ''}"
    return ApiProblem(answer.status_code, str(told.get("type", "")).rsplit(":", 1)[-1], detail, str(told.get("do", "")))

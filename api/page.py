"""The web page: the files that the build wrote to `static`, or a plain page that says how to build them.

`index.html` is always asked for again, files under `assets/` carry a hash in their name and are kept for ever.
"""

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from api.settings import ApiSettings

REVALIDATE = "no-cache"
IMMUTABLE = "public, max-age=31536000, immutable"
NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Fabriquay</title>
<h1>The page is not built yet</h1>
<p>Build it once with <code>make page</code>, then reload. It needs no Node.js of your own.</p>
<p>The API works without it: <a href="/openapi.json">/openapi.json</a>, <a href="/v1/plant">/v1/plant</a>,
<a href="/v1/states">/v1/states</a>, <a href="/readyz">/readyz</a>.</p>
</html>
"""


def install(app: FastAPI, settings: ApiSettings) -> None:
    """Serve the page below "/", behind every other route."""
    files = StaticFiles(directory=settings.static, check_dir=False, html=True)
    router = APIRouter(include_in_schema=False)

    @router.get("/{path:path}")
    @router.head("/{path:path}")
    async def file(request: Request, path: str) -> Response:
        if not (settings.static / "index.html").is_file():
            if path in ("", "index.html"):
                return HTMLResponse(NOT_BUILT, headers={"Cache-Control": REVALIDATE})
            raise HTTPException(404, "there is nothing here")
        response = await files.get_response(files.get_path({**request.scope, "root_path": ""}), request.scope)
        response.headers["Cache-Control"] = IMMUTABLE if path.startswith("assets/") else REVALIDATE
        return response

    app.include_router(router)

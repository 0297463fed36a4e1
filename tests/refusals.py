"""What every refusal of a service must look like, and whether one left anything behind."""

from typing import Any

import httpx

from mystira.http.problems import CODES, MEDIA_TYPE, TYPE
from tests.serving import Api

MEMBERS = {
    "type",
    "title",
    "status",
    "detail",
    "code",
    "instance",
    "correlationId",
    "path",
    "errors",
    "reasons",
    "findings",
    "bundles",
}


def check_problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem document, if it is one in every member; fails the test if it is not."""
    assert 400 <= answer.status_code < 600, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = answer.json()
    code = CODES[body["code"]]
    assert answer.status_code == body["status"] == code.status, body
    assert (body["type"], body["title"]) == (TYPE + code.code, code.title)
    assert body["detail"]
    assert body["instance"] == answer.request.url.path or len(body["instance"]) == 500
    assert body["correlationId"] == answer.headers["x-correlation-id"]
    assert body.keys() <= MEMBERS
    if "path" in body:
        mistake = {"path": body["path"], "code": body["code"], "message": body["detail"]}
        assert body["errors"] == [mistake]
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return body


async def written(api: Api) -> list[object]:
    """Where the change logs stand: the same before and after means that nothing was written."""
    stores = (api.platform.documents, api.platform.tables)
    kinds = [placement.kind for placement in api.platform.family.values()]
    return [await store.head(kind) for store in stores for kind in kinds]

"""What a control's exceptions become: the answer follows from the class of the error."""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from goop2.config import SettingsError
from goop2.config.editing import SettingsConflictError, UnknownSettingError
from goop2.net.faults import AddressError, UnreachableError
from goop2.scripting.invocation import ErrorCode
from goop2.web.console.controls.replies import route

GATEWAY: Mapping[ErrorCode, int] = {ErrorCode.UNAVAILABLE: 502}


async def answered(error: Exception, **options: object) -> tuple[int, str, str]:
    """Return status, code and message of the answer of a control that raises this."""

    async def control(_request: Request) -> Response:
        raise error

    application = Starlette(routes=[route("/x", control, **options)])  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://console") as client:
        answer = await client.get("/x")
    told = json.loads(answer.content)
    return answer.status_code, told["code"], told["message"]


@pytest.mark.parametrize(
    ("error", "status", "code", "words"),
    [
        (SettingsError("goop.json: lua.enabled is 5"), 400, "bad_request", "lua.enabled is 5"),
        (UnknownSettingError("lua.colour"), 400, "bad_request", "lua.colour is no setting"),
        (SettingsConflictError(), 409, "conflict", "save again"),
        (AddressError("no address"), 400, "bad_request", "no address"),
        (UnreachableError("bob cannot be reached"), 503, "unavailable", "bob cannot be reached"),
    ],
)
async def test_an_error_is_answered_by_the_code_of_its_class(error: Exception, status: int, code: str, words: str) -> None:
    told = await answered(error)
    assert told[:2] == (status, code)
    assert words in told[2]


async def test_a_control_may_have_another_status_for_a_class_and_no_other_changes() -> None:
    assert (await answered(UnreachableError("bob cannot be reached"), statuses=GATEWAY))[0] == 502
    assert (await answered(AddressError("no address"), statuses=GATEWAY))[0] == 400


async def test_an_error_without_a_code_is_a_mistake_of_ours() -> None:
    with pytest.raises(ZeroDivisionError):
        await answered(ZeroDivisionError())

"""How a tab gets the console's token, over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.web.served import Answer, Served, served

from goop2.web.console.tab_codes import proof_of
from goop2.web.http.local_users import LocalUsers

OTHER_USER = 4711


async def asked(up: Served, path: str, body: object = None, token: str = "", **headers: str) -> Answer:
    if token:
        headers["authorization"] = f"Bearer {token}"
    method, sent = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
    return await up.ask(f"/api/console/{path}", host=up.console, method=method, body=sent, content_type="application/json", **headers)


async def code_of(up: Served) -> dict[str, str]:
    answer = await asked(up, "tab/code", {}, up.web.token.text)
    assert answer.status == 200
    return answer.json  # type: ignore[no-any-return]


async def shown(up: Served, code: dict[str, str]) -> dict[str, str]:
    run = (await asked(up, "tab")).json["run"]
    return {"id": code["id"], "proof": proof_of(bytes.fromhex(code["key"]), run)}


async def test_a_tab_gets_the_token_of_the_next_run(tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        code, before = await code_of(up), up.web.token.text
    async with served(tmp_path) as up:
        answer = await asked(up, "tab/resume", await shown(up, code))
        assert answer.json == {"token": up.web.token.text}
        assert before != up.web.token.text
        assert (await asked(up, "who", token=answer.json["token"])).status == 200
        assert (await asked(up, "tab/resume", await shown(up, code))).status == 403, "it is good once"


async def test_a_code_is_given_to_who_shows_the_token_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        assert (await asked(up, "tab/code", {})).status == 403
        assert (await asked(up, "tab/code", {}, "wrong")).status == 403


async def test_a_page_of_another_origin_uses_no_code(tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        code = await code_of(up)
    async with served(tmp_path) as up:
        proof = await shown(up, code)
        for headers in (
            {"origin": f"http://{up.site}"},
            {"origin": "http://127.0.0.1:1"},
            {"origin": "null"},
            {"sec_fetch_site": "same-site"},
        ):
            assert (await asked(up, "tab/resume", proof, **headers)).status == 403
        assert (await up.ask("/api/console/tab/resume", method="POST", body=json.dumps(proof).encode())).status != 200, "at the site"
        assert (await asked(up, "tab/resume", proof, origin=f"http://{up.console}", sec_fetch_site="same-origin")).status == 200


async def test_another_user_of_the_machine_uses_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as up:
        code = await code_of(up)
    async with served(tmp_path) as up:
        proof = await shown(up, code)
        with monkeypatch.context() as patch:
            patch.setattr(LocalUsers, "user_of", lambda *_: OTHER_USER)
            assert (await asked(up, "tab/resume", proof)).status == 403
            patch.setattr(LocalUsers, "user_of", lambda *_: None)
            assert (await asked(up, "tab/resume", proof)).status == 403
        assert (await asked(up, "tab/resume", proof)).status == 200


async def test_a_code_of_the_command_opens_the_console_once(tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        code = up.web.browser_addresses()["open"].partition("#code=")[2]
        assert (await asked(up, "tab/enter", {"code": "wrong"})).status == 403
        assert (await asked(up, "tab/enter", {"code": code})).json == {"token": up.web.token.text}
        assert (await asked(up, "tab/enter", {"code": code})).status == 403
        site = up.web.browser_addresses()["site"].partition("goop2-code=")[2]
        assert (await asked(up, "tab/enter", {"code": site})).status == 403, "a code for the site is none for the console"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": 7}', b"7"])
async def test_what_is_no_request_is_refused_in_a_sentence(tmp_path: Path, body: bytes) -> None:
    async with served(tmp_path) as up:
        for path in ("tab/enter", "tab/resume"):
            answer = await up.ask(f"/api/console/{path}", host=up.console, method="POST", body=body, content_type="application/json")
            assert answer.status == 400
            assert answer.json["message"]

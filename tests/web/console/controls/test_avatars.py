"""Pictures in the console: the own one is set in Settings and removed, and others are shown beside their names."""

from __future__ import annotations

import base64
import io
import re
import zlib

import pytest
from playwright.async_api import Locator, expect
from tests.go_pictures import PNG, name_of
from tests.web.axe import complaints
from tests.web.console.controls.test_groups import Owner, browser, owners
from tests.web.served import Answer, Served

from goop2.services.avatars import SET_MAX_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="module")
__all__ = ["browser", "owners"]
WIDE, HIGH = 300, 200
_SHOWN = re.compile("^data:image/png;base64,")


def wide_picture() -> bytes:
    """A PNG, red with a blue stripe at either side, so that it shows what a square of its middle is."""
    row = b"\0" + b"".join(b"\0\0\xff" if x < 50 or x >= WIDE - 50 else b"\xff\0\0" for x in range(WIDE))
    content = io.BytesIO(b"")
    content.write(b"\x89PNG\r\n\x1a\n")
    header = WIDE.to_bytes(4) + HIGH.to_bytes(4) + b"\x08\x02\0\0\0"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(row * HIGH)), (b"IEND", b"")):
        content.write(len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4))
    return content.getvalue()


async def ask(up: Served, path: str, method: str = "GET", body: bytes = b"", token: bool = True) -> Answer:
    shown = {"authorization": f"Bearer {up.web.token.text}"} if token else {}
    return await up.ask(f"/api/console/{path}", host=up.console, method=method, body=body, **shown)


def picture_in(place: Locator) -> Locator:
    return place.locator("img.avatar")


async def test_a_picture_is_cropped_shown_to_others_and_removed(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    await ann.page.keyboard.press("g")
    await ann.page.keyboard.press("e")
    card = ann.page.locator("section.card", has=ann.page.get_by_role("heading", name="Your picture"))
    await expect(picture_in(card)).to_have_attribute("src", re.compile(r"^data:image/svg\+xml"))
    await expect(card.get_by_role("button", name="Remove the picture")).to_be_hidden()
    await card.get_by_label("Choose a picture").set_input_files(
        {"name": "holiday.svg", "mimeType": "image/png", "buffer": b"<svg onload='alert(1)'/>"}
    )
    await expect(card.get_by_role("status")).to_contain_text("“holiday.svg” is no picture that this browser can show")
    await card.get_by_label("Choose a picture").set_input_files({"name": "me.png", "mimeType": "image/png", "buffer": wide_picture()})
    await expect(card.get_by_role("status")).to_contain_text("This is your picture now.")
    await expect(picture_in(card)).to_have_attribute("src", _SHOWN)
    own = ann.up.peer.avatars.own
    assert own is not None
    assert (own.ending, int.from_bytes(own.content[16:20]), int.from_bytes(own.content[20:24])) == ("png", HIGH, HIGH)
    assert await complaints(ann.page) == []

    group = await bob.up.peer.grouping.create("Chess", "chess")
    await ann.up.peer.grouping.join(bob.id, group.id)
    for key, place in (("n", "section.card"), ("g", "section.groups")):
        await bob.page.keyboard.press("g")
        await bob.page.keyboard.press(key)
        await expect(picture_in(bob.page.locator(place).first).first).to_have_attribute("src", _SHOWN)
    await bob.page.goto(bob.page.url.split("#")[0] + f"#/chat?peer={ann.id}")
    pictures = picture_in(bob.page.locator(".talk-card"))
    await expect(pictures.first).to_have_attribute("src", _SHOWN)
    assert await complaints(bob.page) == []

    await card.get_by_role("button", name="Remove the picture").click()
    await expect(card.get_by_role("status")).to_contain_text("The picture is removed.")
    assert not (ann.up.folder / "avatar.png").exists()
    await expect(pictures.first).to_have_attribute("src", re.compile(r"^data:image/svg\+xml"))


async def test_the_console_gives_pictures_to_its_owner_alone_and_nothing_runs_in_them(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    ann.up.peer.avatars.told(bob.id, name_of(PNG))
    assert await ann.up.peer.avatars.keep(bob.id, PNG)
    shown = await ask(ann.up, f"avatar?peer={bob.id}")
    assert (shown.status, shown.body, shown.headers["content-type"], shown.headers["x-content-type-options"]) == (
        200,
        PNG,
        "image/png",
        "nosniff",
    )
    assert any(name == "content-security-policy" and "sandbox" in value for name, value in shown.raw_headers)
    assert (await ask(ann.up, f"avatar?peer={bob.id}", token=False)).status == 403
    assert (await ask(ann.up, "avatar", "POST", PNG, token=False)).status == 403
    for bad in (b"", b"<svg/>", b"GIF89a", PNG + b"x" * SET_MAX_BYTES, b"x" * 3 * SET_MAX_BYTES):
        assert (await ask(ann.up, "avatar", "POST", bad)).status == 400
    assert ann.up.peer.avatars.own is None
    assert (await ask(ann.up, "avatar", "POST", PNG)).json == {"avatar": name_of(PNG)}
    assert base64.b64encode((await ask(ann.up, "avatar")).body) == base64.b64encode(PNG)
    assert (await ask(ann.up, "avatar/remove", "POST")).json == {"avatar": ""}
    assert (await ask(ann.up, f"avatar?peer={'x' * 200}")).status == 400

"""The console's Files page, of two owners: a file is shared, fetched with progress, saved and removed."""

from __future__ import annotations

import asyncio
import os
from io import BytesIO
from pathlib import Path

import pytest
from playwright.async_api import Route, expect
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS
from tests.web.console.controls.test_avatars import ask
from tests.web.console.controls.test_groups import HOSTILE, Owner, browser, owners
from tests.web.late import PAINTED

from goop2.services.shared_files import transfer as module

pytestmark = pytest.mark.asyncio(loop_scope="module")
__all__ = ["browser", "owners"]
CONTENT = os.urandom(2_000_000)


async def to_files(owner: Owner) -> None:
    await owner.page.keyboard.press("g")
    await owner.page.keyboard.press("f")
    await expect(owner.page.get_by_role("heading", level=1)).to_have_text("Files")


async def test_a_file_is_shared_fetched_saved_and_removed(
    owners: tuple[Owner, Owner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 500_000)
    ann, bob = owners
    await to_files(ann)
    await expect(ann.page.get_by_text("This peer is in no group of type “files”.")).to_be_visible()
    await ann.page.get_by_text("Open a group").click()
    await ann.page.get_by_label("Name").fill("Papers")
    await ann.press("Open it")
    await expect(ann.page.get_by_role("heading", name="Papers")).to_be_visible()
    chosen = ann.page.get_by_label("Share a file of yours")
    await chosen.set_input_files({"name": "thesis.bin", "mimeType": "text/html", "buffer": CONTENT})
    await expect(ann.page.get_by_role("listitem").filter(has_text="thesis.bin")).to_contain_text("2.0 MB")
    await chosen.set_input_files({"name": "<b onclick=alert(1)>.txt", "mimeType": "text/html", "buffer": b"x"})
    await expect(ann.page.get_by_role("status").filter(has_text="is no name for a shared file")).to_be_visible()
    assert await complaints(ann.page) == []

    group = ann.up.peer.shared_files.groups()[0]
    await bob.up.peer.grouping.join(ann.id, group.id)
    await to_files(bob)
    row = bob.page.get_by_role("listitem").filter(has_text="thesis.bin")
    await row.get_by_role("button", name="Fetch thesis.bin").click()
    await expect(row).to_contain_text("fetched")
    assert (bob.up.folder / "received" / group.id / "thesis.bin").read_bytes() == CONTENT
    async with bob.page.expect_download(timeout=PATIENCE_MS) as saved:
        await row.get_by_role("button", name="Save thesis.bin").click()
    await (await saved.value).save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == CONTENT
    assert await complaints(bob.page) == []

    await ann.press("Remove thesis.bin", "Remove")
    await expect(ann.page.get_by_text("No files.").first).to_be_visible()
    await bob.page.reload()
    await expect(bob.page.get_by_text("No files.").first).to_be_visible()
    await expect(bob.page.get_by_text("thesis.bin")).to_have_count(0)


async def test_a_broken_fetch_says_why_and_goes_on(owners: tuple[Owner, Owner], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", ())
    monkeypatch.setattr(module, "PIECE_BYTES", 500_000)
    ann, bob = owners
    group = await ann.up.peer.grouping.create(f"Papers{HOSTILE}", "files")
    files = ann.up.peer.shared_files
    place = files.shared.made(group.id)
    (place / "thesis.bin").write_bytes(CONTENT)
    await bob.up.peer.grouping.join(ann.id, group.id)
    await to_files(bob)
    row = bob.page.get_by_role("listitem").filter(has_text="thesis.bin")
    original, left = files.opened, [2]

    async def opened(*arguments: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("the disk is gone")
        return await original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "opened", opened)
    await row.get_by_role("button", name="Fetch thesis.bin").click()
    await expect(row.get_by_role("button", name="Go on thesis.bin")).to_be_visible()
    await expect(row.locator(".level-error")).to_contain_text("ended the exchange")
    left[0] = 2
    await row.get_by_role("button", name="Go on thesis.bin").click()
    await expect(row).to_contain_text("fetched")
    assert (bob.up.folder / "received" / group.id / "thesis.bin").read_bytes() == CONTENT
    assert await bob.page.locator("[data-owned]").count() == 0


async def test_files_of_a_group_that_come_late_do_not_stand_under_another(owners: tuple[Owner, Owner]) -> None:
    ann, _ = owners
    for name in ("Letters", "Pictures"):
        group = await ann.up.peer.grouping.create(name, "files")
        await ann.up.peer.shared_files.share(group, f"of {name}.txt", BytesIO(b"x"))
    await to_files(ann)
    held, go_on = list[Route](), asyncio.Event()

    async def hold(route: Route) -> None:
        held.append(route)
        if len(held) == 1:
            await go_on.wait()
        await route.continue_()

    await ann.page.route("**/files/list", hold)
    groups = ann.page.get_by_role("navigation", name="Groups with files")
    await groups.get_by_role("link", name="Letters").click()
    while not held:  # noqa: ASYNC110 - the browser asks when it does
        await asyncio.sleep(0.01)
    await groups.get_by_role("link", name="Pictures").click()
    await expect(ann.page.get_by_text("of Pictures.txt")).to_be_visible()
    async with ann.page.expect_event("requestfinished", lambda request: request == held[0].request):
        go_on.set()
    await ann.page.evaluate(PAINTED)
    await expect(ann.page.get_by_text("of Letters.txt")).to_have_count(0)
    await expect(ann.page.get_by_role("heading", name="Pictures")).to_be_visible()
    await ann.page.unroute("**/files/list")


async def test_a_fetched_file_is_only_ever_saved(owners: tuple[Owner, Owner]) -> None:
    ann, _ = owners
    place = ann.up.peer.shared_files.received.made("0123456789abcdef")
    (place / "page.html").write_text("<script>alert(1)</script>")
    answer = await ask(ann.up, "files/content?group=0123456789abcdef&name=page.html")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert (answer.headers["content-disposition"], answer.headers["x-content-type-options"]) == ("attachment", "nosniff")
    for query in ("group=..&name=goop.json", "group=0123456789abcdef&name=../../../goop.json", "group=&name="):
        assert (await ask(ann.up, f"files/content?{query}")).status in (400, 404)
    assert (await ask(ann.up, "files/content?group=0123456789abcdef&name=page.html", token=False)).status == 403

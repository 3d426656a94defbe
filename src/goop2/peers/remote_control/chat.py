"""Saved messages, for commands: list conversations and delete them. It needs no network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from goop2.control_socket import Answer, ControlError, Operation, Request
from goop2.net.address import typed_id
from goop2.net.faults import AddressError
from goop2.services.chat.service import ChatService
from goop2.storage.errors import StorageError


class ChatRemote:
    """The operations. `label`: what a peer calls itself; "" when it is not here."""

    def __init__(self, chat: ChatService, label: Callable[[str], str]) -> None:
        self._chat = chat
        self._label = label
        self.operations: Mapping[str, Operation] = {"conversations": self.conversations, "forget": self.forget}

    async def conversations(self, _request: Request) -> Answer:
        """Return `conversations`, the latest first: each `{peer, label, messages}`."""
        listed = await self._listed()
        return {"conversations": [{"peer": peer, "label": label, "messages": number} for peer, label, number in listed]}

    async def forget(self, request: Request) -> Answer:
        """Delete the conversation with `peer` (an id, or a label one of them has), or all with `strangers`; return `messages`."""
        try:
            if request.get("strangers"):
                return {"messages": await self._chat.forget_strangers()}
            peer = await self._meant(str(request.get("peer")))
            return {"messages": await self._chat.forget(peer), "peer": peer}
        except StorageError as error:
            raise ControlError("unavailable", str(error)) from None

    async def _listed(self) -> list[tuple[str, str, int]]:
        try:
            found = await self._chat.conversations()
        except StorageError as error:
            raise ControlError("unavailable", str(error)) from None
        return [(peer, self._label(peer), number) for peer, number, _last in found]

    async def _meant(self, who: str) -> str:
        with contextlib.suppress(AddressError):
            who = typed_id(who)
        if await self._chat.messages(who):
            return who
        named = [peer for peer, label, _ in await self._listed() if label and label == who]
        if len(named) > 1:
            raise ControlError("bad_request", f"{len(named)} conversations are with a {who[:80]!r}: name one by its id, {', '.join(named)}")
        if not named:
            raise ControlError("not_found", f"there is no conversation with {who[:80]!r}; goop2 chat DIR --conversations lists them")
        return named[0]

"""The pictures of this peer and of others: `avatar.png` of the folder, and a cache of what other peers have sent, by hash.

    avatar.png              the own picture; the owner may also put another file there, which is noticed within LOOK_SECONDS
    data/avatars/<hash>     pictures of others, at most CACHE_MAX_BYTES; the one that was used longest ago goes first
    data/avatars/peers.json peer → the hash it told last, so that a friend who is away keeps its picture over a restart

A picture is kept under the hash of its own bytes, so no peer can put a picture of its choice in the place of another's. It must not know
how a picture travels.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.folder import threads
from goop2.folder.regular_files import FileRefusedError, list_names, read_regular
from goop2.folder.whole_file import replace_whole
from goop2.protocols.avatar import HASH_CHARS, PICTURE_MAX_BYTES, Picture, hash_of, is_hash, picture_of
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.scripting.subscribers import Subscribers

FILE: Final = "avatar.png"
CACHE: Final = "data/avatars"
INDEX: Final = "peers.json"
LOOK_SECONDS: Final = 30.0
"""Between two looks whether somebody has put another picture into the folder."""
SET_MAX_BYTES: Final = 256 * 1024
"""A picture the owner sets: a square of 256 pixels has less."""
CACHE_MAX_BYTES: Final = 32 * 1024 * 1024
"""Pictures of others on the disk: a thousand usual ones."""
CACHE_MAX_FILES: Final = 2048
PEERS_MAX: Final = 2048
"""Peers whose hash is remembered; as many as there may be at a time."""
INDEX_MAX_BYTES: Final = 512 * 1024
FETCH_SECONDS: Final = 3.0
"""How long a page waits for a picture that is not here yet; then it shows the one made of the id."""

_TEMPORARY: Final = re.compile(rf"\.(?:[0-9a-f]{{{HASH_CHARS}}}|{re.escape(INDEX)})\..*")
"""What a crash leaves of a file that was being written (folder/whole_file.py)."""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.services.avatars")

Fetch = Callable[[str], Awaitable[None]]
"""Asks a peer for its picture, unless it is here or was asked for just now."""


class AvatarError(Exception):
    """The picture cannot be set; the message says why. `code` is an error class of behaviour.md."""

    code = "bad_request"


class Avatars:
    """The pictures of one peer folder. Made by `open_avatars`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache = folder / CACHE
        self._own: Picture | None = None
        self._own_hash = ""
        self._seen: tuple[int, ...] | None = None
        """What the system says of avatar.png, as it was last read."""
        self._hashes: OrderedDict[str, str] = OrderedDict()
        """Peer → the hash it told last, the most recent one last."""
        self._changed: Subscribers[str] = Subscribers()
        self._fetch: Fetch | None = None
        self._writing = asyncio.Lock()

    @property
    def own(self) -> Picture | None:
        """Return the picture of this peer; None when there is none."""
        return self._own

    @property
    def own_hash(self) -> str:
        """Return the name of the own picture, "" when there is none."""
        return self._own_hash

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call `callback` with the peer whose picture has changed, "" for this one; return the function that unsubscribes."""
        return self._changed.add(callback)

    def attach(self, fetch: Fetch) -> Callable[[], None]:
        """Ask other peers by `fetch` from now on; return the function that ends it."""
        self._fetch = fetch

        def detach() -> None:
            self._fetch = None

        return detach

    # The own picture.

    async def look(self) -> None:
        """Read avatar.png again if it is another file than before."""
        seen = await threads.SITE.run(_status, self._folder / FILE)
        if seen == self._seen:
            return
        picture = await threads.SITE.run(picture_in, self._folder)
        self._seen, self._own = seen, picture
        own_hash = hash_of(picture.content) if picture else ""
        if own_hash != self._own_hash:
            self._own_hash = own_hash
            self._changed.notify("")

    async def watch(self) -> None:
        """Look at avatar.png from time to time, until cancelled."""
        while True:
            with contextlib.suppress(OSError, threads.FolderHangsError):
                await self.look()
            await asyncio.sleep(seconds_to_tick(LOOK_SECONDS))

    async def set(self, content: bytes) -> None:
        """Make `content` the picture of this peer. Raises `AvatarError`, and OSError when it cannot be written."""
        if len(content) > SET_MAX_BYTES:
            raise AvatarError(f"the picture is {len(content)} bytes; the most is {SET_MAX_BYTES}: choose a smaller one")
        if picture_of(content) is None:
            raise AvatarError("this is no PNG, JPEG or WebP picture that can be shown: choose another file")
        await threads.SITE.run(replace_whole, self._folder / FILE, content)
        await self.look()

    async def remove(self) -> None:
        """Remove the picture of this peer. Raises OSError when that fails."""
        await threads.SITE.run(_remove, self._folder / FILE)
        await self.look()

    # Those of others.

    def hash_of(self, peer: str) -> str:
        """Return the name of a peer's picture, as it was told last; "" when it has none."""
        return self._hashes.get(peer, "")

    def told(self, peer: str, hash_: str) -> None:
        """Note what a peer itself says its picture is called. What can be no hash counts as none."""
        known = self._hashes.get(peer, "")
        if hash_ == known:
            return
        if is_hash(hash_):
            self._hashes[peer] = hash_
            self._hashes.move_to_end(peer)
            if len(self._hashes) > PEERS_MAX:
                self._hashes.popitem(last=False)
        elif known:
            del self._hashes[peer]
        else:
            return
        self._changed.notify(peer)

    async def has(self, hash_: str) -> bool:
        """Return whether a picture is here."""
        return is_hash(hash_) and await threads.SITE.run(_cached, self._cache, hash_) is not None

    async def keep(self, peer: str, content: bytes) -> bool:
        """Keep the picture that a peer has sent; return whether it is the one that the peer told of."""
        if picture_of(content) is None or hash_of(content) != self.hash_of(peer):
            return False
        async with self._writing:
            try:
                await threads.SITE.run(_keep, self._cache, content, dict(self._hashes))
            except (OSError, threads.FolderHangsError) as error:
                _log.warning("a picture of another peer is not kept", why=str(error))
                return False
        self._changed.notify(peer)
        return True

    async def picture(self, peer: str) -> Picture | None:
        """Return the picture of another peer, which is asked for when it is not here; None when there is none to show."""
        hash_ = self.hash_of(peer)
        if not hash_:
            return None
        cached = await threads.SITE.run(_cached, self._cache, hash_)
        if cached is not None or self._fetch is None:
            return cached
        with contextlib.suppress(TimeoutError):
            # Shielded: the picture is wanted, even if this page does not wait for it.
            async with asyncio.timeout(FETCH_SECONDS):
                await asyncio.shield(asyncio.ensure_future(self._fetch(peer)))
        return await threads.SITE.run(_cached, self._cache, hash_)

    async def load(self) -> None:
        """Read the own picture, and what is remembered of others. A folder that cannot be read has no pictures."""
        with contextlib.suppress(OSError, threads.FolderHangsError):
            await self.look()
            for peer, hash_ in (await threads.SITE.run(_index, self._cache)).items():
                self._hashes.setdefault(peer, hash_)


@contextlib.asynccontextmanager
async def open_avatars(folder: Path) -> AsyncIterator[Avatars]:
    """Open the pictures of the peer in `folder` until the block is left."""
    avatars = Avatars(folder)
    await avatars.load()
    yield avatars


def picture_in(folder: Path) -> Picture | None:
    """Return the picture in a peer folder; None when there is none that may be read, or it is no PNG, JPEG or WebP. Blocking."""
    try:
        return picture_of(read_regular(folder / FILE, folder, PICTURE_MAX_BYTES))
    except OSError:
        return None


def _status(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)


def _cached(cache: Path, hash_: str) -> Picture | None:
    """Return a picture of the cache; None when it is not there or is another one by now. Its use is noted. Blocking."""
    file = cache / hash_
    try:
        content = read_regular(file, cache.parent, PICTURE_MAX_BYTES)
        picture = picture_of(content)
        if picture is None or hash_of(content) != hash_:
            file.unlink(missing_ok=True)
            return None
        os.utime(file)
    except OSError:
        return None
    return picture


def _keep(cache: Path, content: bytes, hashes: dict[str, str]) -> None:
    cache.parent.mkdir(mode=0o700, exist_ok=True)
    cache.mkdir(mode=0o700, exist_ok=True)
    # A folder of a stranger's may have a link there: nothing is written or removed elsewhere.
    if cache.is_symlink():
        raise FileRefusedError(cache, "it is a link: remove it")
    replace_whole(cache / hash_of(content), content)
    replace_whole(cache / INDEX, msgspec.json.encode(hashes))
    _make_room(cache)


def _make_room(cache: Path) -> None:
    """Remove pictures until the cache is within its bounds, and what a crash has left."""
    files = []
    for name in list_names(cache, cache.parent):
        file = cache / name
        if _TEMPORARY.fullmatch(name):
            file.unlink(missing_ok=True)
        elif is_hash(name):
            with contextlib.suppress(FileNotFoundError):
                status = file.lstat()
                files.append((status.st_mtime_ns, status.st_size, file))
    files.sort(reverse=True)
    total = 0
    for index, (_, size, file) in enumerate(files):
        total += size
        if total > CACHE_MAX_BYTES or index >= CACHE_MAX_FILES:
            file.unlink(missing_ok=True)


def _index(cache: Path) -> dict[str, str]:
    """Return peer → hash of earlier starts. Blocking."""
    try:
        found = decode(read_regular(cache / INDEX, cache.parent, INDEX_MAX_BYTES), dict[str, str])
    except (FileNotFoundError, FileRefusedError, InvalidJsonError):
        return {}
    return {peer: hash_ for peer, hash_ in list(found.items())[-PEERS_MAX:] if is_hash(hash_)}

"""goop.site for scripts: read the files of the site that anybody may see."""

from __future__ import annotations

from goop2.folder import threads
from goop2.folder.site_files import FileNotServedError, SiteFiles, SiteFileTooLargeError, UnreadableError
from goop2.sandbox.answers import Answer, err, ok
from goop2.sandbox.messages import Scalar
from goop2.scripting.engine import NAME_SHOWN_CHARS
from goop2.scripting.invocation import Invocation, PeerOperation
from goop2.scripting.limits import SITE_READ_MAX_BYTES
from goop2.scripting.printable import printable


def site_read(files: SiteFiles) -> PeerOperation:
    """Return the operation `site.read`: path → content, or nil and why it cannot be read."""

    async def read(_invocation: Invocation, path: Scalar) -> Answer:
        name = path.decode("utf-8", "replace") if isinstance(path, bytes) else str(path)
        try:
            if not name:  # a browser's "/" is the front page; a script names its file
                raise FileNotServedError(name)
            return ok(await threads.SITE.run(files.read, name, SITE_READ_MAX_BYTES))
        except FileNotServedError:
            return err(f"{printable(name, NAME_SHOWN_CHARS)} is no file of the site")
        except UnreadableError as error:
            return err(f"{printable(name, NAME_SHOWN_CHARS)}: {error.strerror}")
        except (SiteFileTooLargeError, threads.FolderHangsError) as error:
            return err(str(error))

    return read

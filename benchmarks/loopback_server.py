"""A server that answers every request the same, in a process of its own.

Run as `python -m benchmarks.loopback_server [CERTIFICATE_WITH_KEY]`; prints its port and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

BODY = b'{"name":"Utrecht","main":{"temp":21.7},"weather":[{"description":"clear sky"}]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until the client closes."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def main(certificate: str | None) -> None:
    """Serve, with TLS when there is a certificate."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if sys.argv[1:] else None))

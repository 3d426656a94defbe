"""Every number of the web side, named with its unit and the reason for its value."""

from __future__ import annotations

from typing import Final

from goop2.scripting.limits import MEGABYTE_BYTES, PARAMS_MAX_BYTES

# Requests.

HEAD_MAX_BYTES: Final = 32 * 1024
"""Request line and headers. Browsers send 1 to 2 KB; cookies of other ports of the same host may come along."""

ENVELOPE_MAX_BYTES: Final = 64 * 1024
"""What stands around the parameters of a call: names, a statement's text."""

BODY_MAX_BYTES: Final = PARAMS_MAX_BYTES + ENVELOPE_MAX_BYTES
"""Body of a request to the data API; the parameters in it are measured on their own."""

UPLOAD_MAX_BYTES: Final = 50 * MEGABYTE_BYTES
"""A file the owner uploads. Other peers refuse to read larger ones (network.md)."""

UNHEARD_MAX_BYTES: Final = 16 * MEGABYTE_BYTES
"""Of a body that is too large so much is read and discarded: a browser that is still sending does not read the refusal."""

# Slow clients.

HEAD_SECONDS: Final = 10.0
"""From connecting, or from the first byte of a further request, to the end of its headers."""

BODY_SECONDS: Final = 30.0
"""From the headers to the end of a body of at most BODY_MAX_BYTES: 35 KB/s, slower than any phone."""

STALLED_SECONDS: Final = 20.0
"""A client that has read nothing for so long counts as gone, even if its connection is open."""

IDLE_SECONDS: Final = 30
"""A kept-alive connection without a request is closed after this."""

SWEEP_SECONDS: Final = 1.0
"""How often connections are checked for these time-outs."""

# How many.

CONNECTIONS_MAX: Final = 512
"""Connections at one listener. A browser opens six per origin; each costs us about 100 KB at worst."""

CONNECTIONS_PER_ADDRESS_MAX: Final = 48
"""Connections of one network (an IPv4 address, a /64 of IPv6) at the opened listener, so that one stranger leaves room for others."""

REFUSED_MAX: Final = 512
"""Connections without a place that are answered with a 503, at a time; further ones are closed without an answer."""

REFUSED_SECONDS: Final = 3.0
"""How long a connection without a place may take to send the request that is refused."""

HANDSHAKES_MAX: Final = 256
"""TLS handshakes at a time, where a server has a certificate of its own; each is over within HEAD_SECONDS."""

HANDSHAKES_PER_NETWORK_MAX: Final = 32
"""Of these, from one network."""

RENEWED_SECONDS: Final = 60.0
"""How often the files of a certificate are looked at; programs that renew one do so weeks before it ends."""

FULL_HOLD_SECONDS: Final = 1.0
"""How long a connection without a place, and a call without one in the queue, is held before the refusal. With REFUSED_MAX connections
that is 512 refusals a second, a fifth of a core."""

FULL_RETRY_SECONDS: Final = 2
"""When to try again, in `Retry-After`: half-sent requests are gone by then, and most answers are sent."""

STOP_SECONDS: Final = 0.5
"""How long requests may take to finish when the peer stops, which must be over within a second."""

SITE_PORTS_MAX: Final = 64
"""Sites, and test visitors, at a port of their own (web/http/site_ports.py) in one run of the peer. Each port is two sockets."""

CODES_MAX: Final = 64
"""One-time codes (web/http/passes.py) that may be out at a time, of each kind; the oldest goes first. A page of ours mints one when it is
shown."""

CODE_SECONDS: Final = 600.0
"""How long a code is good: time enough to carry a link to another browser."""

TAB_CODES_MAX: Final = 256
"""Tabs of the console that are let in again after a restart; the oldest goes first. A tab takes a code each time it is loaded."""

TAB_CODE_SECONDS: Final = 30 * 24 * 3600.0
"""How long the code of a tab is good: a month that a tab stood open while its peer ran."""

SAVED_PORTS_MAX: Final = 4096
"""Sites, and test visitors, whose port is saved for ever: a seventh of the ports a system has for this."""

COOKIES_MAX_BYTES: Final = 1024 * 1024
"""Cookies in the head of a request on loopback, beside HEAD_MAX_BYTES. Cookies know no ports, so every site and program at `localhost`
adds to them; browsers keep up to 180 of 4 KB for a host."""

# Files.

CHUNK_BYTES: Final = 64 * 1024
"""Bytes read and sent at a time; also what one slow download holds in memory."""

COMPRESSED_FROM_BYTES: Final = 1024
"""Below this compression does not save a packet."""

COMPRESSED_TO_BYTES: Final = 4 * MEGABYTE_BYTES
"""Beyond this a text is sent as it is: compressing holds a thread for a quarter of a second."""

COMPRESSED_KEPT_BYTES: Final = 16 * MEGABYTE_BYTES
"""Compressed files kept in memory."""

# Live events.

EVENTS_KEPT: Final = 1000
"""Events held for pages that reconnect."""

EVENTS_KEPT_BYTES: Final = 4 * MEGABYTE_BYTES
"""The same in bytes; a run with its log can be 64 KB."""

FLUSH_SECONDS: Final = 0.1
"""Between two packets of events to one page; a reader sees no difference to at once."""

HEARTBEAT_SECONDS: Final = 15.0
"""A comment into a quiet stream, so that a page that has gone is noticed."""

CONSUMERS_MAX: Final = 128
"""Pages that read events, at a time."""

CONSUMERS_PER_CALLER_MAX: Final = 8
"""Of these, pages of one caller; at the opened listener, of one address."""

"""The peer in a browser: the site, its SDK and data, and the owner's console.

origins.py   from a request's headers: which origin is meant, or why it is refused
peer_host.py a peer id as a host name
app.py       the ASGI application: origin → who calls → what answers
data.py      /api/data/<op>
web/http/files.py     files of the site and of the SDK over HTTP
server.py    sockets, uvicorn, start and stop

It lends scripts nothing and knows no protocol but HTTP; peer.py hands it the parts it shows.
"""

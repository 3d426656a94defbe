"""The peer in a browser: the site, its SDK and data, the owner's console, and other peers' sites.

It must not know any protocol but HTTP. The composition root (goop2/app.py) gives it the peer it shows.

app.py      the ASGI application: origin → caller → handler
server.py   the servers behind the listeners, and their addresses
http/       HTTP itself: listeners, origins, callers, the handler wrapper, bodies, answers, event streams
api/        what pages of a site call under /api/
console/    the owner's console
remote/     other peers' sites and sessions
sdk/        JavaScript and CSS that sites load
languages/  the texts of console and SDK, a file a language
"""

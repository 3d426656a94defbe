"""The peer in a browser: the site, its SDK and data, the owner's console, and other peers' sites.

It must not know any protocol but HTTP: app.py hands it the parts it shows.

app.py      the ASGI application: origin → who calls → what answers
server.py   opens the listeners and what is served on them
http/       HTTP itself: listeners, origins, who asks, bodies, answers, event streams
api/        what pages of a site call under /api/
console/    the owner's console
remote/     other peers' sites and sessions
sdk/        JavaScript and CSS that sites load
"""

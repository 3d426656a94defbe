"""The services of a peer, apart from transport: chat, groups, listening, the REST API, HTTP for scripts, tables for callers.

It must not know who carries a message: neither libp2p nor a web server.
"""

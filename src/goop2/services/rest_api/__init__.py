"""The built-in data function `api`: the virtual REST API of a site, declared in `site/api.json` (docs/api.md).

`api.lua` runs in a worker like any script and shapes the answers. What it may do with which table is decided here, in the peer.
"""

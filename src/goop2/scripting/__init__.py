"""The engine, which runs a script for a caller: the catalog of scripts, rate limits, the fair queue and the pool of workers.

It must not know any transport, nor from where a caller came; it never runs Lua in its own process.
"""

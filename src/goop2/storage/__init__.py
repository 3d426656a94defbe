"""The SQLite database: the connection and its guard, typed tables, key-value, and what outside callers may do.

It must not know any other room, since peer and workers both import it; no other room writes SQL.
"""

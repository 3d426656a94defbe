"""SQLite: the connection, the guard on it, typed tables, key-value, and what callers from outside may do.

Both the peer and the workers import this; it may import nothing else of goop2, and no other part writes SQL.
"""

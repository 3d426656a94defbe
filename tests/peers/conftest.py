"""Tests of other peers use the trio run of tests/net/conftest.py."""


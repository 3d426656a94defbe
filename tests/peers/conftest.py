"""Tests of other peers use the trio run of tests/net/conftest.py."""

from tests.net.conftest import guest as guest

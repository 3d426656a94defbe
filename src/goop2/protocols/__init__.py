"""The network's protocols as formats: bytes in, events out, no stream, no clock, no file. What each means is in its module."""

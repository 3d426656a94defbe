"""Listening together: one session, a track, and the current position. It must not know scripts, pages or the network."""

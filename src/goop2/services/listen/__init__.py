"""Listening together: one session, a track, and where in it everybody is. It knows neither scripts, pages nor the network."""

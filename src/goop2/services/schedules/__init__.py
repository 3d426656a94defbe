"""Schedules: data functions that run by themselves, as the owner, at the times their files say."""

"""Templates: look at one, apply it to the site of this peer, and take that back. docs/templates.md says what each step does.

A template's pages and scripts run with the owner's rights. So everything that follows from it is worked out and shown first (plan.py), and
only what was shown is done (service.py).
"""

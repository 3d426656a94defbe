"""What pages of a site call under /api/."""

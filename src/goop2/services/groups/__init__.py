"""Groups hosted and joined: their state without I/O, and the service that keeps them and tells their members."""

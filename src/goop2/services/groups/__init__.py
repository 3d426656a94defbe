"""Groups hosted and joined: their state without I/O, and the service that saves them and notifies their members."""

"""Programs that take longer than tests may: load, a soak, faults. Each prints what it saw and ends with 1 when a promise did not hold."""

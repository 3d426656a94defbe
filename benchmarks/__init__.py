"""What we claim about speed, reproducible with `make bench`. Nothing here is a test."""

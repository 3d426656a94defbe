"""Fuzzing: what reads untrusted bytes gets any bytes, led by coverage (`make fuzz`), and those kept in corpora/ in every `make test`."""

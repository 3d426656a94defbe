"""A rendezvous server: peers that cannot hear each other leave their signs here and hear those of others. It proves nothing of anybody."""

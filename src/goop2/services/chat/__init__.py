"""Direct messages: saved, delivered, and answered by the engine when they are commands.

It must not know the web or the network, only the engine and the storage: whoever can carry a message to another peer passes that in.
"""

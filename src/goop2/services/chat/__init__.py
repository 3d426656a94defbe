"""Direct messages: kept, delivered, and answered by the engine when they are commands.

It knows the engine and the storage, and neither the web nor the network: who can carry a message to another peer lends that.
"""

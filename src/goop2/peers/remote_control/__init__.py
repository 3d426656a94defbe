"""The operations that the owner's commands ask of a running peer, over its control socket."""

"""What the owner's commands ask of the running peer's network, over the control socket."""

"""The code that runs in the fork server and in the workers: confinement, the Lua VM, host calls and messages to the peer.

It must not know anything of the peer but `storage` and how a file name is printed, since a worker holds an untrusted script.
"""

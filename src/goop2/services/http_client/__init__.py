"""HTTP requests of scripts, which cannot be turned against the owner's network.

    operations.py     goop.http for scripts: arguments, the count, the deadline, the answer
    client.py         one request: its hops, its time, its place among the others
    url.py            the text of an address → scheme, host, port, path; odd spellings are refused here
    egress_policy.py  host and port → the addresses that may be connected to; looked up once, all of them public
    addresses.py      which addresses are public
    connector.py      the only way to a socket; it leads through the egress policy

Scripts and their arguments come from strangers, and so do the address of a request, its headers, every answer and every redirect. It must
not trust them, nor know who runs scripts.
"""

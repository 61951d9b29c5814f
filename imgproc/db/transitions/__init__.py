"""Every state transition: one compare-and-swap statement each, one file for each state machine.

A transition names the state it expects in its WHERE clause. If no row changes, another process was first and the caller
stops. Leases are fenced by a token and timed by the database's clock.
"""

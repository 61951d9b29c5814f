"""Every state transition, each one compare-and-swap statement: `requests`, `products`,
`finalization`, `actions`, `deliveries`.

A transition names the state it expects in its WHERE clause; no row changed means somebody else was first, and the
caller stops. Leases are fenced by a token, and only the database's clock is asked.
"""

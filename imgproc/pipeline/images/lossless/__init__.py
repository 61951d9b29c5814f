"""A source's own pixels encoded again without a loss, for each format that `quality=smart` may keep."""

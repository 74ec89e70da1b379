"""The defenders: one file per scheme. `benchmark.registry` finds them by reading, not importing."""

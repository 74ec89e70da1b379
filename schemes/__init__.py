"""The defenders: one file per scheme. `benchmark.plugins.registry` finds them by reading, not importing."""

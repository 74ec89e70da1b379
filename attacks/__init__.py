"""The thieves: one file per family of attacks. `benchmark.registry` finds them by reading, not importing."""

"""The thieves: one file per family of attacks. `benchmark.plugins.registry` finds them by reading, not importing."""

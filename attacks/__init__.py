"""The thieves: one file per family of attacks, in this folder or one below.

`benchmark.plugins.registry` finds them by reading, not importing.
"""

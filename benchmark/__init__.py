"""Watermark schemes against attacks, as jobs whose records `leaderboard` judges. This is the one place of the version."""

__version__ = "0.2.0"

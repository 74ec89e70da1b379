"""Watermark schemes against attacks, as jobs whose records `leaderboard` judges. The version is said here alone."""

__version__ = "0.6.0"

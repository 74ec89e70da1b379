"""Thieves who know the scheme, and not the key: its public code draws marks like the owner's."""

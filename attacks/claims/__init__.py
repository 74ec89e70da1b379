"""Thieves, and people who stole nothing, that claim a mark of their own in a net."""

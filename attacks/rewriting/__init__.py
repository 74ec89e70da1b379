"""Thieves who write other weights into the net: channels added, nets mixed, noise."""

"""Thieves who serve the stolen model as it is, and change what it is asked or what it answers."""

"""Thieves who search the stolen net for what the mark may be, and train it to forget that."""

"""Thieves who train a net anew: from what the stolen one answers, or without looking at it."""

"""Thieves who find the part of a net that its mark needs, and silence it or train it away."""

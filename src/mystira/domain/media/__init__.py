"""Pictures, sounds and films: what they are, and where their bytes lie."""

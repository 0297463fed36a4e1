"""What a player's first completed play of each story came to."""

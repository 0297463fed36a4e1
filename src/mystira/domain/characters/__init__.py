"""Characters that stories share, and the avatars that players choose from."""

"""The play of a story: its rules, and a session as the fold of what happened."""

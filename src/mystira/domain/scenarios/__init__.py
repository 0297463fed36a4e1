"""Stories: what they are, what makes one sound, and how they come in and go out."""

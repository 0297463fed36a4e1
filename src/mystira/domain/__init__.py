"""What Mystira is about, one room a topic; nothing here knows of HTTP, drivers or settings."""

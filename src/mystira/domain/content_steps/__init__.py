"""Who brought content in, published, withdrew or deleted it: when, and why."""

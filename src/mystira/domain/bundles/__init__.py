"""Bundles of stories: what is sold, what is given away, and who may play what."""

"""The whole way in one go: live accounts moved there and back under traffic, and proof that none is lost."""

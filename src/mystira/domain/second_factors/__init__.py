"""The second thing that staff show when they come in: a code of the moment, from an app of theirs."""

"""Pictures that are drawn here: covers for stories that have none, the compass, the die, medals."""

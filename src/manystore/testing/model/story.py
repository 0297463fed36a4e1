"""A way to a violation, told so that a person can follow it."""

from manystore.testing.model.explorer import Exploration


def tell(exploration: Exploration) -> str:
    """One line a step, and the invariant that the last one breaks."""
    world = exploration.world
    kind = "stores that check epochs" if world.fenced else "stores fenced by leases alone"
    lines = [f"Two nodes, two keys, {kind}; {exploration.states:,} states looked at."]
    lines += [f"Without: {each.value}." for each in sorted(world.without, key=lambda each: each.name)]
    lines += [f"{number:3}  {told}." for number, (told, _) in enumerate(exploration.trace, 1)]
    lines.append(f"Broken: {exploration.violation}." if exploration.violation else "Every invariant held.")
    return "\n".join(lines)

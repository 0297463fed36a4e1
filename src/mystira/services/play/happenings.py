"""What a scene's page tells besides the scene: what the last step brought, and where the compass stands.

All of it follows from the session's events, so a page that is loaded again tells the same.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from mystira.domain.sessions.events import (
    ChoiceMade,
    DiceRolled,
    EchoRevealed,
    Event,
    SceneLeft,
)
from mystira.domain.sessions.model import GameSession
from mystira.domain.sessions.stories import Story

_STEPS: Final = (ChoiceMade, DiceRolled, SceneLeft)
_INTRODUCTIONS: Final = {
    "mirror": "In the mirror you see it again:",
    "dream": "It comes back in a dream:",
    "spirit": "A quiet voice remembers:",
}
_INTRODUCTION: Final = "Do you remember?"


class Throw(Struct, frozen=True, kw_only=True):
    """How the d20 fell."""

    value: int
    needed: int
    has_succeeded: bool


class Moved(Struct, frozen=True, kw_only=True):
    """A move of the compass, and whose it was where that is not the only player."""

    axis: str
    before: float
    after: float
    delta: float
    player: str | None

    @property
    def word(self) -> str:
        """Which way, in a word."""
        return "grows" if self.delta > 0 else "shrinks"


class Echo(Struct, frozen=True, kw_only=True):
    """An earlier choice that came back."""

    introduction: str
    description: str
    scene_title: str | None


class Happened(Struct, frozen=True, kw_only=True):
    """What the last step brought."""

    choice: str | None = None
    throw: Throw | None = None
    moved: Moved | None = None
    echoes: tuple[Echo, ...] = ()

    @property
    def is_something(self) -> bool:
        """Whether there is anything to tell above the scene; badges have a place of their own."""
        return bool(self.throw or self.moved or self.echoes)


class Needle(Struct, frozen=True, kw_only=True):
    """One axis of the compass: where it stands, and where it stood before the last step."""

    axis: str
    value: float
    before: float

    @property
    def has_moved(self) -> bool:
        """Whether the last step moved it."""
        return self.value != self.before


def last_step(session: GameSession) -> ChoiceMade | DiceRolled | SceneLeft | None:
    """The step by which the present scene was entered."""
    return next((each for each in reversed(session.events) if isinstance(each, _STEPS)), None)


def happened(session: GameSession, story: Story | None) -> Happened:
    """What the step brought by which the present scene was entered."""
    step = last_step(session)
    if step is None:
        return Happened()
    since = session.events[session.events.index(step) :]
    return Happened(
        choice=None if isinstance(step, SceneLeft) else step.choice,
        throw=_throw(step) if isinstance(step, DiceRolled) else None,
        moved=_moved(session, step),
        echoes=tuple(_echo(each, story) for each in since if isinstance(each, EchoRevealed)),
    )


def _throw(event: DiceRolled) -> Throw:
    return Throw(value=event.value, needed=int(event.difficulty), has_succeeded=event.has_succeeded)


def _moved(session: GameSession, step: Event) -> Moved | None:
    if not isinstance(step, (ChoiceMade, DiceRolled)) or step.movement is None or step.movement.delta == 0:
        return None
    value = session.compass_values[step.movement.axis]
    names = {player.id: player.name for player in session.players}
    return Moved(
        axis=step.movement.axis,
        before=_before(value.starting, [each.value for each in value.history]),
        after=value.current,
        delta=step.movement.delta,
        player=names.get(step.player_id) if len(names) > 1 else None,
    )


def _before(starting: float, values: Sequence[float]) -> float:
    return values[-2] if len(values) > 1 else starting


def _echo(event: EchoRevealed, story: Story | None) -> Echo:
    scene = None if story is None else story.scene(event.echo_scene_id)
    return Echo(
        introduction=_INTRODUCTIONS.get(event.mechanic, _INTRODUCTION),
        description=event.echo.description,
        scene_title=None if scene is None else scene.title,
    )


def compass(session: GameSession) -> list[Needle]:
    """Where the session stands on each axis, in the order in which the story names them."""
    step = last_step(session)
    moved = _moved(session, step) if step is not None else None
    return [
        Needle(
            axis=axis,
            value=value.current,
            before=moved.before if moved is not None and moved.axis == axis else value.current,
        )
        for axis, value in session.compass_values.items()
    ]


def way_so_far(session: GameSession) -> list[str]:
    """What was chosen and thrown, the first first."""
    return [each.choice for each in session.events if isinstance(each, (ChoiceMade, DiceRolled))]

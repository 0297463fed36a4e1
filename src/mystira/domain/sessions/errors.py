"""How a play is refused.

DomainError
├── SceneNotCurrentError    the players are in another scene by now
├── WrongStepError          the scene is left in another way
├── NotInProgressError      the session is paused, or has ended
├── NotPausedError          there is nothing to resume
├── SessionEndedError       it has ended already, in another way
├── NotPlayableError        nothing is known of how it was played so far
├── StoryChangedError       the story no longer has the scene
├── TooYoungError           the story is for older players
└── NotEntitledError        the account has no access to the story
"""

from collections.abc import Sequence

from mystira.domain.errors import DomainError


class SceneNotCurrentError(DomainError):
    """Session {key} is in scene {current!r} by now, not in {scene!r}: read it again, and go on from there."""

    code = "scene_not_current"

    def __init__(self, *, key: str, scene: str, current: str | None) -> None:
        self.key, self.scene, self.current = key, scene, current
        super().__init__(key=key, scene=scene, current=current)


class WrongStepError(DomainError):
    """Scene {scene!r} is left by {step}."""

    code = "wrong_step"

    def __init__(self, *, scene: str, step: str) -> None:
        self.scene, self.step = scene, step
        super().__init__(scene=scene, step=step)


class NotInProgressError(DomainError):
    """Session {key} is {status}, and goes on only while it is InProgress."""

    code = "session_not_in_progress"

    def __init__(self, *, key: str, status: str) -> None:
        self.key, self.status = key, status
        super().__init__(key=key, status=status)


class NotPausedError(DomainError):
    """Session {key} is {status}, and only one that is Paused can be resumed."""

    code = "session_not_paused"

    def __init__(self, *, key: str, status: str) -> None:
        self.key, self.status = key, status
        super().__init__(key=key, status=status)


class SessionEndedError(DomainError):
    """Session {key} ended before: it is {status}."""

    code = "session_ended"

    def __init__(self, *, key: str, status: str) -> None:
        self.key, self.status = key, status
        super().__init__(key=key, status=status)


class NotPlayableError(DomainError):
    """Session {key} comes from a former system and cannot be played on: start the story anew."""

    code = "session_not_playable"

    def __init__(self, *, key: str) -> None:
        self.key = key
        super().__init__(key=key)


class StoryChangedError(DomainError):
    """Story {scenario} no longer has the scene {scene!r}: end the session, and start anew."""

    code = "story_changed"

    def __init__(self, *, scenario: str, scene: str | None) -> None:
        self.scenario, self.scene = scenario, scene
        super().__init__(scenario=scenario, scene=scene)


class TooYoungError(DomainError):
    """The story is for players from {minimum_age} years on, and group {age_group} begins at {youngest}."""

    code = "too_young"
    field = "targetAgeGroup"

    def __init__(self, *, minimum_age: int, age_group: str, youngest: int) -> None:
        self.minimum_age, self.age_group, self.youngest = minimum_age, age_group, youngest
        super().__init__(minimum_age=minimum_age, age_group=age_group, youngest=youngest)


class NotEntitledError(DomainError):
    """The account has no access to story {scenario}: subscribe, or buy {ways}.

    `bundles` are the ids of those that hold it and can be bought, where that is known.
    """

    code = "not_bought"
    field = "scenarioId"

    def __init__(self, *, scenario: str, bundles: Sequence[str] = ()) -> None:
        self.scenario, self.bundles = scenario, tuple(bundles)
        ways = " or ".join(bundles) or "a bundle that holds it, once one is sold"
        super().__init__(scenario=scenario, bundles=self.bundles, ways=ways)

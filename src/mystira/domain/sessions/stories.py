"""Stories as play asks for them: by scene and by what a scene triggers, decoded once and kept for a while.

Every step of a play needs the story, which is by far the largest record that it touches and hardly ever
changes. So a story is kept in the process, and looked for again only when some time has passed.
"""

import collections
from typing import Final

from manystore.clock import Clock
from manystore.repository import Repository, Stored
from mystira.domain.records import read_record
from mystira.domain.scenarios.model import EchoReveal, Scenario, Scene

Scenarios = Repository[Scenario]

FRESH_SECONDS: Final = 2.0
"""For how long a story may be played as it was before its authors changed it."""
MOST_KEPT: Final = 64


class Story:
    """One version of a scenario, with its scenes at hand. Nothing of it changes."""

    def __init__(self, stored: Stored[Scenario]) -> None:
        self.version: Final = stored.version
        self.scenario: Final = stored.value
        self._scenes: dict[str, Scene] = {}
        self._reveals: dict[str, list[tuple[str, int, EchoReveal]]] = {}
        for scene in stored.value.scenes:
            # Of two with one id the first counts, as for whoever looks through the list.
            self._scenes.setdefault(scene.id, scene)
            for number, reveal in enumerate(scene.echo_reveals):
                declared = (scene.id, number, reveal)
                self._reveals.setdefault(reveal.trigger_scene_id, []).append(declared)

    @property
    def id(self) -> str:
        """The scenario's id."""
        return self.scenario.id

    def scene(self, scene_id: str | None) -> Scene | None:
        """The scene of that id, or None."""
        return None if scene_id is None else self._scenes.get(scene_id)

    def reveals(self, scene_id: str) -> list[tuple[str, int, EchoReveal]]:
        """What entering a scene may reveal, each with the scene that declares it and its number there."""
        return self._reveals.get(scene_id, [])


class Stories:
    """The stories that this process has played lately."""

    def __init__(self, scenarios: Scenarios, clock: Clock) -> None:
        self._scenarios, self._clock = scenarios, clock
        self._kept: collections.OrderedDict[str, tuple[float, Story]] = collections.OrderedDict()

    async def story(self, scenario_id: str) -> Story:
        """The story, at most FRESH_SECONDS behind its record. Raises NotFoundError."""
        now = self._clock.monotonic()
        kept = self._kept.get(scenario_id)
        if kept is not None:
            self._kept.move_to_end(scenario_id)
            if now - kept[0] < FRESH_SECONDS:
                return kept[1]
            # Whoever asks while this one looks is served what was kept, instead of looking as well.
            self._kept[scenario_id] = (now, kept[1])
        try:
            stored = await read_record(self._scenarios, scenario_id)
        except BaseException:
            self._kept.pop(scenario_id, None)
            raise
        story = kept[1] if kept is not None and kept[1].version == stored.version else Story(stored)
        self._kept[scenario_id] = (now, story)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return story

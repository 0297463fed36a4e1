"""What a story is: scenes that lead to one another, and what each choice leaves behind.

These are stored forms, lenient about text; whether a story is sound is decided by the rules beside, when it
comes in. Names of authors' files are in snake_case (see the story schema), those of documents in camelCase.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from mystira.domain.records import Entity

SceneType = Literal["narrative", "choice", "roll", "special"]
Difficulty = Literal["Easy", "Medium", "Hard"]
SessionLength = Literal["Short", "Medium", "Long"]


class CharacterMetadata(Struct, frozen=True, kw_only=True, rename="camel"):
    """What keeps a character the same from scene to scene."""

    role: list[str] = msgspec.field(default_factory=list)
    archetype: list[str] = msgspec.field(default_factory=list)
    species: str = ""
    age: int = 0
    traits: list[str] = msgspec.field(default_factory=list)
    backstory: str = ""


class Character(Struct, frozen=True, kw_only=True, rename="camel"):
    """Somebody in the story, whom a player may be. `id` is unique within the story."""

    id: str
    name: str
    image: str | None = None
    audio: str | None = None
    metadata: CharacterMetadata = msgspec.field(default_factory=CharacterMetadata)


class EchoLog(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a choice leaves behind to be remembered; strength from -1 to 1."""

    echo_type: str
    description: str
    strength: float


class CompassChange(Struct, frozen=True, kw_only=True, rename="camel"):
    """How a choice moves its player along an axis; delta from -1 to 1."""

    axis: str
    delta: float
    developmental_link: str | None = None


class Branch(Struct, frozen=True, kw_only=True, rename="camel"):
    """One way on from a scene."""

    choice: str
    next_scene: str
    echo_log: EchoLog | None = None
    compass_change: CompassChange | None = None


class EchoReveal(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is shown on entering `trigger_scene_id` where an echo of this type is strong and recent enough.

    Recent: left at most `max_age_scenes` scenes before.
    """

    echo_type: str
    min_strength: float
    trigger_scene_id: str
    max_age_scenes: int = 10
    reveal_mechanic: str = "none"
    required: bool = False


class SceneMedia(Struct, frozen=True, kw_only=True, rename="camel"):
    """Media ids of a scene."""

    image: str | None = None
    audio: str | None = None
    video: str | None = None


class Scene(Struct, frozen=True, kw_only=True, rename="camel"):
    """A piece of the story. Without branches and without a next scene it is an end.

    `difficulty` (1 to 20) is what a d20 must reach. `active_character` is the id of the character whose
    player chooses. `music` and `sound_effects` are for whoever plays them, as the authors wrote them.
    """

    id: str
    title: str
    type: SceneType
    description: str
    next_scene: str | None = None
    difficulty: float | None = None
    media: SceneMedia | None = None
    music: dict[str, Any] | None = None
    sound_effects: list[dict[str, Any]] = msgspec.field(default_factory=list)
    active_character: str | None = None
    branches: list[Branch] = msgspec.field(default_factory=list)
    echo_reveals: list[EchoReveal] = msgspec.field(default_factory=list)

    @property
    def is_end(self) -> bool:
        """Whether the story is over with this scene."""
        return not self.branches and self.next_scene is None


class Scenario(Entity, frozen=True, kw_only=True, rename="camel"):
    """One story as it is stored. Only one that `is_active` can be started."""

    title: str
    description: str = ""
    tags: list[str] = msgspec.field(default_factory=list)
    difficulty: Difficulty = "Medium"
    session_length: SessionLength = "Medium"
    archetypes: list[str] = msgspec.field(default_factory=list)
    age_group: str = "6-9"
    minimum_age: int = 6
    core_axes: list[str] = msgspec.field(default_factory=list)
    characters: list[Character] = msgspec.field(default_factory=list)
    scenes: list[Scene] = msgspec.field(default_factory=list)
    is_active: bool = False
    is_featured: bool = False
    image: str | None = None
    music_palette: dict[str, Any] | None = None
    ip_asset: dict[str, Any] | None = None

    def scene(self, scene_id: str) -> Scene | None:
        """The scene of that id, or None."""
        return next((scene for scene in self.scenes if scene.id == scene_id), None)

    @property
    def first_scene(self) -> Scene:
        """Where the story begins: the scene that nothing points to, else the first that is listed."""
        named = {scene.next_scene for scene in self.scenes}
        named |= {branch.next_scene for scene in self.scenes for branch in scene.branches}
        return next((scene for scene in self.scenes if scene.id not in named), self.scenes[0])

"""The form of a story file: which keys there are, what must stand under them, and within which bounds.

These are the facts of the story schema, with `active_character` added, which the schema leaves out and plays
need. What the schema asks for is an error where it is missing; but what only decorates a scene, or changes
nothing in how the story is played, is a warning where its value is none of those foreseen.
"""

import re
from typing import Final, get_args

from mystira.domain.files.forms import Flag, Many, Number, OneOf, Text
from mystira.domain.files.groups import Field, Group
from mystira.domain.scenarios.model import Difficulty, SceneType, SessionLength

AGE_GROUPS: Final = ("1-2", "3-5", "6-9", "10-12", "13-18", "19-150")
MINIMUM_AGES: Final = (1, 3, 6, 10, 13)
"""The least ages that authors give. Another one is unusual."""

REVEAL_MECHANICS: Final = ("mirror", "dream", "spirit", "none")
MOODS: Final = (
    "none",
    "neutral",
    "cozy",
    "playful",
    "wonder",
    "mystery",
    "tense",
    "action",
    "sad",
    "victory",
)

MOST_SCENES: Final = 10_000
MOST_BRANCHES: Final = 100

_LINE: Final = Text(least=1, most=200)
_WORDS: Final = Many(form=_LINE, least=1, most=200)
_MEDIA: Final = Text(least=1, most=500)
_ENERGY: Final = Number(least=0.0, most=1.0, otherwise="warning")
_TRACK: Final = Text(
    least=1,
    most=200,
    pattern=re.compile(r"[a-z0-9][a-z0-9_-]*"),
    pattern_words="a track's id of small letters, digits, _ and -",
    otherwise="warning",
)
_SCENE_ID: Final = Text(
    least=1,
    most=200,
    pattern=re.compile(r"[A-Za-z0-9_]+"),
    pattern_words="an id of letters, digits and _",
    otherwise="warning",
)
_CHARACTER_ID: Final = Text(
    least=1,
    most=200,
    pattern=re.compile(r"[a-z0-9_]+"),
    pattern_words="an id of small letters, digits and _",
    otherwise="warning",
)
_STORY_ID: Final = Text(
    least=1,
    most=255,
    pattern=re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]*"),
    pattern_words="an id of letters, digits and . _ : ~ -, which begins with a letter or a digit",
)

METADATA: Final = Group(
    what="what a character is like, key by key",
    fields=(
        Field("role", _WORDS, required=True),
        Field("archetype", Many(form=_LINE, most=200), required=True),
        Field("species", _LINE, required=True),
        Field("age", Number(whole=True, least=1, otherwise="warning"), required=True),
        Field("traits", _WORDS, required=True),
        Field("backstory", Text(least=1), required=True),
    ),
)

CHARACTER: Final = Group(
    what="a character with id, name and metadata",
    fields=(
        # Where it is missing it is made from the name.
        Field("id", _CHARACTER_ID),
        Field("name", _LINE, required=True),
        Field("image", _MEDIA),
        Field("audio", _MEDIA),
        Field("metadata", METADATA, required=True),
    ),
)

_MUSIC: Final = Group(
    what="a mood of music, key by key",
    fields=(
        Field("profile", OneOf(words=MOODS, otherwise="warning"), required=True),
        Field("energy", _ENERGY),
        Field(
            "continuity",
            OneOf(
                words=("prefer_continue", "allow_change", "force_change", "force_silence"),
                otherwise="warning",
            ),
        ),
        Field(
            "transition_hint",
            OneOf(
                words=("auto", "keep", "crossfade_short", "crossfade_normal", "crossfade_long", "hard_cut"),
                otherwise="warning",
            ),
        ),
        Field("priority", OneOf(words=("background", "important"), otherwise="warning")),
        Field("ducking", OneOf(words=("none", "narration", "dialogue"), otherwise="warning")),
    ),
)

_SOUND_EFFECT: Final = Group(
    what="a sound with track, loopable and energy",
    fields=(
        Field("track", _TRACK, required=True),
        Field("loopable", Flag(), required=True),
        Field("energy", _ENERGY, required=True),
    ),
)

_MUSIC_PALETTE: Final = Group(
    what="tracks of music by mood",
    fields=(
        Field("default_profile", OneOf(words=MOODS, otherwise="warning")),
        Field(
            "tracks_by_profile",
            Group(
                what="lists of tracks by mood",
                fields=tuple(Field(mood, Many(form=_TRACK, most=500)) for mood in MOODS),
            ),
        ),
    ),
)

BRANCH: Final = Group(
    what="a branch with choice and next_scene",
    fields=(
        Field("choice", Text(least=1), required=True),
        Field("next_scene", _SCENE_ID, required=True, aliases=("next_scene_id",)),
        Field(
            "echo_log",
            Group(
                what="an echo with echo_type, description and strength",
                fields=(
                    Field("echo_type", _LINE, required=True),
                    Field("description", Text(least=1), required=True),
                    Field("strength", Number(least=-1.0, most=1.0), required=True),
                ),
            ),
        ),
        Field(
            "compass_change",
            Group(
                what="a change with axis and delta",
                fields=(
                    Field("axis", _LINE, required=True),
                    Field("delta", Number(least=-1.0, most=1.0), required=True),
                    Field("developmental_link", Text(least=1)),
                ),
            ),
        ),
    ),
)

_ECHO_REVEAL: Final = Group(
    what="a reveal with echo_type, min_strength and trigger_scene_id",
    fields=(
        Field("echo_type", _LINE, required=True),
        Field("min_strength", Number(least=-1.0, most=1.0, otherwise="warning"), required=True),
        Field("trigger_scene_id", _SCENE_ID, required=True, aliases=("trigger_scene",)),
        Field("max_age_scenes", Number(whole=True, least=0)),
        Field("reveal_mechanic", OneOf(words=REVEAL_MECHANICS, otherwise="warning")),
        Field("required", Flag()),
    ),
)

SCENE: Final = Group(
    what="a scene with id, title, type and description",
    fields=(
        Field("id", _SCENE_ID, required=True),
        Field("title", Text(least=1, most=500), required=True),
        Field("type", OneOf(words=get_args(SceneType)), required=True),
        Field("description", Text(least=1), required=True),
        Field("active_character", _LINE),
        Field("difficulty", Number(least=1, most=20)),
        Field("media", Group(fields=tuple(Field(sort, _MEDIA) for sort in ("image", "audio", "video")))),
        Field("music", _MUSIC),
        Field("sound_effects", Many(form=_SOUND_EFFECT, most=100, of="sounds")),
        Field("next_scene", _SCENE_ID, aliases=("next_scene_id",), may_be_null=True),
        Field("branches", Many(form=BRANCH, most=MOST_BRANCHES, keeps_places=True, of="branches")),
        Field(
            "echo_reveals",
            Many(form=_ECHO_REVEAL, most=1000, keeps_places=True, of="reveals"),
            aliases=("echo_reveal_references",),
        ),
    ),
)

STORY: Final = Group(
    what="a story, key by key",
    fields=(
        Field("id", _STORY_ID, aliases=("scenario_id", "story_id")),
        Field("title", _LINE, required=True),
        Field("description", Text(least=1, most=1000), required=True),
        Field("tags", _WORDS, required=True),
        Field("difficulty", OneOf(words=get_args(Difficulty)), required=True),
        Field("session_length", OneOf(words=get_args(SessionLength)), required=True),
        Field("age_group", OneOf(words=AGE_GROUPS), required=True),
        Field("minimum_age", Number(whole=True, least=0, most=150), required=True),
        Field("core_axes", _WORDS, required=True),
        Field("archetypes", _WORDS, required=True),
        Field("image", _MEDIA),
        Field("music_palette", _MUSIC_PALETTE),
        Field(
            "characters",
            Many(form=CHARACTER, least=1, most=1000, keeps_places=True, of="characters"),
            required=True,
        ),
        Field(
            "scenes",
            Many(form=SCENE, least=1, most=MOST_SCENES, keeps_places=True, of="scenes"),
            required=True,
        ),
    ),
)

"""Where each kind lives: one table, read from left to right.

The engine calls its four phases by what they are; people who run Mystira know them by the products.
"""

from typing import Final, Literal

import msgspec
from msgspec import structs

from manystore.placement import Phase
from manystore.records import Kind
from manystore.stores.split import Split
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.badges.kind import AXIS_ACHIEVEMENTS, BADGE_CONFIGURATIONS, BADGE_IMAGES, BADGES
from mystira.domain.bundles.kind import CONTENT_BUNDLES
from mystira.domain.characters.kind import AVATAR_CONFIGURATIONS, CHARACTER_MAP_FILES, CHARACTER_MAPS
from mystira.domain.compass.kind import COMPASS_TRACKINGS
from mystira.domain.consents.kind import DELETION_REQUESTS, PARENTAL_CONSENTS
from mystira.domain.content_steps.kind import CONTENT_STEPS
from mystira.domain.definitions.kind import AGE_GROUPS, ARCHETYPES, COMPASS_AXES, ECHO_TYPES, FANTASY_THEMES
from mystira.domain.media.kind import CHARACTER_MEDIA_METADATA, MEDIA_ASSETS, MEDIA_METADATA
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.purchases.kind import PURCHASES
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.second_factors.kind import SECOND_FACTORS
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.signing_in.kind import PENDING_SIGNUPS, SIGN_INS

StoreName = Literal["documents", "relational", "split"]
"""What a kind can live in. `split` is both: what PROFILES_SPLIT names in documents, all else in tables."""

ProfilesHome = Literal["relational", "split"]

PHASE_NAMES: Final[dict[Phase, str]] = {
    Phase.SOURCE_ONLY: "CosmosOnly",
    Phase.DUAL_WRITE_SOURCE_READ: "DualWriteCosmosRead",
    Phase.DUAL_WRITE_TARGET_READ: "DualWritePostgresRead",
    Phase.TARGET_ONLY: "PostgresOnly",
}
"""What people call the phases, one to one."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    `source` and `target` name the stores between which the kind moves; who is truth and who is copy follows
    from the phase, which is `phase` until somebody moves the kind. `home` is the phase in which the kind is
    meant to stay; `cache` names the levels that may hold its records.
    """

    kind: Kind
    source: StoreName
    target: StoreName
    phase: Phase
    home: Phase
    cache: Literal["none"] = "none"


def _to_postgres(kind: Kind) -> Entry:
    """A kind that is on its way from the documents to the tables, for good."""
    return Entry(
        kind=kind,
        source="documents",
        target="relational",
        phase=Phase.SOURCE_ONLY,
        home=Phase.TARGET_ONLY,
    )


PLACEMENT: Final = (
    _to_postgres(ACCOUNTS),
    # In the end this kind is split: its core in PostgreSQL, preferences in documents. Where nobody asks for
    # that by the setting `profiles_home`, it rests where both stores are kept.
    Entry(
        kind=USER_PROFILES,
        source="documents",
        target="relational",
        phase=Phase.SOURCE_ONLY,
        home=Phase.DUAL_WRITE_TARGET_READ,
    ),
    _to_postgres(GAME_SESSIONS),
    _to_postgres(PLAYER_SCENARIO_SCORES),
    _to_postgres(PENDING_SIGNUPS),
    _to_postgres(PARENTAL_CONSENTS),
    _to_postgres(DELETION_REQUESTS),
    _to_postgres(PURCHASES),
)
"""The kinds that can move, parents before their children. Most hold Restricted fields, which no cache may."""

SETTLED: Final[dict[StoreName, tuple[Kind, ...]]] = {
    "documents": (
        SCENARIOS,
        CONTENT_BUNDLES,
        CHARACTER_MAPS,
        CHARACTER_MAP_FILES,
        AVATAR_CONFIGURATIONS,
        MEDIA_ASSETS,
        MEDIA_METADATA,
        CHARACTER_MEDIA_METADATA,
        BADGES,
        BADGE_IMAGES,
        AXIS_ACHIEVEMENTS,
        BADGE_CONFIGURATIONS,
        COMPASS_AXES,
        ARCHETYPES,
        ECHO_TYPES,
        FANTASY_THEMES,
        AGE_GROUPS,
        COMPASS_TRACKINGS,
        SECOND_FACTORS,
        CONTENT_STEPS,
    ),
    "relational": (SIGN_INS,),
}
"""The kinds that live in one store for good. Content is documents: read whole, seldom written; second factors
and steps with content are a few documents of staff's. Who is signed in was never a document of the former
system's, so there is nothing to move.
"""

PROFILES_SPLIT: Final = Split(
    kind=USER_PROFILES,
    rest=(
        "preferredThemes",
        "avatarMediaId",
        "selectedAvatarMediaId",
        "bio",
        "pronouns",
        "hasCompletedOnboarding",
    ),
)
"""Which fields of a profile are preferences: what families change at will, and no report asks for."""


def placement_table(profiles_home: ProfilesHome) -> tuple[Entry, ...]:
    """The table, with profiles at home where the settings say."""
    if profiles_home == "relational":
        return PLACEMENT
    return tuple(
        structs.replace(entry, target="split", home=Phase.TARGET_ONLY)
        if entry.kind is USER_PROFILES
        else entry
        for entry in PLACEMENT
    )


def phase_named(name: str) -> Phase | None:
    """The phase that people call so, in whatever case; None for any other word."""
    return next((phase for phase, known in PHASE_NAMES.items() if known.lower() == name.lower()), None)

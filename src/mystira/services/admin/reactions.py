"""What is done after each change of a kind, and of which records it has failed so far."""

import datetime as dt
import functools
from typing import Any, Literal

from msgspec import Struct

from manystore.followers.failures import Failure
from manystore.followers.reaction import Reaction
from mystira.domain.errors import NotFoundError
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.queries import Nothing
from mystira.platform import Platform
from mystira.services.admin.queue import Replayed


class FailureView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A record of which the reaction failed: when next it is tried, or that it was given up (`dead`)."""

    key: str
    version: int
    state: Literal["retrying", "dead"]
    error: str
    reason: str
    attempts: int
    since: dt.datetime
    next_at: dt.datetime


class ReactionView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A reaction, the kind whose changes it follows, and what it could not do."""

    reaction: str
    kind: str
    failures: list[FailureView]


class Reactions(Struct, frozen=True, kw_only=True):
    """All reactions of the platform."""

    items: list[ReactionView]


class ReactionRoutes:
    """What each operation on reactions does."""

    def __init__(self, platform: Platform) -> None:
        self._reactions = platform.reactions

    async def search(self, call: Call[Nothing]) -> Answer:
        """All reactions with their failures."""
        return show(Reactions(items=[await _view(each) for each in self._reactions]))

    async def replay(self, call: Call[Nothing]) -> Answer:
        """Try everything that failed again."""
        name = call.path["reaction"]
        found = next((each for each in self._reactions if each.name == name), None)
        if found is None:
            raise NotFoundError(kind="reactions", key=name)
        return show(Replayed(replayed=await found.replay()))


async def _view(reaction: Reaction) -> ReactionView:
    return ReactionView(
        reaction=reaction.name,
        kind=reaction.kind.name,
        failures=[_failure(each) for each in await reaction.failures()],
    )


def _failure(failure: Failure) -> FailureView:
    shown = {name: getattr(failure, name) for name in FailureView.__struct_fields__}
    return FailureView(**shown)


def reaction_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about reactions."""
    routes = ReactionRoutes(platform)
    operation = functools.partial(Operation, tag="reactions", takes=Nothing, allows=STAFF)
    return (
        operation(
            method="GET",
            path="/reactions",
            name="listReactions",
            summary="What follows from changes, and of which records it failed",
            handle=routes.search,
            answers={200: Reactions},
        ),
        operation(
            method="POST",
            path="/reactions/{reaction}/replay",
            name="replayReaction",
            summary="Try all that failed again",
            handle=routes.replay,
            answers={200: Replayed},
            refuses=("not_found",),
            names_actor=True,
        ),
    )

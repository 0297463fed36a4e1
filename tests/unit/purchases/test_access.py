"""Who may play what: by bundles, by subscription, by what was bought."""

import datetime as dt
from typing import Any

import pytest

from mystira.domain.accounts.model import Account, Subscription, SubscriptionType
from mystira.domain.bundles.access import Access, bundle_access, require_access, story_access
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.records import UNDATED
from mystira.domain.scenarios.model import Scenario
from mystira.domain.sessions.errors import NotEntitledError

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LATER, EARLIER = NOW + dt.timedelta(seconds=1), NOW - dt.timedelta(seconds=1)


def bundle(name: str, *, stories: tuple[str, ...] = ("story",), **more: Any) -> ContentBundle:
    return ContentBundle(id=name, created_at=UNDATED, title=name, scenario_ids=list(stories), **more)


SOLD, GIVEN = bundle("sold"), bundle("given", is_free=True)
WITHDRAWN = bundle("withdrawn", is_active=False)
NOT_YET_GIVEN = bundle("later", is_free=True, is_active=False)


@pytest.mark.parametrize(
    ("bundles", "access"),
    [
        ((), Access.FREE),
        ((bundle("other", stories=("other",)),), Access.FREE),
        ((GIVEN,), Access.FREE),
        ((NOT_YET_GIVEN,), Access.FREE),
        ((SOLD,), Access.NONE),
        ((SOLD, GIVEN), Access.FREE),
        ((SOLD, NOT_YET_GIVEN), Access.NONE),
        ((WITHDRAWN,), Access.NONE),
    ],
)
def test_bundles_decide_what_is_free(bundles: tuple[ContentBundle, ...], access: Access) -> None:
    """What is taken off the shelf is not given away by that."""
    assert story_access(Subscription(), "story", bundles, NOW) is access


@pytest.mark.parametrize(
    ("held", "access"),
    [
        (Subscription(type=SubscriptionType.MONTHLY, valid_until=LATER), Access.SUBSCRIBED),
        (Subscription(type=SubscriptionType.ANNUAL), Access.SUBSCRIBED),
        (Subscription(type=SubscriptionType.MONTHLY, valid_until=NOW), Access.NONE),
        (Subscription(type=SubscriptionType.MONTHLY, valid_until=LATER, is_active=False), Access.NONE),
        (Subscription(type=SubscriptionType.LIFETIME, valid_until=EARLIER), Access.SUBSCRIBED),
        (Subscription(type=SubscriptionType.LIFETIME, is_active=False), Access.NONE),
        (Subscription(type=SubscriptionType.INDIVIDUAL, valid_until=LATER), Access.NONE),
        (Subscription(valid_until=LATER), Access.NONE),
        (Subscription(purchased_scenarios=["story"], is_active=False), Access.BOUGHT),
    ],
)
def test_subscriptions_lapse_and_what_was_bought_stays(held: Subscription, access: Access) -> None:
    """To the moment: at the end of what was paid for, it is over."""
    assert story_access(held, "story", [SOLD], NOW) is access
    assert bundle_access(held, SOLD, NOW) is access


def test_a_refusal_names_what_can_be_bought() -> None:
    """Not what holds the story and is sold no more."""
    account = Account(id="a", created_at=NOW, email="ada@example.org")
    story = Scenario(id="story", created_at=NOW, title="Story")
    with pytest.raises(NotEntitledError) as refused:
        require_access(account, story, [SOLD, WITHDRAWN, bundle("too")], NOW)
    assert refused.value.bundles == ("sold", "too")


def test_of_a_bundle_one_has_all_or_nothing() -> None:
    """Some of its stories are not the bundle; a bundle without stories is nobody's."""
    half = Subscription(purchased_scenarios=["story"])
    assert bundle_access(half, bundle("two", stories=("story", "other")), NOW) is Access.NONE
    assert bundle_access(half, bundle("none", stories=()), NOW) is Access.NONE

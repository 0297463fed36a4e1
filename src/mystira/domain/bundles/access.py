"""Who may play what: what is free, what is subscribed to and not lapsed, and what was bought.

A story is free where no bundle that is sold holds it, or where one that is given away, and is active, does.
Whether a bundle that is sold is active decides whether it can be bought, never whether its stories cost
something: what is taken off the shelf is not given away by that.
"""

import datetime as dt
import enum
from collections.abc import Iterable, Sequence
from typing import Final

from mystira.domain.accounts.model import Account, Subscription, SubscriptionType
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.scenarios.model import Scenario
from mystira.domain.sessions.errors import NotEntitledError

_WITH_AN_END: Final = (SubscriptionType.MONTHLY, SubscriptionType.ANNUAL)


class Access(enum.StrEnum):
    """Why an account may play a story, or that it may not."""

    FREE = "free"
    SUBSCRIBED = "subscribed"
    BOUGHT = "bought"
    NONE = "none"


def is_subscribed(subscription: Subscription, now: dt.datetime) -> bool:
    """Whether all stories are open: for life, or until a time that has not come, or that nobody set."""
    if not subscription.is_active:
        return False
    if subscription.type is SubscriptionType.LIFETIME:
        return True
    is_over = subscription.valid_until is not None and subscription.valid_until <= now
    return subscription.type in _WITH_AN_END and not is_over


def story_access(
    subscription: Subscription, scenario_id: str, bundles: Iterable[ContentBundle], now: dt.datetime
) -> Access:
    """Why somebody with this subscription may play the story, by the best reason; NONE where they may not."""
    holding = [bundle for bundle in bundles if scenario_id in bundle.scenario_ids]
    is_given = any(bundle.is_free and bundle.is_active for bundle in holding)
    if is_given or all(bundle.is_free for bundle in holding):
        return Access.FREE
    if scenario_id in subscription.purchased_scenarios:
        return Access.BOUGHT
    return Access.SUBSCRIBED if is_subscribed(subscription, now) else Access.NONE


def bundle_access(subscription: Subscription, bundle: ContentBundle, now: dt.datetime) -> Access:
    """What somebody with this subscription has of a bundle: all of it, and why; else NONE."""
    if bundle.is_free:
        return Access.FREE
    if holds_all(subscription, bundle.scenario_ids):
        return Access.BOUGHT
    return Access.SUBSCRIBED if is_subscribed(subscription, now) else Access.NONE


def holds_all(subscription: Subscription, scenario_ids: Sequence[str]) -> bool:
    """Whether all of the stories were bought, and there are any."""
    return bool(scenario_ids) and set(scenario_ids) <= set(subscription.purchased_scenarios)


def may_play(
    account: Account, scenario: Scenario, bundles: Iterable[ContentBundle], now: dt.datetime
) -> bool:
    """Whether an account has access to a story."""
    return story_access(account.subscription, scenario.id, bundles, now) is not Access.NONE


def require_access(
    account: Account, scenario: Scenario, bundles: Sequence[ContentBundle], now: dt.datetime
) -> None:
    """Raise NotEntitledError, which names the bundles to buy, unless the account may play the story."""
    if not may_play(account, scenario, bundles, now):
        sold = [each.id for each in bundles if each.is_active and scenario.id in each.scenario_ids]
        raise NotEntitledError(scenario=scenario.id, bundles=sold)

"""The App API: what players' apps ask: to be let in, and for what is theirs."""

import datetime as dt
import functools
import random
from typing import Any, Final

from manystore.repository import Repository
from mystira.domain.accounts.model import Account
from mystira.domain.bundles.access import require_access
from mystira.domain.bundles.kind import CONTENT_BUNDLES
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.bundles.shelf import Shelf
from mystira.domain.consents.guardianship import guardianship_of
from mystira.domain.consents.kind import PARENTAL_CONSENTS
from mystira.domain.consents.model import ParentalConsent, Purpose
from mystira.domain.consents.playing import playing_rule
from mystira.domain.consents.use_cases import require_consent
from mystira.domain.forms import ContentId, RecordId
from mystira.domain.media.kind import MEDIA_ASSETS
from mystira.domain.media.model import MediaAsset
from mystira.domain.purchases.checkout import checkout_of
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.domain.second_factors.kind import SECOND_FACTORS
from mystira.domain.second_factors.model import SecondFactor
from mystira.domain.second_factors.use_cases import Strongroom
from mystira.domain.sessions.laying_aside import lay_aside
from mystira.domain.signing_in.kind import PENDING_SIGNUPS, SIGN_INS
from mystira.domain.signing_in.model import PendingSignup, SignIn
from mystira.domain.signing_in.sign_ins import Terms
from mystira.domain.signing_in.use_cases import Reception
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.gateways.outside import Outside
from mystira.http.admission import Admission
from mystira.http.operations import Operation
from mystira.http.service import PathParameter, Service
from mystira.platform import Platform
from mystira.services.app_api.accounts import account_operations
from mystira.services.app_api.answers import PREFIX
from mystira.services.app_api.badges import badge_operations
from mystira.services.app_api.bundles import bundle_operations
from mystira.services.app_api.consents import consent_operations
from mystira.services.app_api.media import Digest, media_operations
from mystira.services.app_api.owners import profile_owner, require_own_profile
from mystira.services.app_api.profiles import profile_operations
from mystira.services.app_api.purchases import purchase_operations
from mystira.services.app_api.scenarios import ScenarioSummary, scenario_operations
from mystira.services.app_api.scores import score_operations
from mystira.services.app_api.second_factors import second_factor_operations
from mystira.services.app_api.sessions import session_operations
from mystira.services.app_api.signing_in import signing_in_operations
from mystira.settings import Settings

_DESCRIPTION: Final = (
    "Signing in, accounts and profiles. Every record has a version, which is its ETag: changes name the "
    "version that they were made to. Refusals are problem documents whose code never changes its meaning."
)

_PATH_PARAMETERS: Final = {
    "accountId": PathParameter(
        meaning="The account's id.", form=RecordId, example="01941f29-7c00-7aaa-9aaa-aaaaaaaaaaaa"
    ),
    "profileId": PathParameter(
        meaning="The profile's id.", form=RecordId, example="01941f29-7c00-7bbb-9bbb-bbbbbbbbbbbb"
    ),
    "scenarioId": PathParameter(meaning="The story's id.", form=ContentId, example="the-lost-lantern"),
    "bundleId": PathParameter(meaning="The bundle's id.", form=ContentId, example="winter-lights"),
    "purchaseId": PathParameter(
        meaning="The purchase's id.", form=RecordId, example="01941f29-7c00-7eee-9eee-eeeeeeeeeeee"
    ),
    "consentId": PathParameter(
        meaning="The consent's id.", form=RecordId, example="01941f29-7c00-7fff-9fff-ffffffffffff"
    ),
    "deletionId": PathParameter(
        meaning="The request's id.", form=RecordId, example="01941f29-7c00-7ddd-9ddd-dddddddddddd"
    ),
    "mediaId": PathParameter(meaning="The id of the media.", form=ContentId, example="cover"),
    "digest": PathParameter(
        meaning="The SHA-256 of the bytes, in hexadecimal.", form=Digest, example="0" * 64
    ),
    "sessionId": PathParameter(
        meaning="The session's id.", form=RecordId, example="01941f29-7c00-7ccc-9ccc-cccccccccccc"
    ),
}

_TAGS: Final = {
    "signing in": "Coming in by a code that is mailed, and going out again.",
    "accounts": "Who signed up, with settings, a subscription and completed scenarios.",
    "profiles": "Who plays under an account, with the badges earned.",
    "consents": "What parents allow for their children's profiles.",
    "stories": "What can be played.",
    "media": "Pictures, sounds and films.",
    "purchases": "Bundles and subscriptions, and what was paid for them.",
    "play": "Sessions, step by step; what they came to, and the badges that they brought.",
}


def reception_of(platform: Platform, *, service_key: str) -> Reception:
    """Where people are let in to a platform."""
    return Reception(
        accounts=platform.accounts,
        pending=platform.repository(PendingSignup, PENDING_SIGNUPS),
        sign_ins=platform.repository(SignIn, SIGN_INS),
        key=service_key,
        clock=platform.clock,
        randomness=random.SystemRandom(),
        terms=terms_of(platform.settings),
    )


def _strongroom(platform: Platform, reception: Reception) -> Strongroom:
    return Strongroom(
        factors=platform.repository(SecondFactor, SECOND_FACTORS),
        accounts=reception.accounts,
        sign_ins=reception.sign_ins,
        key=reception.key,
        clock=reception.clock,
        randomness=reception.randomness,
    )


def terms_of(settings: Settings) -> Terms:
    """How long sign-ins last."""
    return Terms(
        idle=dt.timedelta(days=settings.sign_in_idle_days), longest=dt.timedelta(days=settings.sign_in_days)
    )


def app_api(platform: Platform, outside: Outside, *, service_key: str) -> Service:
    """The service over a platform."""
    reception, keys = reception_of(platform, service_key=service_key), outside.keys
    return Service(
        name="appApi",
        prefix=PREFIX,
        title="Mystira App API",
        description=_DESCRIPTION,
        operations=(
            *signing_in_operations(reception, outside, platform.settings),
            *second_factor_operations(
                _strongroom(platform, reception),
                Admission(outside, platform.settings, service_key),
                outside,
            ),
            *account_operations(platform, keys, reception.sign_ins),
            *profile_operations(platform, keys),
            *_consent_operations(platform, outside, service_key),
            *_play_operations(platform, keys),
            *_shop_operations(platform, outside),
            *media_operations(platform.repository(MediaAsset, MEDIA_ASSETS), platform.objects),
        ),
        path_parameters=_PATH_PARAMETERS,
        tags=_TAGS,
    )


def _play_operations(platform: Platform, keys: IdempotencyKeys) -> tuple[Operation[Any], ...]:
    play, owner = platform.play, profile_owner(platform.profiles)
    summaries = Repository(ScenarioSummary, SCENARIOS, platform.leases, platform.clock)
    shelf = Shelf(platform.repository(ContentBundle, CONTENT_BUNDLES), platform.clock)

    async def may_play(account: Account, scenario: Scenario) -> bool:
        require_access(account, scenario, await shelf.bundles(), platform.clock.now())
        return True

    may_join = playing_rule(platform.repository(ParentalConsent, PARENTAL_CONSENTS), platform.clock)
    return (
        *scenario_operations(summaries, play.stories, shelf, play.accounts, platform.clock),
        *session_operations(play, keys, may_play=may_play, may_join=may_join),
        *score_operations(play.scores, owner),
        *badge_operations(play, owner),
    )


def _shop_operations(platform: Platform, outside: Outside) -> tuple[Operation[Any], ...]:
    checkout = checkout_of(platform, outside.payments)
    consents = platform.repository(ParentalConsent, PARENTAL_CONSENTS)

    async def may_buy(account_id: str, profile_id: str) -> None:
        profile = await require_own_profile(platform.profiles, account_id, profile_id)
        today = platform.clock.now().date()
        await require_consent(consents, profile, Purpose.PURCHASES, field="profileId", today=today)

    return (
        *bundle_operations(checkout.bundles, checkout.accounts, platform.clock),
        *purchase_operations(checkout, outside.keys, may_buy=may_buy),
    )


def _consent_operations(platform: Platform, outside: Outside, service_key: str) -> tuple[Operation[Any], ...]:
    return consent_operations(
        guardianship_of(platform, key=service_key),
        outside,
        profile_owner(platform.profiles),
        Admission(outside, platform.settings, service_key),
        functools.partial(lay_aside, platform.play),
    )

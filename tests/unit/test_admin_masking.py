"""What the Admin API hides of people, and who may see it."""

from typing import Any

import pytest

from manystore.changes import START
from manystore.errors import MissingParentError
from manystore.moves.tasks import Action
from manystore.records import Record
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.services.admin.masking import mask, mask_evidence
from tests.refusals import check_problem
from tests.serving import Api, quick

__all__ = ["quick"]

CONTENT: dict[str, Any] = {
    "id": "01941f29-7c00-7aaa-9aaa-aaaaaaaaaaaa",
    "email": "ada@example.org",
    "displayName": None,
    "settings": {"theme": "dark", "unheardOf": "secret"},
    "subscription": {"type": "Free", "purchaseToken": "token"},
    "completedScenarioIds": ["a"],
    "shoeSize": 38,
}


def test_every_value_is_hidden_by_its_label() -> None:
    """Structure, nulls and the id stay; a value that was never declared could be anything."""
    assert mask(ACCOUNTS, CONTENT) == {
        "id": CONTENT["id"],
        "email": "[Restricted]",
        "displayName": None,
        "settings": {"theme": "[Confidential]", "unheardOf": "[Restricted]"},
        "subscription": {"type": "[Confidential]", "purchaseToken": "[Restricted]"},
        "completedScenarioIds": "[Confidential]",
        "shoeSize": "[Restricted]",
    }
    assert mask(ACCOUNTS, None) is None


def test_a_value_of_the_wrong_shape_is_hidden_whole() -> None:
    """Old data may hold text where a part is declared; it is hidden all the same."""
    odd = {"subscription": "secret", "settings": ["secret"]}
    assert mask(ACCOUNTS, odd) == {"subscription": "[Restricted]", "settings": ["[Confidential]"]}


def test_parts_in_lists_are_hidden_one_by_one() -> None:
    """Badges keep their number, and the names of what they hold."""
    badges = {"earnedBadges": [{"badgeName": "Curious", "id": "b"}, "odd", None]}
    assert mask(USER_PROFILES, badges) == {
        "earnedBadges": [
            {"badgeName": "[Restricted]", "id": "[Confidential]"},
            "[Restricted]",
            "[Restricted]",
        ]
    }


async def _queue_up(api: Api) -> str:
    """A parked change in the queue; returns its key."""
    await api.platform.mover.carry_out(Action.START, "accounts")
    track = await api.platform.track("accounts")
    problem = MissingParentError(
        kind="accounts", key=CONTENT["id"], field="f", parent_kind="p", parent_key="k"
    )
    await track.queue.hold(Record(CONTENT["id"], 3, CONTENT), problem)
    return str(CONTENT["id"])


async def test_personal_values_are_shown_for_a_reason_that_is_kept(quick: Api) -> None:
    """Without a reason they are masked; with one they are shown, and who saw them and why is written down."""
    key = await _queue_up(quick)
    path = f"/admin/api/queue/accounts/{key}"
    masked = (await quick.client.get(path)).json()
    assert (masked["isMasked"], masked["change"]["email"]) == (True, "[Restricted]")
    assert not await quick.platform.documents.notes("audit/")
    query, headers = {"reason": "Ticket 4711"}, {"X-Actor": "ada"}
    shown = (await quick.client.get(path, params=query, headers=headers)).json()
    assert (shown["isMasked"], shown["change"]["email"]) == (False, "ada@example.org")
    noted = await quick.platform.documents.notes("audit/")
    assert len(noted) == 1
    for words in (b"ada", b"Ticket 4711", b"queue.read", key.encode()):
        assert words in noted[0].value


async def test_a_list_never_shows_personal_values(quick: Api) -> None:
    """A reason is for one record."""
    await _queue_up(quick)
    listed = (await quick.client.get("/admin/api/queue/accounts")).json()
    assert [each["change"]["email"] for each in listed["items"]] == ["[Restricted]"]
    answer = await quick.client.get("/admin/api/queue/accounts", params={"reason": "Ticket 4711"})
    assert check_problem(answer)["code"] == "unknown_parameter"


async def test_a_reason_says_something(quick: Api) -> None:
    """Neither nothing nor a letter nor a control character is a reason; nor is a nameless actor one."""
    key = await _queue_up(quick)
    path = f"/admin/api/queue/accounts/{key}"
    for reason in ("", "x", "a\nb", "x" * 501):
        answer = await quick.client.get(path, params={"reason": reason})
        assert check_problem(answer)["path"] == "reason"
    for actor in (b"", b"a b", b"x" * 101, "é".encode()):
        answer = await quick.client.get(path, headers={b"X-Actor": actor})
        assert check_problem(answer)["path"] == "X-Actor"
    assert not await quick.platform.documents.notes("audit/")
    assert (await quick.platform.documents.changes(ACCOUNTS, START, 10)).changes == ()


@pytest.mark.parametrize(
    ("evidence", "shown"),
    [
        ('{"id":"7","email":"a@b"}', {"id": "7", "email": "[Restricted]"}),
        ("null", None),
        (
            '[{"table":"accounts","operation":"UPDATE","row":{"id":"7","email":"a@b","bio":null},"old":"a@b"}]',
            [
                {
                    "table": "accounts",
                    "operation": "UPDATE",
                    "row": {"id": "[Restricted]", "email": "[Restricted]", "bio": None},
                }
            ],
        ),
        ('["a@b"]', ["[Restricted]"]),
        ('"a@b"', "[Restricted]"),
        ("a@b, and no JSON", "[Restricted]"),
    ],
)
def test_evidence_of_any_form_is_masked(evidence: str, shown: object) -> None:
    """Documents by their labels, rows whole, and whatever else there may be, of which nothing is known."""
    assert mask_evidence(ACCOUNTS, evidence, is_masked=True) == shown
    whole = mask_evidence(ACCOUNTS, evidence, is_masked=False)
    assert evidence == "null" or "a@b" in str(whole)

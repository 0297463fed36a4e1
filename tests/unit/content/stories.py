"""A sound story to begin with, and what makes it another."""

import copy
from typing import Any

import httpx
import msgspec
import yaml

from mystira.domain.files.findings import Finding
from mystira.domain.scenarios.reading import Review, review_document, review_file
from tests.refusals import check_problem

Document = dict[str, Any]

_STORY: Document = {
    "title": "The Lantern on the Hill",
    "description": "Two friends carry a light home.",
    "tags": ["night", "friendship"],
    "difficulty": "Easy",
    "session_length": "Short",
    "age_group": "6-9",
    "minimum_age": 6,
    "core_axes": ["Patience"],
    "archetypes": ["keeper"],
    "characters": [
        {
            "id": "mara",
            "name": "Mara",
            "metadata": {
                "role": ["lead"],
                "archetype": ["keeper"],
                "species": "otter",
                "age": 8,
                "traits": ["calm"],
                "backstory": "She grew up by the river.",
            },
        }
    ],
    "scenes": [
        {
            "id": "gate",
            "title": "At the gate",
            "type": "narrative",
            "description": "The gate stands open.",
            "next_scene": "fork",
        },
        {
            "id": "fork",
            "title": "The fork",
            "type": "choice",
            "description": "Left or right?",
            "active_character": "mara",
            "branches": [
                {
                    "choice": "Wait for the moon",
                    "next_scene": "climb",
                    "echo_log": {"echo_type": "calm", "description": "Mara waited.", "strength": 0.5},
                    "compass_change": {"axis": "Patience", "delta": 0.25},
                },
                {"choice": "Run", "next_scene": "home"},
            ],
        },
        {
            "id": "climb",
            "title": "The climb",
            "type": "roll",
            "description": "It is steep.",
            "difficulty": 12,
            "branches": [
                {"choice": "Up", "next_scene": "home"},
                {"choice": "Slip", "next_scene": "fork"},
            ],
            "echo_reveals": [
                {
                    "echo_type": "calm",
                    "min_strength": 0.2,
                    "trigger_scene_id": "home",
                    "reveal_mechanic": "mirror",
                }
            ],
        },
        {"id": "home", "title": "Home", "type": "special", "description": "Light.", "next_scene": None},
    ],
}


def story(**changes: Any) -> Document:
    """The document of a sound story with some keys changed; one changed to `...` is left out."""
    document = copy.deepcopy(_STORY) | changes
    return {key: value for key, value in document.items() if value is not ...}


def scene(name: str, **changes: Any) -> Document:
    """The sound story with one scene changed."""
    document = story()
    for each in document["scenes"]:
        if each["id"] == name:
            each.update(changes)
            for key in [key for key, value in each.items() if value is ...]:
                del each[key]
    return document


def as_yaml(document: Any) -> bytes:
    """A document as YAML, by the library and not by us."""
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return text.encode()


def as_json(document: Any) -> bytes:
    """A document as JSON."""
    return msgspec.json.encode(document)


def codes(review: Review) -> set[tuple[str, str, str]]:
    """Severity, code and path of what was found."""
    return {(each.severity, each.code, each.path) for each in review.findings}


def judged(document: Any) -> set[tuple[str, str, str]]:
    """What is found in a document."""
    return codes(review_document(document))


def read(text: str | bytes, name: str = "story.yaml") -> Review:
    """The review of a text."""
    return review_file(text if isinstance(text, bytes) else text.encode(), name=name)


def only(findings: tuple[Finding, ...]) -> Finding:
    """The one thing that was found."""
    assert len(findings) == 1, findings
    return findings[0]


def refused(answer: httpx.Response, status: int, code: str) -> Document:
    """The problem document of a refusal, which has that status and code."""
    problem = check_problem(answer)
    assert (problem["status"], problem["code"]) == (status, code), problem
    return problem

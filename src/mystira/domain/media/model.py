"""What a piece of media is. Equal bytes are stored once, under their SHA-256."""

import datetime as dt
from typing import Any, Literal

import msgspec

from mystira.domain.records import Entity

MediaType = Literal["image", "audio", "video"]
Tier = Literal["hot", "cool", "archive", "music"]


class MediaAsset(Entity, frozen=True, kw_only=True, rename="camel"):
    """One picture, sound or film; `id` equals `media_id`, by which stories name it. Sizes are in bytes."""

    media_id: str
    url: str
    media_type: MediaType
    mime_type: str
    size_bytes: int
    sha256: str
    version: str = "1"
    tags: list[str] = msgspec.field(default_factory=list)
    tier: Tier = "hot"
    last_accessed_at: dt.datetime | None = None
    thumbnail_url: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class MediaNote(Entity, frozen=True, kw_only=True, rename="camel"):
    """What is said about several media at once."""

    name: str
    description: str = ""
    media_ids: list[str] = msgspec.field(default_factory=list)
    tags: dict[str, Any] = msgspec.field(default_factory=dict)

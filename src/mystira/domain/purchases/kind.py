"""How purchases are declared to the engine: each a small saga that writes each step down before taking it."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label, Parent
from mystira.domain.former import with_former_names

PURCHASES: Final = Kind(
    name="purchases",
    container="Purchases",
    partition_key="accountId",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="accountId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="bundleId", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="plan", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="requestId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="scenarioIds", type=FieldType.STRINGS, label=Label.CONFIDENTIAL),
            Field(name="status", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="amount", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="currency", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="gateway", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="reference", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="reason", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="chargedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="grantedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="refundedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        )
    ),
    parents=(Parent(field="accountId", kind="accounts"),),
)

"""The document store in the cloud: Azure Cosmos DB through its SDK."""

from manystore.stores.cosmos.store import CosmosStore

__all__ = ["CosmosStore"]

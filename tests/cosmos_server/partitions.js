"use strict";
/**
 * What the package does not keep: physical partitions, each with its own log sequence number.
 *
 * Cloud: a container is spread over physical partitions by a hash of the partition key; each has a sequence
 * of its own, and a split leaves the numbers of the parent to both children.
 * https://learn.microsoft.com/azure/cosmos-db/partitioning-overview
 */
const crypto = require("crypto");

const NOTHING = Symbol("no partition key");
const kept = new WeakMap();
let defaultPartitions = 1;

function setDefaultPartitions(count) {
  defaultPartitions = count;
}

/** `count` ranges that share the space of hashes; bounds look like the cloud's (hexadecimal, "" to "FF"). */
function freshRanges(count) {
  const bound = part =>
    part === 0 ? "" : part === count ? "FF" : Math.floor((part * 0x4000) / count).toString(16).toUpperCase().padStart(4, "0") + "0".repeat(28);
  return Array.from({ length: count }, (_, i) => ({
    id: String(i), minInclusive: bound(i), maxExclusive: bound(i + 1), parents: [], lsn: 0
  }));
}

/** The ranges of a container, and for each document (by _rid) its hash and the number of its last write. */
function partitionsOf(collection) {
  if (!kept.has(collection)) {
    kept.set(collection, { ranges: freshRanges(defaultPartitions), written: new Map(), nextId: defaultPartitions, version: 1 });
  }
  return kept.get(collection);
}

function valueAt(document, path) {
  return path.reduce((value, name) => (value === undefined || value === null ? undefined : value[name]), document);
}

/** The partition key that a document has; anything that cannot be one counts as none, as in the cloud. */
function partitionKeyOf(collection, document) {
  const { partitionKey } = collection.read();
  const path = ((partitionKey || {}).paths || ["/id"])[0].slice(1).split("/");
  const value = valueAt(document, path);
  return value === undefined || (typeof value === "object" && value !== null) ? NOTHING : value;
}

/** The partition key that a request names: a value, NOTHING for `[{}]`, undefined where the header is absent. */
function partitionKeyIn(req) {
  const header = req.headers["x-ms-documentdb-partitionkey"];
  if (header === undefined) return undefined;
  const [value] = JSON.parse(header);
  return typeof value === "object" && value !== null ? NOTHING : value;
}

function hashOf(partitionKey) {
  const text = partitionKey === NOTHING ? "nothing" : JSON.stringify(partitionKey);
  const hash = crypto.createHash("sha256").update(text).digest();
  hash[0] &= 0x3f;
  return hash.toString("hex", 0, 16).toUpperCase();
}

function rangeOfHash(partitions, hash) {
  return partitions.ranges.find(range => range.minInclusive <= hash && (hash < range.maxExclusive || range.maxExclusive === "FF"));
}

/** Number one transaction: every document of it gets the same sequence number. */
function numberWrites(collection, documents) {
  const partitions = partitionsOf(collection);
  const numbers = new Map();
  for (const document of documents) {
    const hash = hashOf(partitionKeyOf(collection, document));
    const range = rangeOfHash(partitions, hash);
    if (!numbers.has(range)) numbers.set(range, (range.lsn += 1));
    partitions.written.set(document._rid, { hash, lsn: numbers.get(range) });
  }
}

/** A delete raises the number of its partition too, and leaves nothing in the feed. */
function numberDelete(collection, document) {
  const partitions = partitionsOf(collection);
  rangeOfHash(partitions, hashOf(partitionKeyOf(collection, document))).lsn += 1;
  partitions.written.delete(document._rid);
}

/** Split one range in its middle. */
function split(collection, id) {
  const partitions = partitionsOf(collection);
  const parent = partitions.ranges.find(range => range.id === id);
  const low = parseInt(parent.minInclusive.slice(0, 4) || "0", 16);
  const high = parent.maxExclusive === "FF" ? 0x4000 : parseInt(parent.maxExclusive.slice(0, 4), 16);
  const middle = Math.floor((low + high) / 2).toString(16).toUpperCase().padStart(4, "0") + "0".repeat(28);
  const child = (minInclusive, maxExclusive) => ({
    id: String(partitions.nextId++), minInclusive, maxExclusive, parents: [...parent.parents, parent.id], lsn: parent.lsn
  });
  partitions.ranges.splice(
    partitions.ranges.indexOf(parent), 1, child(parent.minInclusive, middle), child(middle, parent.maxExclusive)
  );
  partitions.version += 1;
}

/**
 * The documents that a request is about: those of one partition key, of one physical partition, of a part of
 * one, or all. Returns null where the physical partition is gone.
 */
function scopeOf(collection, req) {
  const partitions = partitionsOf(collection);
  const all = [...collection.documents._data.values()].map(item => item.read());
  const partitionKey = partitionKeyIn(req);
  if (partitionKey !== undefined) {
    const range = rangeOfHash(partitions, hashOf(partitionKey));
    return { range, documents: all.filter(each => partitionKeyOf(collection, each) === partitionKey) };
  }
  const id = req.headers["x-ms-documentdb-partitionkeyrangeid"];
  if (id === undefined) return { range: partitions.ranges[0], isUnscoped: true, documents: all };
  const range = partitions.ranges.find(each => each.id === id.split(",").pop());
  if (!range) return null;
  const low = req.headers["x-ms-start-epk"] || range.minInclusive;
  const high = req.headers["x-ms-end-epk"] || range.maxExclusive;
  const lies = ({ hash }) => low <= hash && (hash < high || high === "FF") && rangeOfHash(partitions, hash) === range;
  return { range, documents: all.filter(each => lies(partitions.written.get(each._rid))) };
}

module.exports = {
  NOTHING, setDefaultPartitions, partitionsOf, partitionKeyOf, partitionKeyIn, hashOf, rangeOfHash,
  numberWrites, numberDelete, split, scopeOf
};

"use strict";
/**
 * The document operations of @vercel/cosmosdb-server 1.0.1, corrected where the cloud behaves otherwise.
 *
 * The package keeps the documents and runs the queries; each handler here takes the place of one of its own.
 * Every correction names the cloud's documented behaviour.
 */
const parseBody = require("@vercel/cosmosdb-server/lib/json").default;
const { SyntaxError: QuerySyntaxError } = require("@zeit/cosmosdb-query");
const {
  NOTHING, partitionsOf, partitionKeyOf, partitionKeyIn, hashOf, rangeOfHash, numberWrites, numberDelete, scopeOf
} = require("./partitions");

const MAX_DOCUMENT_BYTES = 2 * 1024 * 1024;
const MAX_ID_BYTES = 1023;
const MAX_BATCH = 100;

class Refusal extends Error {
  constructor(statusCode, code, message, subStatus) {
    super(message);
    Object.assign(this, { statusCode, code, subStatus });
  }
}

const notFound = () => new Refusal(404, "NotFound", "Entity with the specified id does not exist in the system.");

/** Run a handler; a refusal becomes its status with the cloud's body `{code, message}`. */
function answering(handler) {
  return async (account, req, res, params) => {
    try {
      return await handler(account, req, res, params);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      res.statusCode = error.statusCode;
      if (error.subStatus) res.pin("x-ms-substatus", String(error.subStatus));
      return { code: error.code, message: error.message };
    }
  };
}

// Cloud: malformed JSON is 400. Package: 500.
// https://learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb
async function bodyOf(req) {
  try {
    return await parseBody(req);
  } catch (error) {
    throw new Refusal(400, "BadRequest", `The input content is invalid: ${error.message}`);
  }
}

function collectionOf(account, { dbId, collId }) {
  const collection = account.database(dbId).collection(collId);
  if (!collection.read()) throw notFound();
  expire(collection);
  return collection;
}

// Cloud: an item lives `ttl` seconds after its last write if the container has a default (−1: only items with
// a `ttl` of their own expire); without a default nothing expires. Package: nothing ever expires.
// https://learn.microsoft.com/azure/cosmos-db/nosql/time-to-live
function expire(collection) {
  const { defaultTtl } = collection.read();
  if (defaultTtl === undefined || defaultTtl === null) return;
  const now = Math.floor(Date.now() / 1000);
  for (const item of [...collection.documents._data.values()]) {
    const document = item.read();
    const ttl = typeof document.ttl === "number" ? document.ttl : defaultTtl;
    if (ttl >= 0 && document._ts + ttl <= now) remove(collection, document);
  }
}

function remove(collection, document) {
  collection.documents.delete(document.id, lookupKey(partitionKeyOf(collection, document)));
  numberDelete(collection, document);
}

/** How the package's index calls a partition key; it knows none for documents without one. */
function lookupKey(partitionKey) {
  return partitionKey === NOTHING || partitionKey === null ? undefined : partitionKey;
}

/** The document of that id *in that logical partition*, or undefined. */
function lookUp(collection, id, partitionKey) {
  const document = collection.documents._item("/id", id, lookupKey(partitionKey)).read();
  return document && document.id === id && partitionKeyOf(collection, document) === partitionKey ? document : undefined;
}

function requirePartitionKey(req) {
  const partitionKey = partitionKeyIn(req);
  if (partitionKey === undefined) {
    throw new Refusal(400, "BadRequest", "PartitionKey value must be supplied for this operation.");
  }
  return partitionKey;
}

// Cloud: an id has no '/', '\', '?' or '#' and at most 1,023 bytes; an item has at most 2 MB; the partition
// key in the header must be the document's. Package: checks nothing of it.
// https://learn.microsoft.com/azure/cosmos-db/concepts-limits
function checkDocument(collection, document, partitionKey) {
  if (!document || typeof document.id !== "string" || document.id === "") {
    throw new Refusal(400, "BadRequest", "The required property 'id' is missing.");
  }
  if (/[/\\?#]/.test(document.id) || Buffer.byteLength(document.id) > MAX_ID_BYTES) {
    throw new Refusal(400, "BadRequest", "The id has illegal characters or is too long.");
  }
  if (Buffer.byteLength(JSON.stringify(document)) > MAX_DOCUMENT_BYTES) {
    throw new Refusal(413, "RequestEntityTooLarge", "Request size is too large.");
  }
  if (partitionKeyOf(collection, document) !== partitionKey) {
    throw new Refusal(400, "BadRequest", "PartitionKey extracted from document doesn't match the one specified in the header.", 1001);
  }
}

// Cloud: If-Match that is not the item's ETag is 412. (The package does this for replace and delete only.)
// https://learn.microsoft.com/azure/cosmos-db/nosql/database-transactions-optimistic-concurrency
function checkMatch(ifMatch, document) {
  if (ifMatch && ifMatch !== "*" && ifMatch !== document._etag) {
    throw new Refusal(412, "PreconditionFailed", "One of the specified pre-condition is not met.");
  }
}

/** The package's own create, replace: its conflicts become refusals. */
function keep(write) {
  try {
    return write();
  } catch (error) {
    if (error.conflict) throw new Refusal(409, "Conflict", "Entity with the specified id already exists in the system.");
    if (error.badRequest) throw new Refusal(400, "BadRequest", error.message);
    throw error;
  }
}

const operations = {
  Create(collection, partitionKey, { resourceBody }) {
    checkDocument(collection, resourceBody, partitionKey);
    return { statusCode: 201, document: keep(() => collection.documents.create(resourceBody)) };
  },
  Upsert(collection, partitionKey, input) {
    checkDocument(collection, input.resourceBody, partitionKey);
    const before = lookUp(collection, input.resourceBody.id, partitionKey);
    if (!before) return operations.Create(collection, partitionKey, input);
    checkMatch(input.ifMatch, before);
    return { statusCode: 200, document: keep(() => collection.documents.replace(input.resourceBody, before)) };
  },
  Replace(collection, partitionKey, { id, resourceBody, ifMatch }) {
    const before = lookUp(collection, id, partitionKey);
    if (!before) throw notFound();
    checkMatch(ifMatch, before);
    checkDocument(collection, resourceBody, partitionKey);
    return { statusCode: 200, document: keep(() => collection.documents.replace(resourceBody, before)) };
  },
  // Cloud: a missing document is 404. Package: reads a property of undefined, which is 500.
  Read(collection, partitionKey, { id }) {
    const document = lookUp(collection, id, partitionKey);
    if (!document) throw notFound();
    return { statusCode: 200, read: document };
  },
  Delete(collection, partitionKey, { id, ifMatch }) {
    const before = lookUp(collection, id, partitionKey);
    if (!before) throw notFound();
    checkMatch(ifMatch, before);
    remove(collection, before);
    return { statusCode: 204 };
  }
};

function kilobytes(document) {
  return Math.ceil(Buffer.byteLength(JSON.stringify(document)) / 1024);
}

// Cloud: about 1 request unit for a point read of 1 KB, about 5 for its write, in proportion to the size.
// Package: always 1. https://learn.microsoft.com/azure/cosmos-db/request-units
function chargeOf(name, { document, read }) {
  if (name === "Read") return kilobytes(read);
  return name === "Delete" ? 5 : 5 * kilobytes(document);
}

function describe(res, collection, range, charge) {
  res.pin("x-ms-request-charge", charge.toFixed(2));
  res.pin("x-ms-session-token", `${range.id}:-1#${range.lsn}`);
  res.pin("lsn", String(range.lsn));
}

function single(name) {
  return answering(async (account, req, res, params) => {
    const collection = collectionOf(account, params);
    const partitionKey = requirePartitionKey(req);
    const resourceBody = name === "Read" || name === "Delete" ? undefined : await bodyOf(req);
    const input = { id: params.docId, resourceBody, ifMatch: req.headers["if-match"] };
    const result = operations[name](collection, partitionKey, input);
    if (result.document) numberWrites(collection, [result.document]);
    describe(res, collection, rangeOfHash(partitionsOf(collection), hashOf(partitionKey)), chargeOf(name, result));
    res.statusCode = result.statusCode;
    return result.document || result.read;
  });
}

function snapshot(collection) {
  const { documents } = collection;
  const partitions = partitionsOf(collection);
  const before = { data: new Map(documents._data), index: new Map(documents._index), written: new Map(partitions.written), lsns: partitions.ranges.map(range => range.lsn) };
  return () => {
    documents._data = before.data;
    documents._index = before.index;
    partitions.written = before.written;
    partitions.ranges.forEach((range, i) => { range.lsn = before.lsns[i]; });
  };
}

// Cloud: at most 100 operations on one logical partition, all or none; when one fails, the answer is 207, that
// one has its status, the others 424. Package: keeps what went before the failure, and knows no If-Match there.
// https://learn.microsoft.com/azure/cosmos-db/nosql/transactional-batch
const batch = answering(async (account, req, res, params) => {
  const collection = collectionOf(account, params);
  const partitionKey = requirePartitionKey(req);
  const inputs = await bodyOf(req);
  if (!Array.isArray(inputs) || inputs.length === 0 || inputs.length > MAX_BATCH) {
    throw new Refusal(400, "BadRequest", `A batch has 1 to ${MAX_BATCH} operations.`);
  }
  const undo = snapshot(collection);
  const results = [];
  for (const [index, input] of inputs.entries()) {
    try {
      if (!operations[input.operationType]) throw new Refusal(400, "BadRequest", `${input.operationType} is not an operation.`);
      results.push(operations[input.operationType](collection, partitionKey, input));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      undo();
      res.statusCode = 207;
      return inputs.map((_, i) => ({ statusCode: i === index ? error.statusCode : 424, requestCharge: 0 }));
    }
  }
  numberWrites(collection, results.filter(each => each.document).map(each => each.document));
  const charges = results.map((result, i) => chargeOf(inputs[i].operationType, result));
  describe(res, collection, rangeOfHash(partitionsOf(collection), hashOf(partitionKey)), charges.reduce((a, b) => a + b, 0));
  return results.map(({ statusCode, document, read }, i) => ({
    statusCode, requestCharge: charges[i], eTag: (document || read || {})._etag, resourceBody: document || read
  }));
});

function requireScope(collection, req) {
  const scope = scopeOf(collection, req);
  // Cloud: a partition that was split answers 410 with sub-status 1002, and the client asks for the new ranges.
  if (!scope) throw new Refusal(410, "Gone", "The requested partition key range is gone.", 1002);
  return scope;
}

// Cloud: a query is about the partition key or the physical partition that the request names.
// Package: reads all documents whatever the headers say.
// https://learn.microsoft.com/azure/cosmos-db/nosql/how-to-query-container
const query = answering(async (account, req, res, params) => {
  const collection = collectionOf(account, params);
  const { range, documents, isUnscoped } = requireScope(collection, req);
  if (req.headers["x-ms-cosmos-is-query-plan-request"]) {
    throw new Refusal(400, "BadRequest", "This server makes no query plans: name a partition or a feed range.");
  }
  if (isUnscoped && String(req.headers["x-ms-documentdb-query-enablecrosspartition"]).toLowerCase() !== "true") {
    throw new Refusal(400, "BadRequest", "Cross partition query is required but disabled.");
  }
  const wanted = await bodyOf(req);
  const source = Object.create(collection.documents, {
    _data: { value: new Map(documents.map(each => [each._rid, { read: () => each }])) }
  });
  const continuation = req.headers["x-ms-continuation"];
  let answer;
  try {
    answer = source.query(wanted, {
      maxItemCount: Number(req.headers["x-ms-max-item-count"]) || 100,
      continuation: continuation ? JSON.parse(continuation) : null
    });
  } catch (error) {
    if (!error.badRequest && !(error instanceof QuerySyntaxError)) throw error;
    throw new Refusal(400, "BadRequest", error.message);
  }
  if (answer.continuation) res.pin("x-ms-continuation", JSON.stringify(answer.continuation));
  res.pin("x-ms-item-count", String(answer.result.length));
  describe(res, collection, range, 2.5 + 0.25 * answer.result.length);
  return { Documents: answer.result, _count: answer.result.length };
});

// Cloud: with `A-IM: Incremental feed`, the last state of each document written after the number in
// If-None-Match (`*`: after now; none: from the beginning), oldest first, a transaction never cut in two, each
// with its `_lsn`; the answer's ETag is where to go on from; 304 where there is nothing. Deletes are not in it.
// Package: everything without a checkpoint, nothing (304) with any, ETag always 1.
// https://learn.microsoft.com/rest/api/cosmos-db/list-documents · https://learn.microsoft.com/azure/cosmos-db/change-feed
const feed = answering(async (account, req, res, params) => {
  const collection = collectionOf(account, params);
  const { range, documents, isUnscoped } = requireScope(collection, req);
  const isChangeFeed = req.headers["a-im"] !== undefined;
  const after = req.headers["if-none-match"];
  // The package's front would turn what follows into a 304 of its own.
  delete req.headers["a-im"];
  if (!isChangeFeed) {
    describe(res, collection, range, 1 + 0.25 * documents.length);
    return { Documents: documents, _count: documents.length };
  }
  const { ranges, written } = partitionsOf(collection);
  if (isUnscoped && ranges.length > 1) throw new Refusal(400, "BadRequest", "Name a partition key range.");
  const start = after === undefined ? 0 : after === "*" ? range.lsn : Number(after.replace(/"/g, ""));
  const since = Date.parse(req.headers["if-modified-since"] || "1970-01-01") / 1000;
  const limit = Number(req.headers["x-ms-max-item-count"]) > 0 ? Number(req.headers["x-ms-max-item-count"]) : 100;
  const changed = documents
    .map(document => ({ ...document, _lsn: written.get(document._rid).lsn }))
    .filter(document => document._lsn > start && document._ts >= since)
    .sort((a, b) => a._lsn - b._lsn);
  let end = Math.min(limit, changed.length);
  while (end > 0 && end < changed.length && changed[end]._lsn === changed[end - 1]._lsn) end += 1;
  const page = changed.slice(0, end);
  describe(res, collection, range, 1 + 0.5 * page.length);
  // The cloud does not say that the ETag of an empty answer moves on past deletes; so it stays here.
  res.pin("etag", `"${page.length ? page[page.length - 1]._lsn : start}"`);
  if (page.length === 0) {
    res.statusCode = 304;
    return undefined;
  }
  return { Documents: page, _count: page.length };
});

// Cloud: one range for each physical partition, with the parents that it came from; 304 to whom already knows.
// Package: always one, and 304 to every second question.
const ranges = answering(async (account, req, res, params) => {
  const collection = collectionOf(account, params);
  const partitions = partitionsOf(collection);
  const isKnown = req.headers["a-im"] !== undefined && req.headers["if-none-match"] === `"${partitions.version}"`;
  delete req.headers["a-im"];
  res.pin("etag", `"${partitions.version}"`);
  if (isKnown) {
    res.statusCode = 304;
    return undefined;
  }
  const { _rid } = collection.read();
  const rows = partitions.ranges.map(({ lsn, ...range }) => ({ ...range, _rid, status: "online", throughputFraction: 1 / partitions.ranges.length }));
  return { _rid, PartitionKeyRanges: rows, _count: rows.length };
});

// Cloud: a partial update is a write like any other. Package: has it, but nothing of ours would number it.
// https://learn.microsoft.com/azure/cosmos-db/partial-document-update
const patched = handler => async (account, req, res, params) => {
  const document = await handler(account, req, res, params);
  if (res.statusCode < 300) numberWrites(account.database(params.dbId).collection(params.collId), [document]);
  return document;
};

module.exports = {
  patched,
  create: single("Create"), upsert: single("Upsert"), replace: single("Replace"), read: single("Read"),
  delete: single("Delete"), batch, query, feed, ranges
};

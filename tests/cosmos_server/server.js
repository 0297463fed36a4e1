"use strict";
/**
 * A server for the tests that speaks the Cosmos DB protocol over HTTP, in memory: the accounts, containers and
 * query language of @vercel/cosmosdb-server, with the document operations of documents.js in place of its own.
 *
 * Prints its port on the first line, and ends when its standard input does, so it cannot outlive who started it.
 * Beside the protocol it takes orders from the tests under /_test/ (see README.md).
 */
// Before the package, which is to find this parser in place of its own.
require("./parser");
const packageRoutes = require("@vercel/cosmosdb-server/lib/routes");
const { createHttpServer } = require("@vercel/cosmosdb-server");
const documents = require("./documents");
const { setDefaultPartitions, split } = require("./partitions");

const DOCS = /^\/+dbs\/([^/]+)\/colls\/([^/]+)\/(docs|pkranges)(?:\/([^/]+))?\/*$/;
const packageRoute = packageRoutes.default;
const realNow = Date.now;
let accountSeen;
let ahead = 0;
const planted = {
  throttle: { count: 0 }, lostAcknowledgement: { count: 0 }, unavailable: { count: 0 }, behindSession: { count: 0 }
};

// One clock for the package's _ts and for expiry, which a test can put forward.
Date.now = () => realNow() + ahead;

function isTrue(req, header) {
  return String(req.headers[header]).toLowerCase() === "true";
}

function documentHandler(req, part, docId) {
  if (part === "pkranges") return documents.ranges;
  const byId = { GET: documents.read, PUT: documents.replace, DELETE: documents.delete };
  if (docId !== undefined) return byId[req.method];
  if (req.method === "GET") return documents.feed;
  if (req.method !== "POST") return undefined;
  const type = req.headers["content-type"] || "";
  if (isTrue(req, "x-ms-documentdb-isquery") || type.startsWith("application/query+json")) return documents.query;
  if (isTrue(req, "x-ms-documentdb-is-upsert")) return documents.upsert;
  return isTrue(req, "x-ms-cosmos-is-batch-request") ? documents.batch : documents.create;
}

// The package sets its headers after the handler ran; a pinned one keeps the handler's value.
function pinHeaders(res) {
  const setHeader = res.setHeader.bind(res);
  const pinned = new Map();
  res.pin = (name, value) => { pinned.set(name, value); setHeader(name, value); };
  res.setHeader = (name, value) => (pinned.has(name.toLowerCase()) ? res : setHeader(name, value));
}

function takes(plan, req) {
  if (plan.count <= 0 || (plan.method && plan.method !== req.method)) return false;
  plan.count -= 1;
  return true;
}

// Cloud: 429 with x-ms-retry-after-ms when the request units of this second are spent.
// Package: never. https://learn.microsoft.com/azure/cosmos-db/nosql/troubleshoot-request-rate-too-large
function throttled(account, req, res) {
  res.statusCode = 429;
  res.pin("x-ms-retry-after-ms", String(planted.throttle.afterMs));
  res.pin("x-ms-substatus", "3200");
  return { code: "429", message: "The request rate is too large." };
}

function unavailable(account, req, res) {
  res.statusCode = 503;
  return { code: "ServiceUnavailable", message: "Service is currently unavailable." };
}

// Cloud: a replica that has not yet seen what the session token names answers 404 with sub-status 1002.
// Package: knows no replicas. https://learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb
function behindSession(account, req, res) {
  res.statusCode = 404;
  res.pin("x-ms-substatus", "1002");
  return { code: "NotFound", message: "The read session is not available for the input session token." };
}

/** The handler's effect stays, its answer is lost: what a broken connection looks like to the caller. */
function withoutAnswer(handler) {
  return async (account, req, res, params) => {
    await handler(account, req, res, params);
    req.socket.destroy();
    return undefined;
  };
}

const accountFacts = {};

// Cloud: the account's document names its consistency level and its regions, as they were configured.
// Package: always Session, and one region. https://learn.microsoft.com/azure/cosmos-db/consistency-levels
function describedAs(facts, handler) {
  return async (account, req, res, params) => ({ ...(await handler(account, req, res, params)), ...facts });
}

const orders = {
  account: facts => { Object.assign(accountFacts, facts); },
  partitions: ({ count }) => setDefaultPartitions(count),
  split: ({ database, container, range }) => split(accountSeen.database(database).collection(container), range),
  clock: ({ seconds }) => { ahead += seconds * 1000; },
  plant: ({ fault, ...plan }) => { planted[fault] = plan; }
};

async function obey(account, req, res, { order }) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  accountSeen = account;
  orders[order](JSON.parse(Buffer.concat(chunks).toString()));
  return {};
}

packageRoutes.default = req => {
  const path = req.url.split("?")[0];
  if (path.startsWith("/_test/")) return [{ order: path.slice("/_test/".length) }, obey];
  const match = DOCS.exec(path);
  if (path === "/" && req.method === "GET") {
    const [params, handler] = packageRoute(req);
    return [params, describedAs(accountFacts, handler)];
  }
  if (!match) return packageRoute(req);
  const [dbId, collId, part, docId] = match.slice(1).map(each => (each === undefined ? each : decodeURIComponent(each)));
  const params = { dbId, collId, docId };
  const handler = documentHandler(req, part, docId);
  if (!handler && req.method === "PATCH") return [params, documents.patched(packageRoute(req)[1])];
  if (!handler) return packageRoute(req);
  if (part === "docs" && takes(planted.throttle, req)) return [params, throttled];
  if (part === "docs" && takes(planted.unavailable, req)) return [params, unavailable];
  if (part === "docs" && takes(planted.behindSession, req)) return [params, behindSession];
  if (part === "docs" && takes(planted.lostAcknowledgement, req)) return [params, withoutAnswer(handler)];
  return [params, handler];
};

const server = createHttpServer({ keepAlive: true });
server.prependListener("request", (req, res) => pinHeaders(res));
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
process.stdin.on("end", () => process.exit(0)).on("error", () => process.exit(0)).resume();

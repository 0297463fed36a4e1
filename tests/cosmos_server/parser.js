"use strict";
/**
 * The query parser of @zeit/cosmosdb-query 0.7.2, made to remember what it has read.
 *
 * Cloud: a query is read in time that grows with its length.
 * Package: each pair of parentheses within another takes about seven times as long, minutes at six.
 *
 * The parser tries every reading of a place anew. Each of its rules is wrapped so that it reads a place once,
 * which is what its generator does itself when told to (pegjs, option "cache").
 */
const fs = require("fs");
const Module = require("module");

const path = require.resolve("@zeit/cosmosdb-query/lib/parser.js");
const RULE = /function peg\$parse(\w+)\(\) \{/g;

const remembering = (_, rule) => `
  function peg$parse${rule}() {
    const place = "${rule}" + peg$currPos;
    const known = peg$known.get(place);
    if (known) { peg$currPos = known.end; return known.result; }
    const result = peg$read${rule}();
    peg$known.set(place, { result, end: peg$currPos });
    return result;
  }
  function peg$read${rule}() {`;

const source = fs
  .readFileSync(path, "utf8")
  .replace(RULE, remembering)
  .replace(/function peg\$parse\(input, options\) \{/, start => `${start} const peg$known = new Map();`);

const parser = new Module(path, module);
parser.filename = path;
parser.paths = Module._nodeModulePaths(path);
parser._compile(source, path);
require.cache[path] = parser;

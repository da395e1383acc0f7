#!/usr/bin/env python3
"""Puts the documents beside the files of a release, with links that lead somewhere there.

  scripts/documents.py copy FOLDER [NAME=OTHER…]   README.md, SECURITY.md and docs/ into FOLDER
  scripts/documents.py check FOLDER                each relative link of README.md, SECURITY.md and docs/ leads to a file

A link to a file that FOLDER does not have becomes plain text; a link to NAME becomes one to OTHER. `check` ends with
status 1 and one line for each broken link.
"""

import pathlib
import re
import shutil
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


def documents(folder):
    return [folder / "README.md", folder / "SECURITY.md", *sorted((folder / "docs").rglob("*.md"))]


def file_of(document, target):
    """The file that a relative link leads to, or None."""
    if re.match(r"[a-z]+:", target) or target.startswith("#"):
        return None
    return document.parent / target.partition("#")[0]


def copy(folder, others):
    for name in ("README.md", "SECURITY.md"):
        shutil.copy(TOP / name, folder / name)
    shutil.copytree(TOP / "docs", folder / "docs", dirs_exist_ok=True)
    for document in documents(folder):

        def corrected(link):
            text, target = link.groups()
            file = file_of(document, target)
            if file is None:
                return link[0]
            name = str(file.resolve().relative_to(folder.resolve()))
            if name in others:
                return f"[{text}]({target.replace(name, others[name])})"
            return link[0] if file.exists() else text

        document.write_text(LINK.sub(corrected, document.read_text()))


def check(folder):
    faults = []
    links = 0
    for document in documents(folder):
        for _, target in LINK.findall(document.read_text()) + PICTURE.findall(document.read_text()):
            file = file_of(document, target)
            links += file is not None
            if file is not None and not file.exists():
                faults.append(f"{document.relative_to(folder)}: {target} leads nowhere")
    return faults or ([] if links else ["no relative link in any document"])


match sys.argv[1:]:
    case ["copy", folder, *others]:
        copy(pathlib.Path(folder), dict(other.split("=", 1) for other in others))
    case ["check", folder]:
        faults = check(pathlib.Path(folder))
        print("\n".join(faults), file=sys.stderr, end="\n" if faults else "")
        sys.exit(1 if faults else 0)
    case _:
        sys.exit(__doc__)

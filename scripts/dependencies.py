#!/usr/bin/env python3
"""Tells what a binary of this project consists of: the crates of Cargo.lock that are compiled into it, and libpcap.

    scripts/dependencies.py sbom TARGET BINARY LIBPCAP-VERSION    SPDX 2.3 as JSON
    scripts/dependencies.py licences TARGET                       every licence text, with the crates that it is for

TARGET is Rust's name of the platform. Crates that only build or test the program are left out. The output depends on
the sources and SOURCE_DATE_EPOCH alone.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
LICENCE_FILE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def is_linked(dependency):
    return any(kind["kind"] is None for kind in dependency["dep_kinds"])


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def linked(data):
    """The packages that are linked into the program, and the pairs of them that depend on each other; both in order."""
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    found, pairs, pending = set(), set(), [data["resolve"]["root"]]
    while pending:
        package = pending.pop()
        if package in found:
            continue
        found.add(package)
        for dependency in nodes[package]["deps"]:
            if is_linked(dependency) and not is_macro(packages[dependency["pkg"]]):
                pairs.add((package, dependency["pkg"]))
                pending.append(dependency["pkg"])
    order = sorted((packages[package] for package in found), key=lambda package: (package["name"], package["version"]))
    return order, sorted(pairs)


# --- SPDX ---


def identifier(package):
    return "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{package['name']}-{package['version']}")


def checksums_of_crates():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}


def described(package, checksums):
    """A crate as SPDX has it. Older crates separate alternative licences by a slash."""
    name, version = package["name"], package["version"]
    licence = re.sub(r"\s*/\s*", " OR ", package["license"] or "NOASSERTION")
    entry = {
        "SPDXID": identifier(package),
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:cargo/{name}@{version}",
            }
        ],
    }
    if checksum := checksums.get((name, version)):
        entry["checksums"] = [{"algorithm": "SHA256", "checksumValue": checksum}]
    return entry


def libpcap(version):
    return {
        "SPDXID": "SPDXRef-Package-libpcap",
        "name": "libpcap",
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "BSD-3-Clause",
        "copyrightText": "NOASSERTION",
    }


def relation(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def sbom(target, binary, libpcap_version):
    data = metadata(target)
    packages, pairs = linked(data)
    names = {package["id"]: identifier(package) for package in packages}
    top = names[data["resolve"]["root"]]
    digest = {kind: hashlib.new(kind, pathlib.Path(binary).read_bytes()).hexdigest() for kind in ("sha1", "sha256")}
    checksums = checksums_of_crates()
    created = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    version = next(package["version"] for package in packages if package["id"] == data["resolve"]["root"])
    link = "STATIC_LINK" if target.endswith("-musl") else "DYNAMIC_LINK"
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"trafficmonitor-{version}-{target}",
        "documentNamespace": f"urn:trafficmonitor:{version}:{target}:{digest['sha256']}",
        "creationInfo": {
            "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: trafficmonitor-dependencies-{version}"],
        },
        "packages": [described(package, checksums) for package in packages] + [libpcap(libpcap_version)],
        "files": [
            {
                "SPDXID": "SPDXRef-File-binary",
                "fileName": "./trafficmonitor",
                "fileTypes": ["BINARY"],
                "checksums": [
                    {"algorithm": kind.upper(), "checksumValue": value} for kind, value in sorted(digest.items())
                ],
                "licenseConcluded": "NOASSERTION",
                "copyrightText": "NOASSERTION",
            }
        ],
        "relationships": [
            relation("SPDXRef-DOCUMENT", "DESCRIBES", top),
            relation("SPDXRef-File-binary", "GENERATED_FROM", top),
            relation("SPDXRef-File-binary", link, "SPDXRef-Package-libpcap"),
        ]
        + [relation(names[one], "DEPENDS_ON", names[other]) for one, other in pairs],
    }
    json.dump(document, sys.stdout, indent=1)
    print()


# --- licences ---


def licence_texts(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.is_file() and LICENCE_FILE.match(path.name))
    return [path.read_text(errors="replace").strip() for path in files]


def licences(target):
    data = metadata(target)
    packages, _ = linked(data)
    crates = [package for package in packages if package["id"] != data["resolve"]["root"]]
    users = {}
    print("The program contains these libraries, each under its own licence.\n")
    for package in crates:
        print(f"  {package['name']} {package['version']}: {package['license']}")
        for text in licence_texts(package):
            users.setdefault(text, []).append(package["name"])
    users[(ROOT / "NOTICE").read_text().strip()] = ["trafficmonitor"]
    users[(ROOT / "web/dist/LICENSES.txt").read_text().strip()] = ["the dashboard page"]
    for text, names in users.items():
        print(f"\n{'=' * 78}\n{', '.join(sorted(set(names)))}\n{'=' * 78}\n\n{text}")


def main():
    match sys.argv[1:]:
        case ["sbom", target, binary, libpcap_version]:
            sbom(target, binary, libpcap_version)
        case ["licences", target]:
            licences(target)
        case _:
            sys.exit(__doc__)


main()

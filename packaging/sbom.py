#!/usr/bin/env python3
"""Prints the software bill of materials of what was built, in CycloneDX 1.6.

    packaging/sbom.py CRATE FILE

CRATE is app_authenticate_rs or pinset-cli, FILE what was built of it. The crates are those
that cargo links into FILE, without build scripts, procedural macros and tests; the shared
libraries are those that FILE itself names. The same input gives the same output.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command):
    return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def linked_crates(crate):
    """Returns the (name, version) of each crate that is linked into the crate's build."""
    tree = run("cargo", "tree", "--locked", "--package", crate, "--prefix", "none",
               "--edges", "normal,no-proc-macro", "--format", "{p}")
    crates = set()
    for line in tree.splitlines():
        name, version = line.split()[:2]
        crates.add((name, version.removeprefix("v")))
    return crates


def checksums():
    """Returns the SHA-256 of each crate's archive on crates.io."""
    lock = (ROOT / "Cargo.lock").read_text()
    pattern = r'name = "(.*)"\nversion = "(.*)"\nsource = ".*"\nchecksum = "(.*)"'
    return {(name, version): checksum for name, version, checksum in re.findall(pattern, lock)}


def expression(license_field):
    """Returns an SPDX expression; old crates separate alternatives by a slash."""
    return [{"expression": re.sub(r"\s*/\s*", " OR ", license_field)}] if license_field else []


def crate_component(package, checksum):
    """Returns a crate; one of this workspace has no checksum, and is not on crates.io."""
    name, version = package["name"], package["version"]
    component = {
        "type": "library",
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "licenses": expression(package["license"]),
    }
    if checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        component["purl"] = f"pkg:cargo/{name}@{version}"
    return component


def sqlite(package):
    """Returns SQLite, whose source is in crate libsqlite3-sys."""
    header = Path(package["manifest_path"]).parent / "sqlite3" / "sqlite3.h"
    version = re.search(r'#define SQLITE_VERSION\s+"(.*)"', header.read_text()).group(1)
    return {
        "type": "library",
        "bom-ref": f"pkg:generic/sqlite@{version}",
        "name": "sqlite",
        "version": version,
        "licenses": [{"expression": "blessing"}],
        "purl": f"pkg:generic/sqlite@{version}",
    }


def standard_library():
    """Returns Rust's standard library, which is linked statically."""
    version = re.search(r"^release: (.*)$", run("rustc", "-vV"), re.MULTILINE).group(1)
    return {
        "type": "library",
        "bom-ref": f"pkg:generic/rust-std@{version}",
        "name": "rust-std",
        "version": version,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "purl": f"pkg:generic/rust-std@{version}",
    }


def shared_libraries(file):
    """Returns the libraries of the system that the file names, such as libcurl.so.4."""
    dynamic = run("readelf", "--dynamic", "--wide", str(file))
    for name in sorted(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)):
        yield {
            "type": "library",
            "bom-ref": f"system:{name}",
            "name": name,
            "description": "shared library of the system, loaded at run time",
        }


def main():
    crate, file = sys.argv[1], Path(sys.argv[2]).resolve()
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1"))
    packages = {(p["name"], p["version"]): p for p in metadata["packages"]}
    archives = checksums()
    components = []
    for key in sorted(linked_crates(crate)):
        package = packages[key]
        if package["name"] == crate:
            built = package
            continue
        components.append(crate_component(package, archives.get(key)))
        if package["name"] == "libsqlite3-sys":
            components.append(sqlite(package))
    components.append(standard_library())
    components.extend(shared_libraries(file))

    epoch = os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct").strip()
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch)))
    subject = crate_component(built, None) | {"type": "application"}
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": timestamp, "component": subject},
        "components": components,
        "dependencies": [
            {"ref": subject["bom-ref"], "dependsOn": [c["bom-ref"] for c in components]},
        ],
    }
    json.dump(bom, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: sbom.py CRATE FILE")
    main()

#!/usr/bin/env python3
"""Validates software bills of materials against CycloneDX's schema."""

import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

validator = JsonStrictValidator(SchemaVersion.V1_6)
for file in sys.argv[1:]:
    error = validator.validate_str(Path(file).read_text())
    if error:
        sys.exit(f"{file}: {error.data.message}")

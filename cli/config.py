"""Experiments as files: what ``--config`` takes."""

import json
import tomllib
from pathlib import Path
from typing import Any

import click


def configured(file: Path) -> dict[str, Any]:
    """Return the fields of an experiment that a file says: TOML, JSON, or what a run has left of itself."""
    import attrs

    from funcnn import Experiment
    from funcnn.arguments import known

    fields = _fields(file)
    if not isinstance(fields, dict):
        raise click.UsageError(f"{file} must hold the fields of an experiment, got {type(fields).__name__}")
    for name in fields:
        known(f"field in {file.name}", name, attrs.fields_dict(Experiment))
    started = fields.pop("start_sha256", None)
    fields.pop("start", None)
    if started is not None:
        raise click.UsageError(f"{file} is of a run that started from given weights: --params FILE has to give these")
    return fields


def _fields(file: Path) -> Any:
    import attrs

    import funcnn

    if file.suffix.lower() == ".npz":
        found = funcnn.load(file)
        if not isinstance(found, funcnn.Run):
            raise click.UsageError(f"{file} holds {type(found).__name__}, not a run")
        return attrs.asdict(found.experiment, recurse=False)
    try:
        text = file.read_bytes().decode("utf-8-sig")
        content = tomllib.loads(text) if file.suffix.lower() == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if file.suffix.lower() == ".toml" else "JSON"
        raise click.UsageError(f"{file} is no {kind}: {error}") from error
    return content.get("experiment", content) if isinstance(content, dict) else content

"""The models of ``env`` and ``volumes``: what the process gets from the Pod."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from tpconfig.config import fields
from tpconfig.config.fields import AbsolutePath, Flag, Many, Section, Text, Variable, Verbatim

ExportFormat = Literal[
    "dotenv",
    "docker",
    "compose",
    "json",
    "yaml",
    "shell",
    "fish",
    "powershell",
    "vscode",
    "intellij",
]


class Export(Section):
    """A file that the environment is written to."""

    EXPECTED: ClassVar[str] = "a path, or a mapping with `path`"

    path: Text = Field(
        description="The file, relative to the project folder; written with mode 0600.",
        examples=[".env.dashboard"],
    )
    format: ExportFormat = Field(
        "dotenv", description="How the file is written.", examples=["vscode"]
    )
    keep: Flag = Field(
        False, description="Leave the file where it is after `tp down`.", examples=[True]
    )
    outside: Flag = Field(
        False, description="Allow a path outside the project folder.", examples=[True]
    )


def _export_path(text: str) -> dict[str, Any]:
    return {"path": text}


class Environment(Section):
    """What the file changes in the Pod's environment, and where it is written to."""

    EXPECTED: ClassVar[str] = "a mapping with `set`, `unset` or `export`"

    export: Many[
        Annotated[
            Export,
            BeforeValidator(fields.short(_export_path), json_schema_input_type=Text | Export),
        ]
    ] = Field(
        (),
        description="Files that the environment is written to, for editors and other tools.",
        examples=[[".env.dashboard", {"path": ".vscode/dashboard.env", "format": "vscode"}]],
    )
    set: dict[Variable, Verbatim] = Field(
        default_factory=dict,
        description="Variables that are added or replaced; values keep their text (`1.10`, `on`).",
        examples=[{"LOG_LEVEL": "debug"}],
    )
    unset: Many[Text] = Field(
        (), description="Variables that are taken out; `*` and `?` match.", examples=[["OTEL_*"]]
    )


class Volumes(Section):
    """How the Pod's files get here."""

    EXPECTED: ClassVar[str] = "`mount`, `copy` or `none`, or a mapping with `mode`"

    mode: Literal["mount", "copy", "none"] = Field(
        "mount",
        description="`mount`: live; `copy`: as they are when the session starts; `none`: not.",
        examples=["copy"],
    )
    paths: Many[AbsolutePath] = Field(
        (),
        description="Only these paths of the Pod; left out: every volume of the container.",
        examples=[["/data"]],
    )
    local: Many[AbsolutePath] = Field(
        (),
        description="Paths of the Pod that are taken from this machine all the same.",
        examples=[["/var/cache"]],
    )
    at: Text | None = Field(
        None,
        description="A folder of this machine to show them under, besides their own paths.",
        examples=["./pod"],
    )
    read_only: Flag = Field(False, description="Never write to the Pod's files.", examples=[True])


def volume_mode(text: str) -> dict[str, Any]:
    """Read the short form of ``volumes``."""
    return {"mode": text}

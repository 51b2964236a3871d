"""The models of ``run``: the local process, from its command to its end."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tpconfig.config.fields import Command, Flag, Many, Port, Seconds, Section, Text, Url

Signal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2"]


class Ready(Section):
    """When the process counts as ready; every check that is given must hold."""

    EXPECTED: ClassVar[str] = "a mapping with `http`, `port`, `exec`, `log`, `delay` or `timeout`"

    http: Url | None = Field(
        None,
        description="An address that answers with a status below 400.",
        examples=["http://localhost:3000/healthz"],
    )
    port: Port | None = Field(
        None, description="A local port that accepts a connection.", examples=[3000]
    )
    exec: Command | None = Field(
        None, description="A command that exits with 0.", examples=["curl -f localhost:3000"]
    )
    log: Text | None = Field(
        None,
        description="A regular expression that a line of the output must match.",
        examples=["listening on"],
    )
    delay_s: Seconds = Field(
        0.0,
        alias="delay",
        description="How long it must have run before anything else is asked; `timeout` counts "
        "from then.",
        examples=["2s"],
        json_schema_extra={"default": "0s"},
    )
    timeout_s: Seconds = Field(
        60.0,
        alias="timeout",
        description="How long it may take before `up` fails.",
        examples=["60s"],
        json_schema_extra={"default": "60s"},
    )


class Stop(Section):
    """How the process is ended."""

    EXPECTED: ClassVar[str] = "a mapping with `signal` or `timeout`"

    signal: Signal = Field(
        "SIGTERM", description="The signal that asks it to end.", examples=["SIGINT"]
    )
    timeout_s: Seconds = Field(
        10.0,
        alias="timeout",
        description="How long it may take before SIGKILL.",
        examples=["10s"],
        json_schema_extra={"default": "10s"},
    )


class Run(Section):
    """The local process."""

    EXPECTED: ClassVar[str] = "a mapping with `command`"

    command: Command = Field(
        description="The command: one text, or a list of words.",
        examples=["npm start", ["python", "-m", "orders"]],
    )
    cwd: Text = Field(
        ".",
        description="The folder it starts in, relative to the project folder.",
        examples=["./dashboard"],
    )
    ready: Ready = Field(
        default_factory=Ready,
        description="When it is ready; left out: every exposed local port accepts a connection.",
        examples=[{"http": "http://localhost:3000/healthz", "timeout": "60s"}],
    )
    restart: Literal["no", "on-failure", "always"] = Field(
        "no", description="Whether it is started again when it ends.", examples=["on-failure"]
    )
    watch: Many[Text] = Field(
        (),
        description="Files and folders whose change restarts it, relative to `cwd`.",
        examples=[["src"]],
    )
    stop: Stop = Field(
        default_factory=Stop,
        description="How it is ended.",
        examples=[{"signal": "SIGINT", "timeout": "10s"}],
    )
    pre: Many[Command] = Field(
        (), description="Commands that run once before it, in order.", examples=[["npm ci"]]
    )
    build: Command | None = Field(
        None,
        description="A command before a restart on change; the old process stays up if it fails.",
        examples=["npm run build"],
    )
    post: Many[Command] = Field(
        (), description="Commands that run once after it.", examples=[["rm -rf .tmp"]]
    )
    tty: Flag = Field(False, description="Give it a terminal of its own.", examples=[True])
    depends_on: Many[Text] = Field(
        (), description="Workloads that must be ready before it.", examples=[["dashboard"]]
    )

"""The stable codes of everything that can be wrong with a file, with one sentence each.

Scripts and editors match on them; a number is never given to another meaning.
"""

from __future__ import annotations

from typing import Final

from tpconfig.model import codes as plan_codes

NO_FILE: Final = "TP101"
NOT_YAML: Final = "TP102"
BAD_TEXT: Final = "TP103"
UNKNOWN_KEY: Final = "TP104"
DUPLICATE_KEY: Final = "TP105"
MISSING_KEY: Final = "TP106"
WRONG_TYPE: Final = "TP107"
WRONG_CHOICE: Final = "TP108"
BAD_VALUE: Final = "TP109"
OUT_OF_RANGE: Final = "TP110"
TOO_LARGE: Final = "TP111"
FOREIGN_YAML: Final = "TP112"
BAD_INTERPOLATION: Final = "TP113"
UNSET_VARIABLE: Final = "TP114"
NO_VALUE: Final = "TP115"
INCLUDE_CYCLE: Final = "TP116"

LOCAL_PORT_SHARED: Final = "TP120"
TARGET_TWICE: Final = "TP121"
UNKNOWN_DEPENDENCY: Final = "TP122"
DEPENDENCY_CYCLE: Final = "TP123"
CLUSTER_PORT_TWICE: Final = "TP124"
PERCENT_WITHOUT_MIRROR: Final = "TP125"
MATCH_WITHOUT_INTERCEPT: Final = "TP126"
EXPORT_OVERWRITES: Final = "TP127"
EXPORT_OUTSIDE: Final = "TP128"
NO_FOLDER: Final = "TP129"
TTL_TOO_SHORT: Final = "TP130"
EXPOSE_WITHOUT_TRAFFIC: Final = "TP131"
BAD_PATTERN: Final = "TP132"
FORWARD_PORT_TWICE: Final = "TP133"
TCP_ONLY: Final = "TP134"
FORWARD_RANGE: Final = "TP135"
BAD_HOST_KEY: Final = "TP136"

NO_ENGINE: Final = "TP150"

OLD_NAME: Final = "TP190"
SEVERAL_FILES: Final = "TP191"
BAD_DOTENV_LINE: Final = "TP192"
NOTHING_ASKED: Final = "TP193"

MEANINGS: Final[dict[str, str]] = {
    NO_FILE: "The file does not exist or cannot be read.",
    NOT_YAML: "The file is not valid YAML.",
    BAD_TEXT: "The file is not UTF-8 text, or holds characters that no text has.",
    UNKNOWN_KEY: "The key does not exist at this place.",
    DUPLICATE_KEY: "The key is written twice in one mapping.",
    MISSING_KEY: "A key that must be there is missing.",
    WRONG_TYPE: "The value is of another type than the key takes.",
    WRONG_CHOICE: "The value is none of those that the key takes.",
    BAD_VALUE: "The value's text cannot be understood.",
    OUT_OF_RANGE: "The number is smaller or larger than the key takes.",
    TOO_LARGE: "The file is larger, deeper, or expands to more than is read.",
    FOREIGN_YAML: "The file uses a part of YAML that is not read here.",
    BAD_INTERPOLATION: "A ${…} cannot be understood.",
    UNSET_VARIABLE: "A ${VAR} without a default is not set.",
    NO_VALUE: "The key is there, but nothing stands behind it.",
    INCLUDE_CYCLE: "Files include each other in a circle.",
    LOCAL_PORT_SHARED: "Two workloads listen on one local port of one network.",
    TARGET_TWICE: "Two workloads stand in for the same object.",
    UNKNOWN_DEPENDENCY: "`depends_on` names a workload that is not in the file.",
    DEPENDENCY_CYCLE: "Workloads wait for each other in a circle.",
    CLUSTER_PORT_TWICE: "One port of the container is exposed twice.",
    PERCENT_WITHOUT_MIRROR: "`percent` has a meaning with `mode: mirror` only.",
    MATCH_WITHOUT_INTERCEPT: "`match` has a meaning with `mode: intercept` only.",
    EXPORT_OVERWRITES: "Two exports, or an export and a file that is read, are one file.",
    EXPORT_OUTSIDE: "An export leaves the project folder without `outside: true`.",
    NO_FOLDER: "The working folder of a command does not exist.",
    TTL_TOO_SHORT: "`session.ttl` is below ten seconds.",
    EXPOSE_WITHOUT_TRAFFIC: "`expose` stands where no traffic can come from.",
    BAD_PATTERN: "The text is not a regular expression.",
    FORWARD_PORT_TWICE: "A local port of `forwards` or `socks` is taken twice.",
    FORWARD_RANGE: "The two ranges of a forward do not fit each other, or are too long.",
    BAD_HOST_KEY: "The text is not a public key of an SSH server.",
    TCP_ONLY: "`proxy_protocol` and `wait` exist for TCP only.",
    NO_ENGINE: "The file is valid, but this version cannot do what it asks for yet.",
    OLD_NAME: "A word of Telepresence 1 was understood; the new one is named.",
    SEVERAL_FILES: "There are several files of ours in one folder; one of them is read.",
    BAD_DOTENV_LINE: "A line of `.env` cannot be understood and was left out.",
    NOTHING_ASKED: "The file has neither workloads nor forwards.",
}

ALL: Final = {**MEANINGS, **plan_codes.MEANINGS}
"""Every code there is, of a plan too."""

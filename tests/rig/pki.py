"""One authority, and a certificate for each part and each person, made by openssl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.rig.steps import run

DAYS = "3650"
_SETTINGS = "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\n"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a certificate names: the user, their groups, and a server's addresses."""

    name: str
    groups: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The X.509 name in openssl's notation; slashes in names would need escaping."""
        return "".join(f"/O={group}" for group in self.groups) + f"/CN={self.name}"


def authority(folder: Path) -> None:
    """Makes the CA and the service accounts' key pair, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = folder / "openssl.cnf"
    settings.write_text(_SETTINGS)
    if not (folder / "ca.crt").exists():
        extensions = (
            "basicConstraints=critical,CA:TRUE",
            "keyUsage=keyCertSign,cRLSign,digitalSignature",
        )
        _certify(folder, "ca", "/CN=tp-rig", extensions)
    if not (folder / "sa.pub").exists():
        run(["openssl", "genrsa", "-out", folder / "sa.key", "2048"])
        run(["openssl", "rsa", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub"])


def certificate(folder: Path, file: str, identity: Identity) -> tuple[Path, Path]:
    """A certificate signed by the CA in ``folder``, and its key; made once per ``file``."""
    if not (folder / f"{file}.crt").exists():
        extensions = [
            "basicConstraints=critical,CA:FALSE",
            "extendedKeyUsage=clientAuth,serverAuth",
        ]
        if identity.addresses:
            extensions.append("subjectAltName=" + ",".join(identity.addresses))
        _certify(folder, file, identity.subject, tuple(extensions), signed=True)
    return folder / f"{file}.crt", folder / f"{file}.key"


def _certify(
    folder: Path, file: str, subject: str, extensions: tuple[str, ...], *, signed: bool = False
) -> None:
    words: list[str | Path] = ["openssl", "req", "-x509", "-config", folder / "openssl.cnf"]
    words += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS]
    words += ["-subj", subject, "-keyout", folder / f"{file}.key", "-out", folder / f"{file}.new"]
    for extension in extensions:
        words += ["-addext", extension]
    if signed:
        words += ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key"]
    run(words)
    (folder / f"{file}.new").rename(folder / f"{file}.crt")

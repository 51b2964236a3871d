"""The scenarios' people, and the programs that they run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from keeper_people import HERE, IDENTITIES, PACKAGE, Person, Workshop, find_person

_GO = """
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"sort"
)

func main() {
	kind, where := os.Args[1], os.Args[2]
	if kind == "lookup" {
		found, err := net.LookupHost(where)
		if err != nil {
			fmt.Println("error:", err.(*net.DNSError).IsNotFound)
			os.Exit(1)
		}
		sort.Strings(found)
		fmt.Println(found)
		return
	}
	conn, err := net.Dial(kind, where)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	conn.Write([]byte("hello"))
	if kind == "tcp" {
		conn.(*net.TCPConn).CloseWrite()
		all, _ := io.ReadAll(conn)
		fmt.Printf("%q\\n", all)
		return
	}
	buffer := make([]byte, 1000)
	n, err := conn.Read(buffer)
	fmt.Printf("%q %v\\n", buffer[:n], err)
}
"""

_C = """
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
    inet_pton(AF_INET, argv[2], &to.sin_addr);
    int s = socket(AF_INET, strcmp(argv[1], "tcp") ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (connect(s, (void *)&to, sizeof to)) { perror("connect"); return 1; }
    char got[1000] = {0};
    if (strcmp(argv[1], "tcp")) write(s, "hello", 5);
    if (read(s, got, sizeof got - 1) < 0) { perror("read"); return 1; }
    fputs(got, stdout);
    return argc != 4;
}
"""


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """The folder, under ``/tmp`` because an ordinary user gets there."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tp-workshop-") as name:
        folder = Path(name)
        shutil.copytree(PACKAGE, folder / "tpconfig", ignore=shutil.ignore_patterns("*.pyc"))
        shutil.copy(HERE / "keeper_scenarios.py", folder)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        yield Workshop(folder)


@pytest.fixture(params=IDENTITIES)
def person(request: pytest.FixtureRequest, workshop: Workshop) -> Person:
    """Root and an ordinary user, or whoever runs the tests."""
    return find_person(request.param, workshop)


@pytest.fixture
def ordinary(workshop: Workshop) -> Person:
    """An ordinary user."""
    return find_person("ordinary", workshop)


@pytest.fixture
def go_client(workshop: Workshop) -> str:
    """A static client that brings its own resolver: ``tcp|udp|lookup WHERE``."""
    return workshop.build("goclient.go", _GO, "go", "build")


@pytest.fixture
def go_client_with_libc(workshop: Workshop) -> str:
    """The same with cgo, so that the C library resolves its names."""
    return workshop.build("gocgoclient.go", _GO, "go", "build", "-tags", "netcgo")


@pytest.fixture
def c_client(workshop: Workshop) -> str:
    """A static client of the C library: ``tcp|udp ADDRESS PORT``."""
    return workshop.build("cclient.c", _C, "gcc", "-static")

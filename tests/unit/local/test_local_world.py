"""What a process inside learns names from."""

from __future__ import annotations

from tpconfig.local import world

POD = world.NameFiles(
    hostname="api-tp-x",
    resolv_conf=(
        "# written by the kubelet\nnameserver 10.96.0.10\n"
        "search shop.svc.cluster.local svc.cluster.local  cluster.local\noptions ndots:5\n"
    ),
    hosts=(
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
        "fe00::0\tip6-localnet\nff02::1\tip6-allnodes\n10.244.0.9\tapi-tp-x\n\n"
        "# Entries added by HostAliases.\n10.1.2.3\tdb.internal\tdb # main\n"
        "127.0.0.1\tmyself.test localhost\n"
    ),
)
MACHINE = world.NameFiles(
    hostname="laptop", nsswitch="passwd: files sss\n hosts: files mdns resolve dns\nrpc: db\n"
)


def test_the_nameserver_is_ours_and_the_rest_the_pods() -> None:
    """Search list and options are the Pod's, its nameservers are not."""
    assert world.resolv_conf(POD.resolv_conf) == (
        "nameserver 198.18.0.53\n"
        "search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
    )


def test_hosts_are_loopback_own_names_and_aliases() -> None:
    """The Pod's aliases are kept, its own address and the standing lines are not."""
    assert world.hosts(POD, "laptop") == (
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
        "127.0.1.1 laptop api-tp-x\n198.18.0.52 host.tp.internal\n10.1.2.3 db.internal db\n"
        "127.0.0.1 myself.test\n"
    )


def test_only_the_hosts_line_of_nsswitch_changes() -> None:
    """Users may come from a directory service; names come from files and dns."""
    assert world.nsswitch(MACHINE.nsswitch) == "passwd: files sss\nrpc: db\nhosts: files dns\n"


def test_a_machine_without_nsswitch_gets_a_plain_one() -> None:
    """Users and groups are then looked for in files, as the C library does by itself."""
    assert world.nsswitch("") == "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"


def test_the_hostname_stays_unless_it_is_an_identity() -> None:
    """A StatefulSet's process is known by the Pod's name, any other by the machine's."""
    assert world.build(POD, MACHINE).hostname is None
    assert world.build(POD, MACHINE, takes_hostname=True).hostname == "api-tp-x"

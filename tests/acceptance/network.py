"""A network of the test's own: hosts in namespaces, on a bridge to which the root namespace belongs too."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

INSIDE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]  # a machine, as far as a runner sees
RANGE = ip_address("198.18.0.0")  # up to 198.19.255.255, which is meant for tests
MASK = 29  # bits: six hosts to a network, and so many networks that two tests on one machine have each their own
OWN = "02:5b:00:00:00:01"  # a bridge without an address of its own changes it with its ports


def lacking() -> str:
    """Say why no such network can be made here; empty where it can."""
    missing = [program for program in ("ip", "unshare") if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        return f"network namespaces need root and the programs ip and unshare, missing here: {missing or 'root'}"
    try:
        with network(1) as (host,):
            subprocess.run([*host.inside(), "true"], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made here: {error.stderr.strip()}"
    return ""


@dataclass(frozen=True)
class Host:
    """A namespace with a link to the bridge."""

    name: str  # of the namespace, and of the bridge's end of the link
    bridge: str

    def inside(self) -> list[str]:
        """Give the words before a command that is to run on this host."""
        return ["ip", "netns", "exec", self.name, *INSIDE]

    def cut(self, way: str) -> None:
        """Cut the link: "down" is seen by the host, "silent" is not: what is sent is lost."""
        if way == "down":
            ip("-n", self.name, "link", "set", "eth0", "down")
        else:
            ip("link", "set", self.name, "nomaster")

    def heal(self) -> None:
        """Let everything through again."""
        ip("-n", self.name, "link", "set", "eth0", "up")
        ip("link", "set", self.name, "master", self.bridge)


def address(number: int) -> str:
    """Give an address of this process's network; the first one is the root's."""
    return str(RANGE + os.getpid() % 2**14 * 8 + number)


@contextmanager
def network(count: int) -> Iterator[tuple[Host, ...]]:
    """Set up the bridge and so many hosts, and leave nothing of them behind."""
    bridge = f"sb{os.getpid()}"
    hosts = tuple(Host(f"{bridge}h{number}", bridge) for number in range(1, count + 1))
    try:
        ip("link", "add", bridge, "address", OWN, "type", "bridge")
        ip("address", "add", f"{address(1)}/{MASK}", "dev", bridge)
        ip("link", "set", bridge, "up")
        for number, host in enumerate(hosts, start=2):
            plug(host, address(number))
        yield hosts
    finally:
        for host in hosts:
            ip("link", "delete", host.name, check=False)
            ip("netns", "delete", host.name, check=False)
        ip("link", "delete", bridge, check=False)


def plug(host: Host, own: str) -> None:
    ip("netns", "add", host.name)
    ip("link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    ip("link", "set", host.name, "master", host.bridge, "up")
    for words in (["link", "set", "lo", "up"], ["address", "add", f"{own}/{MASK}", "dev", "eth0"]):
        ip("-n", host.name, *words)
    ip("-n", host.name, "link", "set", "eth0", "up")


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True, text=True)

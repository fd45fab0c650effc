#!/usr/bin/python3
"""Opens the packets that the lab's witness saw with another implementation of ESP (scapy's, on Debian's python3-scapy).

  Tests/Lab/open-esp.py DIRECTORY

DIRECTORY holds for each kind of network NAME: NAME.pcap, the frames of the underlay; NAME.HOST.xfrm, what
`ip xfrm state` said on each host; NAME.networks, the encrypted networks between the hosts, a line `vxlan NUMBER` or
`gre NUMBER` for each. Every packet of ESP has to be one of RFC 4303 in transport mode with AES-256-GCM of RFC 4106, a
16-byte ICV and extended sequence numbers, and has to hold VXLAN (RFC 7348) or GRE with a key (RFC 2890) with the number
of one of the networks; out of packets of the first of them the marked payload has to come.

Prints one line a network, `✔` or `✘`, and ends with 1 if there is a `✘` or no network.
"""

import pathlib
import re
import sys

from scapy.layers.inet import GRE, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.utils import PcapReader

MARK = b"weft-is-unseen!!"
VXLAN_PORT = 7679
ESP_IN_UDP_PORT = 7678
ETHERNET_IN_GRE = 0x6558


class Wrong(Exception):
    """What is not as it has to be."""


def associations(texts):
    """SAs by (destination, SPI), from what `ip xfrm state` says."""
    found = {}
    for text in texts:
        for block in re.split(r"^(?=src )", text, flags=re.M):
            head = re.search(r"src (\S+) dst (\S+)\s+proto esp spi (0x[0-9a-f]+) reqid \S+ mode (\S+)", block)
            if not head:
                continue
            _, destination, spi, mode = head.groups()
            aead = re.search(r"aead rfc4106\(gcm\(aes\)\) 0x([0-9a-f]{72}) 128\s", block)
            window = re.search(r"replay_window (\d+)", block)
            if mode != "transport" or not aead:
                raise Wrong(f"the SA {spi} is not AES-256-GCM in transport mode")
            if "esn" not in block or not window or int(window.group(1)) < 1024:
                raise Wrong(f"the SA {spi} has no extended sequence numbers or too small a window")
            found[destination, int(spi, 16)] = bytes.fromhex(aead.group(1))
    return found


def in_udp(frame):
    """Whether the frame carries ESP in UDP (RFC 3948), as hosts in user space send it."""
    return UDP in frame and frame[UDP].dport == ESP_IN_UDP_PORT


def bare(frame):
    """The IP packets whose payload is ESP, the UDP header of RFC 3948 taken off."""
    if not in_udp(frame):
        return [frame[IPv6] if IPv6 in frame else frame[IP]] if ESP in frame else []
    packets = apart(bytes(frame[UDP].payload))
    if IPv6 in frame:
        return [IPv6(src=frame[IPv6].src, dst=frame[IPv6].dst, nh=50) / ESP(packet) for packet in packets]
    return [IP(src=frame[IP].src, dst=frame[IP].dst, proto=50) / ESP(packet) for packet in packets]


def apart(message):
    """The packets of a message that the capture saw before the kernel took it apart (UDP_SEGMENT): of one SA, numbered
    one after the other."""
    packets = []
    while True:
        following = message[:4] + (int.from_bytes(message[4:8], "big") + 1).to_bytes(4, "big")
        length = message.find(following, 8)
        if length < 0:
            return packets + [message]
        packets.append(message[:length])
        message = message[length:]


def network_inside(packet):
    """The network that the tunnel header names, as (encapsulation, number), and the guest's frame."""
    if UDP in packet and packet[UDP].dport == VXLAN_PORT:
        data = bytes(packet[UDP].payload)
        if data[0] != 0x08:
            raise Wrong(f"the flags of VXLAN are {data[0]:#x}")
        return ("vxlan", int.from_bytes(data[4:7], "big")), data[8:]
    if GRE in packet and packet[GRE].proto == ETHERNET_IN_GRE and packet[GRE].key_present:
        return ("gre", packet[GRE].key), bytes(packet[GRE].payload)
    raise Wrong(f"there is neither VXLAN nor GRE with a key inside: {packet.summary()}")


def open_all(capture, keys, networks):
    """Opens every packet of ESP; how many there were of the first network, and how many of these carry the mark."""
    opened, marked = 0, 0
    for outer, frame in ((outer, frame) for frame in PcapReader(str(capture)) for outer in bare(frame)):
        spi = outer[ESP].spi
        key = keys.get((outer.dst, spi))
        if key is None:
            # Both ends are in user space, and their keys are nowhere to be read.
            if in_udp(frame):
                continue
            raise Wrong(f"no host has the SA {spi:#x} to {outer.dst}")
        # 32 bytes of key, then the 4 bytes of salt (RFC 4106 section 8.1).
        association = SecurityAssociation(ESP, spi=spi, crypt_algo="AES-GCM", crypt_key=key, esn_en=True, esn=0)
        network, guest = network_inside(association.decrypt(outer))
        if network not in networks:
            raise Wrong(f"a packet of {network[0]} {network[1]:#x}, which is none of the networks")
        if network == networks[0]:
            opened += 1
            marked += MARK in guest
    return opened, marked


def check(capture):
    name = capture.stem
    texts = [path.read_text() for path in sorted(capture.parent.glob(f"{name}.*.xfrm"))]
    lines = capture.with_suffix(".networks").read_text().splitlines()
    networks = [(encapsulation, int(number)) for encapsulation, number in map(str.split, lines)]
    opened, marked = open_all(capture, associations(texts), networks)
    if opened < 50 or marked < 50:
        raise Wrong(f"{opened} packets opened, {marked} of them with the mark: too few to tell")
    return f"{opened} packets opened by scapy, {marked} of them with the mark"


def main():
    captures = sorted(pathlib.Path(sys.argv[1]).glob("*.pcap"))
    wrong = not captures
    for capture in captures:
        try:
            print(f"✔ {capture.stem}: {check(capture)}")
        except Exception as error:  # An ICV that does not fit is an exception of scapy's own.
            print(f"✘ {capture.stem}: {type(error).__name__}: {error}")
            wrong = True
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

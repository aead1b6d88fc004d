"""What tshark makes of the frames of a capture, and what our codec makes of the same bytes.

Both are brought into one form: a multiset of facts, each the name of one of tshark's fields without its protocol, and a
value. Where they differ, tshark, which knows the RFCs but not this software, understands something else than we meant.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, iterparse

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, UdpTransport, WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.orders import encode_drainers, encode_leaving
from rserpool.core.wire.parameters import DccpTransport, OpaqueTransport, ServerInformation, UdpLiteTransport
from rserpool.core.wire.private import encode_dead, encode_encapsulation, encode_framing, encode_will
from rserpool.core.wire.tlv import Decoded

PORTS = range(9892, 9900)
"""The UDP ports of SCTP over UDP that registrars use."""
CODECS = {"asap": asap.decode, "enrp": enrp.decode}
TEXTS = {"ipv4_address", "ipv6_address"}
OCTETS = {"pool_handle_pool_handle", "cookie", "parameter_value", "cause_info"}
STRUCTURE = {"message_length", *(f"{of}_{what}" for of in ("parameter", "cause") for what in ("length", "padding"))}
STRUCTURE.add("parameter_type")
"""What says how a message is put together, not what it says."""
POLICY = "pool_member_selection_policy_"
PORT_NAMES = {
    SctpTransport: "sctp_transport_port",
    TcpTransport: "tcp_transport_port",
    UdpTransport: "udp_transport_port",
    UdpLiteTransport: "udp_lite_transport_port",
    DccpTransport: "dccp_transport_port",
}
FLAGS = {
    "rejected": 1,
    "home": 1,
    "subscribe": 1,
    "accepted": 1,
    "reply_required": 1,
    "private": 0x80,
    "own_children_only": 1,
    "takeover_suggested": 1,
    "more_to_send": 2,
}
NUMBERS = {
    "server": "server_identifier",
    "identifier": "pe_identifier",
    "items": "hropt_items",
    "sender": "sender_servers_id",
    "receiver": "receiver_servers_id",
    "target": "target_servers_id",
    "action": "update_action",
    "checksum": "pe_checksum",
}
"""Fields of our messages, and their names at tshark."""

Facts = Counter[tuple[str, Any]]


@dataclass
class Message:
    """One message in a capture.

    @ivar frame: the number of the frame that it ended in.
    @ivar protocol: C{"asap"} or C{"enrp"}.
    @ivar data: its bytes.
    @ivar facts: what tshark says.
    @ivar malformed: whether tshark says that it is, or does not know some of its bytes.
    """

    frame: int
    protocol: str
    source: str
    destination: str
    data: bytes
    facts: Facts
    malformed: bool

    @property
    def name(self) -> str:
        """The name of its type, at ours."""
        kinds: tuple[Any, ...] = asap.MESSAGES if self.protocol == "asap" else enrp.MESSAGES
        return next((kind.__name__ for kind in kinds if kind.TYPE == self.data[:1][0]), f"type {self.data[:1]!r}")

    def differences(self) -> str:
        """What our codec says otherwise; empty if it agrees."""
        try:
            decoded: Decoded[Any] = CODECS[self.protocol](self.data)
        except WireError as error:
            return f"we refuse it: {error}"
        ours = facts_of(decoded.message)
        for tlv in decoded.unrecognized:
            ours["parameter_value", tlv[4:]] += 1
        if ours == self.facts:
            return ""
        return f"tshark alone: {sorted(map(str, self.facts - ours))}, we alone: {sorted(map(str, ours - self.facts))}"

    def __str__(self) -> str:
        return f"frame {self.frame}, {self.source} to {self.destination}, {self.protocol} {self.name} {self.data.hex()}"


def facts_of(message: Any) -> Facts:
    """What our message says, in the words of tshark."""
    flags = sum(bit for field, bit in FLAGS.items() if getattr(message, field, False) is True)
    facts: Facts = Counter({("message_type", message.TYPE): 1, ("message_flags", flags): 1})
    for field, name in NUMBERS.items():
        number = getattr(message, field, None)
        if number is not None:
            facts[name, int(number)] += 1
    if isinstance(message, enrp.HandleUpdate):
        facts["reserved", 0] += 1
    if hasattr(message, "cookie"):
        facts["cookie", message.cookie] += 1
    if getattr(message, "exclusive", False):
        facts["parameter_value", encode_will(True)[4:]] += 1
    if getattr(message, "framing", 0):
        facts["parameter_value", encode_framing(message.framing)[4:]] += 1
    if dead := getattr(message, "dead", ()):
        facts["parameter_value", encode_dead((message.element.identifier,) if dead is True else dead)[4:]] += 1
    ordered = [order.encode()] if (order := getattr(message, "order", None)) is not None else []
    ordered += [encode_drainers(drainers)] if (drainers := getattr(message, "drainers", ())) else []
    ordered += [encode_leaving()] if getattr(message, "leaving", False) is True else []
    for tlv in ordered:
        facts["parameter_value", tlv[4 : int.from_bytes(tlv[2:4], "big")]] += 1
    if getattr(message, "encapsulation", 0):
        facts["parameter_value", encode_encapsulation(message.encapsulation)[4:]] += 1
    for field in ("element", "elements", "entries", "policy", "information", "servers", "transports", "causes"):
        value = getattr(message, field, None)
        for part in value if isinstance(value, tuple) else () if value is None else (value,):
            _add(facts, part)
    if hasattr(message, "handle"):
        facts["pool_handle_pool_handle", message.handle] += 1
    return facts


def _add(facts: Facts, part: Any) -> None:
    match part:
        case PoolElementParameter():
            facts["pool_element_pe_identifier", part.identifier] += 1
            facts["pool_element_home_enrp_server_identifier", part.home] += 1
            facts["pool_element_registration_life", part.life] += 1
            for inner in (part.user_transport, part.policy, part.asap_transport):
                _add(facts, inner)
            if part.encapsulation:
                facts["parameter_value", encode_encapsulation(part.encapsulation)[4:]] += 1
            if part.framing:
                facts["parameter_value", encode_framing(part.framing)[4:]] += 1
        case ServerInformation():
            facts["server_information_server_identifier", part.identifier] += 1
            _add(facts, part.transport)
            if part.encapsulation:
                facts["parameter_value", encode_encapsulation(part.encapsulation)[4:]] += 1
        case enrp.PoolEntry():
            facts["pool_handle_pool_handle", part.handle] += 1
            for element in part.elements:
                _add(facts, element)
        case PolicyParameter():
            facts[POLICY + "type", part.type] += 1
            facts[POLICY + "value", part.data] += 1
        case ErrorCause():
            facts["cause_code", part.code] += 1
            if part.information:
                facts["cause_info", part.information] += 1
        case OpaqueTransport():
            if part.data:
                facts["parameter_value", part.data] += 1
        case SctpTransport() | TcpTransport() | UdpTransport() | UdpLiteTransport() | DccpTransport():
            facts[PORT_NAMES[type(part)], part.port] += 1
            if isinstance(part, SctpTransport | TcpTransport):
                facts["transport_use", part.use] += 1
            elif isinstance(part, UdpTransport):
                facts["udp_transport_reserved", 0] += 1
            elif isinstance(part, UdpLiteTransport):
                facts["udp_lite_transport_reserved", 0] += 1
            else:
                facts["dccp_transport_reserved", 0] += 1
                facts["dccp_transport_service_code", part.service_code] += 1
            for address in part.addresses:
                version = ip_address(address).version
                facts[f"ipv{version}_address", str(ip_address(address))] += 1


def messages(capture: Path, without: Collection[str] = ()) -> Iterator[Message]:
    """All ASAP and ENRP messages of a capture, as tshark sees them.

    @param without: IP addresses; what comes from or goes to them is left out.
    @raise OSError: if there is no tshark.
    """
    encapsulated = [option for port in PORTS for option in ("-d", f"udp.port=={port},sctp")]
    left_out = "".join(f" && ! ip{'v6' if ':' in host else ''}.addr == {host}" for host in without)
    wanted = ["-Y", f"(asap || enrp){left_out}", "-T", "pdml", "-J", "ip ipv6 asap enrp"]
    # Its preferences are nobody's but its own.
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C"}
        command = ["tshark", "-n", "-r", str(capture), *encapsulated, *wanted]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as running:
            assert running.stdout is not None
            for _, element in iterparse(running.stdout):
                if element.tag == "packet":
                    yield from _packet(element)
                    element.clear()


def _packet(packet: Element) -> Iterator[Message]:
    number = 0
    source = destination = ""
    # Those inside others are quoted by an error cause.
    protocols = packet.findall("proto")
    malformed = any(protocol.get("name") == "_ws.malformed" for protocol in protocols)
    for protocol in protocols:
        name = protocol.get("name", "")
        if name == "geninfo":
            number = int(next(field.get("show", "0") for field in protocol if field.get("name") == "num"))
        elif name in ("ip", "ipv6"):
            shown = {field.get("name"): field.get("show", "") for field in protocol}
            source, destination = shown.get(f"{name}.src", ""), shown.get(f"{name}.dst", "")
        elif name in CODECS:
            data, whole = _octets(protocol)
            facts = _seen(protocol, name)
            yield Message(number, name, source, destination, data, facts, malformed or not whole)


def _octets(protocol: Element) -> tuple[bytes, bool]:
    """The bytes of a message, put together of those of its fields, and whether any is missing."""
    begin, size = int(protocol.get("pos", 0)), int(protocol.get("size", 0))
    data, known = bytearray(size), 0
    for field in protocol:
        value = bytes.fromhex(field.get("value", "")) if field.get("name") != "_ws.malformed" else b""
        offset = int(field.get("pos", 0)) - begin
        data[offset : offset + len(value)] = value
        known = max(known, offset + len(value))
    # Padding at the end belongs to no field.
    return bytes(data), size - known <= 3


def _seen(protocol: Element, name: str) -> Facts:
    facts: Facts = Counter()
    for parameter in _deepest(protocol, name + "."):
        policy = b""
        for field, shown, value in parameter:
            if field in STRUCTURE:
                continue
            if field.startswith(POLICY) and field != POLICY + "type":
                policy += bytes.fromhex(value)
            elif field in OCTETS:
                facts[field, bytes.fromhex(value)] += 1
            elif field in TEXTS:
                facts[field, str(ip_address(shown))] += 1
            else:
                facts[field, int(shown, 0)] += 1
        if any(field == POLICY + "type" for field, _, _ in parameter):
            facts[POLICY + "value", policy] += 1
    return facts


def _deepest(element: Element, prefix: str) -> Iterator[list[tuple[str, str, str]]]:
    """The fields of each parameter, and of the message's head."""
    own = []
    for field in element:
        name = field.get("name", "")
        if name.startswith(prefix):
            own.append((name.removeprefix(prefix), field.get("show", ""), field.get("value", "")))
        elif field.find(f"field[@name='{prefix}cause_code']") is not None:
            yield _cause(field, prefix)
        elif len(field):
            yield from _deepest(field, prefix)
    yield own


def _cause(element: Element, prefix: str) -> list[tuple[str, str, str]]:
    """An error cause; tshark looks into what it quotes, we do not."""
    shown = {field.get("name", "").removeprefix(prefix): field.get("show", "") for field in element}
    information = element.get("value", "")[8 : 2 * int(shown["cause_length"])]
    return [("cause_code", shown["cause_code"], ""), *([("cause_info", "", information)] if information else [])]

"""A role as the RSerPool MIB has it (RFC 5525): registrar, pool element or pool user. Nothing can be set.

Processes of one host share these tables, so each index is one that no other process there has: the identifier of the
registrar or element. A pool has the same index at every registrar, made from its handle.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import islice
from typing import Final, TypeAlias

import rserpool
from rserpool.admin.agentx.view import Table, View
from rserpool.admin.agentx.wire import Oid, Region, Syntax, Value
from rserpool.admin.answers import Described
from rserpool.admin.subjects import Subject
from rserpool.core.policies import FULL_LOAD
from rserpool.core.reading import parse_transport_address

OBJECTS: Final[Oid] = (1, 3, 6, 1, 3, 125, 1)
"""rserpoolMIBObjects."""
MOST_ELEMENTS: Final = 20_000
"""So many elements of a registrar are shown."""
MOST_POOLS: Final = 20_000
MOST_PEERS: Final = 200
MOST_OCTETS: Final = 1024
"""So long is what people are shown of a handle (its DISPLAY-HINT), and an opaque address."""
PROTOCOLS: Final = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136}
"""Of IP; 0 for an opaque address."""
FOR_EVER: Final = 0xFFFFFFFF
LARGEST_INDEX: Final = 2**31 - 1

Row: TypeAlias = tuple[Value | None, ...]


class Kind:
    """A table of the MIB.

    @param columns: its first and last column that can be read.
    """

    def __init__(self, group: int, table: int, columns: tuple[int, int]) -> None:
        self._entry = (*OBJECTS, group, table, 1)
        self._first, self._last = columns

    def table(self, rows: dict[Oid, Row]) -> Table:
        """It, with these rows."""
        return Table(self._entry, self._first, self._last - self._first + 1, rows)

    def region(self, index: int) -> Region:
        """What begins with this index, in every column."""
        return Region((*self._entry, self._first, index), len(self._entry) + 1, self._last)


REGISTRARS: Final = Kind(1, 1, (2, 12))
POOLS: Final = Kind(1, 3, (2, 2))
POOL_ELEMENTS: Final = Kind(1, 4, (2, 13))
ELEMENT_ASAP: Final = Kind(1, 5, (2, 3))
ELEMENT_USER: Final = Kind(1, 6, (2, 4))
REGISTRAR_ENRP: Final = Kind(1, 7, (2, 3))
PEERS: Final = Kind(1, 8, (2, 4))
PEER_ADDRESSES: Final = Kind(1, 9, (2, 3))
ELEMENTS: Final = Kind(2, 1, (2, 17))
OWN_ASAP: Final = Kind(2, 2, (2, 3))
OWN_USER: Final = Kind(2, 6, (2, 4))
USERS: Final = Kind(3, 1, (2, 5))


class Mib:
    """The objects of a role.

    @param number: the index of a pool user, which has no identifier.
    """

    def __init__(self, subject: Subject, number: int) -> None:
        self._subject = subject
        self._number = number

    def regions(self) -> list[Region]:
        """What is ours now; found with little work."""
        about = self._subject.about()
        if about["role"] == "registrar":
            own = _own(about)
            ours = (REGISTRARS, POOLS, POOL_ELEMENTS, ELEMENT_ASAP, ELEMENT_USER, REGISTRAR_ENRP)
            peers = [index for index, _ in self._peers(own)]
            return [kind.region(own) for kind in ours] + [
                kind.region(index) for kind in (PEERS, PEER_ADDRESSES) for index in peers
            ]
        if about["role"] == "element":
            indices = [index for index, _, _ in self._own_elements()]
            return [kind.region(index) for kind in (ELEMENTS, OWN_ASAP, OWN_USER) for index in indices]
        return [USERS.region(self._number)]

    def look(self, uptime: float) -> Iterator[View | None]:
        """All objects as they are now: None until then, after each piece of work.

        @param uptime: since when the role serves, in seconds.
        """
        about = self._subject.about()
        if about["role"] == "registrar":
            yield from self._registrar(about, uptime)
        elif about["role"] == "element":
            yield self._elements(uptime)
        else:
            row = (_text(""), _octets(about["handle"]), _description(), _ticks(uptime))
            yield View([USERS.table({(self._number,): row})])

    def _registrar(self, about: Described, uptime: float) -> Iterator[View | None]:
        own = _own(about)
        taken: set[int] = set()
        pools: dict[Oid, Row] = {}
        elements: dict[Oid, Row] = {}
        asap: dict[Oid, Row] = {}
        user: dict[Oid, Row] = {}
        for pool in islice(self._subject.pools(None, None), MOST_POOLS):
            index = (own, _index(zlib.crc32(bytes.fromhex(pool["handle"])), taken))
            members: set[int] = set()
            pools[index] = (_octets(pool["handle"]),)
            for element in self._subject.elements(bytes.fromhex(pool["handle"]), None, None) or ():
                if len(elements) >= MOST_ELEMENTS:
                    break
                place = (*index, _index(int(element["identifier"], 16), members))
                elements[place] = _pool_element(element)
                _addresses(asap, place, element["asap"])
                _user_addresses(user, place, element["transport"])
                yield None
            yield None
        enrp: dict[Oid, Row] = {}
        _addresses(enrp, (own,), about["enrp"])
        there = list(self._peers(own))
        addresses: dict[Oid, Row] = {}
        for number, peer in there:
            _addresses(addresses, (number,), _endpoint(peer))
        yield View(
            [
                REGISTRARS.table({(own,): _registrar(about, uptime)}),
                POOLS.table(pools),
                POOL_ELEMENTS.table(elements),
                ELEMENT_ASAP.table(asap),
                ELEMENT_USER.table(user),
                REGISTRAR_ENRP.table(enrp),
                PEERS.table({(index,): _peer(peer) for index, peer in there}),
                PEER_ADDRESSES.table(addresses),
            ]
        )

    def _elements(self, uptime: float) -> View:
        rows: dict[Oid, Row] = {}
        asap: dict[Oid, Row] = {}
        user: dict[Oid, Row] = {}
        for index, handle, element in self._own_elements():
            rows[(index,)] = _element(handle, element, uptime)
            _addresses(asap, (index,), element["asap"])
            _user_addresses(user, (index,), element["transport"])
        return View([ELEMENTS.table(rows), OWN_ASAP.table(asap), OWN_USER.table(user)])

    def _own_elements(self) -> Iterator[tuple[int, str, Described]]:
        taken: set[int] = set()
        for pool in self._subject.pools(None, None):
            for element in self._subject.elements(bytes.fromhex(pool["handle"]), None, None) or ():
                index = _index(int(element["identifier"], 16), taken)
                yield index, pool["handle"], element

    def _peers(self, own: int) -> Iterator[tuple[int, Described]]:
        """Peers, with an index that is another one at each registrar of a host."""
        taken: set[int] = set()
        for peer in self._subject.registrars():
            if "heard" in peer and len(taken) < MOST_PEERS:
                index = _index(zlib.crc32(f"{own} {peer['identifier']}".encode()), taken)
                yield index, peer


def _index(number: int, taken: set[int]) -> int:
    """An index that is not taken, from now on it is; net-snmp has trouble with those from 2^31 on."""
    number &= LARGEST_INDEX
    while number == 0 or number in taken:
        number = number % LARGEST_INDEX + 1
    taken.add(number)
    return number


def _own(about: Described) -> int:
    return _index(int(about["identifier"], 16), set())


def _registrar(about: Described, uptime: float) -> Row:
    return (
        _text(""),
        _number(int(about["identifier"], 16)),
        _description(),
        _ticks(uptime),
        _number(about["enrp"]["port"] if about["enrp"] else 0),
        *_group(about["announces"]),
        *_group(about["discovers"]),
    )


def _pool_element(element: Described) -> Row:
    """What it is registered with, from its identifier to its home."""
    asap, transport, policy = element["asap"], element["transport"], element["policy"]
    return (
        _number(int(element["identifier"], 16)),
        _number(asap["port"] if asap else 0),
        _number(PROTOCOLS.get(transport["protocol"], 0)),
        _number(transport["port"] or 0),
        Value(Syntax.INTEGER, int(transport.get("control", False))),
        _number(policy["type"]),
        _text(policy["name"]),
        _number(policy.get("weight", 0)),
        _number(round(policy.get("load", 0) * FULL_LOAD)),
        _number(round(policy.get("degradation", 0) * FULL_LOAD)),
        _number(FOR_EVER, Syntax.TICKS) if element["life"] < 0 else _ticks(element["life"]),
        _number(int(element["home"], 16)) if int(element["home"], 16) else None,
    )


def _element(handle: str, element: Described, uptime: float) -> Row:
    identifier, *rest = _pool_element(element)
    return (_text(""), _octets(handle), identifier, _description(), _ticks(uptime), *rest)


def _peer(peer: Described) -> Row:
    endpoint = _endpoint(peer)
    heard = _ticks(peer["heard"])
    return (_number(int(peer["identifier"], 16)), _number(endpoint["port"] if endpoint else 0), heard)


def _endpoint(peer: Described) -> Described | None:
    if peer["address"] is None:
        return None
    address = parse_transport_address(peer["address"])
    return {"addresses": address.hosts, "port": address.port}


def _group(group: Described | None) -> Row:
    """Its port, and what its address is."""
    if group is None:
        return None, None, None
    return (_number(group["port"]), *_address(group["addresses"][0]))


def _addresses(rows: dict[Oid, Row], index: Oid, endpoint: Described | None) -> None:
    addresses: Iterable[str] = endpoint["addresses"] if endpoint else ()
    rows.update({(*index, number): _address(host) for number, host in enumerate(addresses, 1)})


def _user_addresses(rows: dict[Oid, Row], index: Oid, transport: Described) -> None:
    for number, host in enumerate(transport["addresses"], 1):
        rows[(*index, number)] = (*_address(host), _text(""))
    if "opaque" in transport:
        rows[(*index, 1)] = (Value(Syntax.INTEGER, 0), _text(""), _octets(transport["opaque"]))


def _address(host: str) -> tuple[Value, Value]:
    address = ip_address(host.partition("%")[0])
    return Value(Syntax.INTEGER, 1 if address.version == 4 else 2), Value(Syntax.OCTETS, address.packed)


def _description() -> Value:
    return _text(f"rserpool {rserpool.__version__}")


def _text(text: str) -> Value:
    return Value(Syntax.OCTETS, text.encode()[:255])


def _octets(hexadecimal: str) -> Value:
    return Value(Syntax.OCTETS, bytes.fromhex(hexadecimal)[:MOST_OCTETS])


def _number(number: int, syntax: Syntax = Syntax.UNSIGNED) -> Value:
    return Value(syntax, number & 0xFFFFFFFF)


def _ticks(seconds: float) -> Value:
    """Hundredths of a second."""
    return _number(round(seconds * 100), Syntax.TICKS)

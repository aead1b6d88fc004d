"""The ENRP port of a registrar (RFC 5353 section 5.3)."""

from __future__ import annotations

from twisted.logger import Logger

from rserpool.enrp.alone import Alone
from rserpool.errors import WireError
from rserpool.sctp.base import PPID_ENRP, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.wire import enrp
from rserpool.wire.causes import cause_of, unrecognized_parameters


class EnrpHandler(SctpHandler):
    """Answers other registrars."""

    _log = Logger()

    def __init__(self, server: int, alone: Alone) -> None:
        self._server = server
        self._alone = alone

    def associationUp(self, association: ISctpAssociation) -> None:
        self._log.warn(
            "{peer} wants to be a peer: this registrar shares its handlespace with nobody", peer=str(association.peer)
        )

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if ppid != PPID_ENRP:
            self._log.warn(
                "{peer} sent a message with PPID {ppid}, where ENRP (PPID {enrp}) is spoken: closed",
                peer=str(association.peer),
                ppid=ppid,
                enrp=PPID_ENRP,
            )
            association.abort()
            return
        try:
            decoded = enrp.decode(data)
        except WireError as error:
            self._log.warn("{peer} sent garbage: {error}", peer=str(association.peer), error=error)
            if error.report:
                self._send(association, enrp.Error(self._server, 0, (cause_of(error),)))
            return
        sender = decoded.message.sender
        if decoded.unrecognized:
            self._send(association, enrp.Error(self._server, sender, unrecognized_parameters(decoded.unrecognized)))
        answer = self._alone.answer(decoded.message)
        if answer is not None:
            self._send(association, answer)

    @staticmethod
    def _send(association: ISctpAssociation, message: enrp.Message) -> None:
        association.send(enrp.encode(message), PPID_ENRP)

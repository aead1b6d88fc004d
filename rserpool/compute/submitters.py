"""Who submits code to a worker: known by a certificate, and allowed by the access file, as long as that says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from OpenSSL import crypto
from twisted.logger import Logger

from rserpool.core.access import Access, State
from rserpool.core.compute.submitting import submits
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_text, printable
from rserpool.core.identity import Credentials
from rserpool.sctp.log import LimitedLog
from rserpool.security.following import Secured
from rserpool.security.names import names_of
from rserpool.security.serving import ServerTls
from rserpool.security.settings import Security

_MISSING = "there is no certificate in what --security names (certificate.pem, private-key.pem)"


class Submitters:
    """Those whose code a worker takes.

    @param secured: what secures the worker.
    @ivar tls: how it serves: whoever shows no certificate, or one of another authority, gets no further.
    @raise ConfigurationError: if it could not know who submits: the text says what to do.
    """

    _log = Logger()

    def __init__(self, secured: Secured | None) -> None:
        if secured is None:
            raise ConfigurationError(
                "it goes with --security DIR: code is taken from those alone who prove who they are"
            )
        _check(secured.current)
        self._secured = secured
        self._issuers = secured.current.client_ca
        self._refused = LimitedLog(self._log, time.monotonic)
        self._limited: dict[str, LimitedLog] = {}
        self.tls = ServerTls(secured, _MISSING, b"rserpool code", demanding=True)

    @property
    def secrets(self) -> tuple[Path, ...]:
        """The files that no job may read."""
        return self._secured.secrets

    def watch(self, changed: Callable[[bool], object]) -> Callable[[], None]:
        """Have this called when somebody may have lost the right.

        @param changed: called with whether others issue certificates now, so that everybody has to show one again.
        @return: a function that ends it.
        """

        def look(security: Security) -> None:
            before, self._issuers = self._issuers, security.client_ca
            changed(before != self._issuers)

        return self._secured.watch(look)

    def refusal(self, session: Any) -> str:
        """Why the user of a session may not have code run, or not any more; empty if it may."""
        access: Access = self._secured.current.access
        standing = access.standing(_credentials(session))
        if submits(access, standing, session.pool).allowed:
            return ""
        pool = handle_text(session.pool)
        role = "it takes the role submit-code in the workers' access file"
        return f"{standing} may not submit code to pool {pool!r}: {role}"

    def tell(self, session: Any, name: str) -> None:
        """For the trail: somebody has code run."""
        who = str(self._secured.current.access.standing(_credentials(session)))
        # Those who may are few: the access file names them.
        log = self._limited.setdefault(who, LimitedLog(self._log, time.monotonic))
        log.info(
            "audit: {who} at {where} runs {job}", event="code", who=who, where=_where(session), job=printable(name)
        )

    def tell_refused(self, session: Any, name: str, why: str) -> None:
        """For the trail: somebody may not."""
        self._refused.warn(
            "audit: {why}: {job} of {where} refused",
            event="code-refused",
            why=why,
            job=printable(name),
            where=_where(session),
        )


def _where(session: Any) -> str:
    return str(getattr(session.peer, "host", "?"))


def _credentials(session: Any) -> Credentials:
    """The names in the certificate that the user has shown, whose issuer was checked; None without TLS."""
    link = session.link
    shown = getattr(None if link is None else link.transport, "getPeerCertificate", None)
    if shown is None:
        return None
    certificate = shown()
    return () if certificate is None else names_of(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))


def _check(security: Security) -> None:
    if security.state is not State.REQUIRED:
        raise ConfigurationError("code is taken where TLS is required (state), not where it is offered")
    if security.certificate is None:
        raise ConfigurationError(_MISSING)
    if security.client_ca is None:
        raise ConfigurationError(
            "there is no client-ca.pem in what --security names: who issues the certificates of those "
            "who submit code (rserpool keys add --submitter NAME)"
        )
    if not security.access.submitters:
        raise ConfigurationError(
            "nobody may submit code: the access file (access.toml in what --security names) gives "
            'nobody roles = ["submit-code"]'
        )

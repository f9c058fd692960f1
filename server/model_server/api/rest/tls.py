"""TLS for the REST port."""

import logging
import os
import ssl

from model_server.options.tls import Tls, TlsFile

_log = logging.getLogger(__name__)


def server_context(file: TlsFile) -> ssl.SSLContext:
    """What a server shows, and whom it asks, at each handshake what the file says then.

    A client without a certificate is let in even with ``verify_clients``, because a kubelet that
    asks for health has none; the endpoint then refuses it everything else. Raises ssl.SSLError for
    a key OpenSSL cannot use.
    """
    tls = file.now()
    context = newest = _context(tls)

    def renew(connection: ssl.SSLObject, _name: str | None, _context_of_port: object) -> None:
        # OpenSSL asks for a context here by the name of a server, if the client gives one or not.
        nonlocal tls, newest
        now = file.now()
        if now is not tls:
            tls = now
            try:
                newest = _context(now)
            except ssl.SSLError as error:
                _log.error("OpenSSL cannot use the new certificate: %s", error)
        connection.context = newest

    context.sni_callback = renew
    return context


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # Python reads keys from files only; this one is in memory, and of this process alone.
    file = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        os.write(file, tls.key + b"\n" + tls.certificate)
        context.load_cert_chain(f"/proc/self/fd/{file}", password=_none)
    finally:
        os.close(file)
    if tls.verify_clients:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=(tls.client_ca or b"").decode())
    return context


def _none() -> str:
    # Else OpenSSL would ask on the terminal.
    return ""

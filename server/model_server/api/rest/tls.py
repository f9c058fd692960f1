"""TLS for the REST port."""

import os
import ssl

from model_server.options.tls import Tls


def server_context(tls: Tls) -> ssl.SSLContext:
    """What a server shows, and whom it asks. Raises ssl.SSLError for a key OpenSSL cannot use.

    A client without a certificate is let in even with ``verify_clients``, because a kubelet that
    asks for health has none; the endpoint then refuses it everything else.
    """
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

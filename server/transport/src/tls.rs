//! Certificates: what is shown, and who is let in.

use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
};

/// Asks Python at each handshake for what to show, an object of `key`, `certificate`, `client_ca`
/// and `verify_clients` that stays the same as long as they do.
pub struct Certificates {
    now: Py<PyAny>,
    lets_strangers_in: bool,
    speaks_http1: bool,
    last: Mutex<Option<(Py<PyAny>, Shown)>>,
}

/// What is shown to a client, and whether it is asked for a certificate.
#[derive(Clone)]
pub struct Shown {
    pub config: Arc<ServerConfig>,
    pub asks: bool,
}

impl Certificates {
    /// Raises ValueError for what cannot be used.
    pub fn new(
        py: Python<'_>,
        now: Py<PyAny>,
        lets_strangers_in: bool,
        speaks_http1: bool,
    ) -> PyResult<Self> {
        let certificates = Certificates {
            now,
            lets_strangers_in,
            speaks_http1,
            last: Mutex::new(None),
        };
        certificates.read(py)?;
        Ok(certificates)
    }

    /// What to show now; what was shown before where the new cannot be used.
    pub fn now(&self) -> Shown {
        let read = Python::attach(|py| self.read(py));
        read.unwrap_or_else(|_| {
            let last = self.last.lock().unwrap();
            last.as_ref().expect("there was one at the start").1.clone()
        })
    }

    fn read(&self, py: Python<'_>) -> PyResult<Shown> {
        let tls = self.now.call0(py)?;
        if let Some((before, shown)) = &*self.last.lock().unwrap() {
            if before.is(&tls) {
                return Ok(shown.clone());
            }
        }
        let key: Vec<u8> = tls.getattr(py, "key")?.extract(py)?;
        let certificate: Vec<u8> = tls.getattr(py, "certificate")?.extract(py)?;
        let client_ca: Option<Vec<u8>> = tls.getattr(py, "client_ca")?.extract(py)?;
        let asks: bool = tls.getattr(py, "verify_clients")?.extract(py)?;
        let roots = if asks { client_ca } else { None };
        let mut config = server_config(&key, &certificate, roots, self.lets_strangers_in)
            .map_err(|problem| PyValueError::new_err(format!("rustls cannot use it: {problem}")))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        if self.speaks_http1 {
            config.alpn_protocols.push(b"http/1.1".to_vec());
        }
        let config = Arc::new(config);
        let shown = Shown { config, asks };
        *self.last.lock().unwrap() = Some((tls, shown.clone()));
        Ok(shown)
    }
}

type Problem = Box<dyn std::error::Error>;

fn server_config(
    key: &[u8],
    certificate: &[u8],
    client_ca: Option<Vec<u8>>,
    lets_strangers_in: bool,
) -> Result<ServerConfig, Problem> {
    let chain = certificates_of(certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let known = certificates_of(&pem)?;
            let mut roots = RootCertStore::empty();
            for each in &known {
                roots.add(each.clone())?;
            }
            let by_roots =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(Arc::new(Known {
                known,
                by_roots,
                lets_strangers_in,
            }))
        }
    };
    Ok(builder.with_single_cert(chain, key)?)
}

fn certificates_of(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    Ok(CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?)
}

/// Lets in clients that show a trusted certificate itself, as OpenSSL does, beside those that show
/// one certified by it.
#[derive(Debug)]
struct Known {
    known: Vec<CertificateDer<'static>>,
    by_roots: Arc<dyn ClientCertVerifier>,
    lets_strangers_in: bool,
}

impl ClientCertVerifier for Known {
    fn client_auth_mandatory(&self) -> bool {
        !self.lets_strangers_in
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.by_roots.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.known.iter().any(|known| known == shown) {
            return Ok(ClientCertVerified::assertion());
        }
        self.by_roots.verify_client_cert(shown, chain, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_roots
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_roots
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_roots.supported_verify_schemes()
    }
}

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
    last: Mutex<Option<(Py<PyAny>, Arc<ServerConfig>)>>,
}

impl Certificates {
    /// Raises ValueError for what cannot be used.
    pub fn new(py: Python<'_>, now: Py<PyAny>) -> PyResult<Self> {
        let certificates = Certificates {
            now,
            last: Mutex::new(None),
        };
        certificates.read(py)?;
        Ok(certificates)
    }

    /// What to show now; what was shown before where the new cannot be used.
    pub fn config(&self) -> Arc<ServerConfig> {
        let read = Python::attach(|py| self.read(py));
        read.unwrap_or_else(|_| {
            let last = self.last.lock().unwrap();
            last.as_ref().expect("there was one at the start").1.clone()
        })
    }

    fn read(&self, py: Python<'_>) -> PyResult<Arc<ServerConfig>> {
        let tls = self.now.call0(py)?;
        if let Some((before, config)) = &*self.last.lock().unwrap() {
            if before.is(&tls) {
                return Ok(config.clone());
            }
        }
        let key: Vec<u8> = tls.getattr(py, "key")?.extract(py)?;
        let certificate: Vec<u8> = tls.getattr(py, "certificate")?.extract(py)?;
        let client_ca: Option<Vec<u8>> = tls.getattr(py, "client_ca")?.extract(py)?;
        let verify: bool = tls.getattr(py, "verify_clients")?.extract(py)?;
        let roots = if verify { client_ca } else { None };
        let config = server_config(&key, &certificate, roots.as_deref())
            .map_err(|problem| PyValueError::new_err(format!("rustls cannot use it: {problem}")))?;
        *self.last.lock().unwrap() = Some((tls, config.clone()));
        Ok(config)
    }
}

type Problem = Box<dyn std::error::Error>;

fn server_config(
    key: &[u8],
    certificate: &[u8],
    client_ca: Option<&[u8]>,
) -> Result<Arc<ServerConfig>, Problem> {
    let chain = certificates_of(certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let known = certificates_of(pem)?;
            let mut roots = RootCertStore::empty();
            for each in &known {
                roots.add(each.clone())?;
            }
            let by_roots =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(Arc::new(Known { known, by_roots }))
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
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
}

impl ClientCertVerifier for Known {
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

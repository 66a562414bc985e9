//! What every verifier of ours says of signatures in a handshake: TLS 1.3, and nothing below.

/// The part of `impl ClientCertVerifier` and of `impl ServerCertVerifier` about signatures, inside the braces of the `impl`: by the
/// algorithms that the verifier has.
macro_rules! tls13_signatures {
    (|$verifier:ident| $algorithms:expr) => {
        /// Never reached: the configurations offer nothing below TLS 1.3.
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &::rustls::pki_types::CertificateDer<'_>,
            _: &::rustls::DigitallySignedStruct,
        ) -> ::std::result::Result<::rustls::client::danger::HandshakeSignatureValid, ::rustls::Error> {
            Err(::rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &::rustls::pki_types::CertificateDer<'_>,
            signature: &::rustls::DigitallySignedStruct,
        ) -> ::std::result::Result<::rustls::client::danger::HandshakeSignatureValid, ::rustls::Error> {
            let $verifier = self;
            ::rustls::crypto::verify_tls13_signature(message, certificate, signature, &$algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<::rustls::SignatureScheme> {
            let $verifier = self;
            $algorithms.supported_schemes()
        }
    };
}

pub(crate) use tls13_signatures;

/** What to look at when a broker and this client do not believe each other, by the code of the failure. */

const untrusted =
  'Set KAFKA_SSL_CA_LOCATION to the certificate of the authority that has signed those of the brokers.'
const keyPassword = 'Check KAFKA_SSL_KEY_PASSWORD: the private key cannot be read with it.'
const clientCertificate =
  'Check KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION: the broker wants a certificate of an authority that it trusts.'
const keyPair =
  'Check KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION: PEM files of a certificate and of its own private key.'

const hints: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    "Name the brokers in KAFKA_BROKERS, and in the brokers' advertised.listeners, as their certificates do.",
  ],
  [/SELF_SIGNED|^UNABLE_TO_(VERIFY|GET)|^CERT_UNTRUSTED$|^CERT_SIGNATURE_FAILURE$/, untrusted],
  [/^CERT_HAS_EXPIRED$|^CERT_NOT_YET_VALID$/, "Renew the broker's certificate, and check the clocks."],
  [/BAD_DECRYPT|PASSWORD|PASSPHRASE|INTERRUPTED_OR_CANCELLED/, keyPassword],
  [
    /ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)|_(BAD|UNSUPPORTED)_CERTIFICATE/,
    clientCertificate,
  ],
  [/KEY_VALUES_MISMATCH|NO_START_LINE|^ERR_OSSL_(PEM|UNSUPPORTED|ASN1|X509)|^ERR_OSSL_EVP/, keyPair],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/,
    'Check KAFKA_SECURITY_PROTOCOL and the port: that listener does not speak TLS.',
  ],
]

const sasl = 'Check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM.'

/** Null where the table of errors says all there is to say. */
export function authenticationHint(error: unknown): string | null {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    if (one.name === 'KafkaJSSASLAuthenticationError') return sasl
    const code: unknown = Reflect.get(one, 'code')
    const found = typeof code === 'string' ? hints.find(([pattern]) => pattern.test(code)) : undefined
    if (found !== undefined) return found[1]
  }
  return null
}

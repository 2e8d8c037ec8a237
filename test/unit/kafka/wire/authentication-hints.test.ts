import { expect, test } from 'vitest'
import { authenticationHint } from '../../../../src/kafka/wire/authentication-hints.ts'

test.each([
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'KAFKA_BROKERS'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'Set KAFKA_SSL_CA_LOCATION'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'Set KAFKA_SSL_CA_LOCATION'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'Set KAFKA_SSL_CA_LOCATION'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'Set KAFKA_SSL_CA_LOCATION'],
  ['CERT_HAS_EXPIRED', 'Renew'],
  ['ERR_OSSL_BAD_DECRYPT', 'KAFKA_SSL_KEY_PASSWORD'],
  ['ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED', 'KAFKA_SSL_KEY_PASSWORD'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'an authority that it trusts'],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'an authority that it trusts'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'an authority that it trusts'],
  ['ERR_OSSL_X509_KEY_VALUES_MISMATCH', 'its own private key'],
  ['ERR_OSSL_PEM_NO_START_LINE', 'its own private key'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'does not speak TLS'],
])('%s leads to the setting to look at', (code, expected) => {
  const error = Object.assign(new Error('what TLS says'), { code })
  expect(authenticationHint(error)).toContain(expected)
  expect(authenticationHint(new Error('around it', { cause: error }))).toContain(expected)
})

test('a refused password leads to those of SASL', () => {
  const error = Object.assign(new Error('no'), { name: 'KafkaJSSASLAuthenticationError' })
  expect(authenticationHint(error)).toContain('KAFKA_SASL_PASSWORD')
})

test.each([[null], [new Error('something')], [Object.assign(new Error('x'), { code: 'ECONNRESET' })]])(
  'nothing is guessed from %o',
  (error) => {
    expect(authenticationHint(error)).toBeNull()
  },
)

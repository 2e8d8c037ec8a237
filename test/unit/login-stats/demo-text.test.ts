import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/login-stats/config/index.ts'
import { demoText } from '../../../src/login-stats/demo-text.ts'

const root = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '')

function textOf(environment: Record<string, string>, directory = root): string {
  return demoText({
    config: loadConfig(environment),
    environment,
    directory,
    pageUrl: 'http://127.0.0.1:8080/',
    logFile: '/tmp/demo/processor.log',
    foreignKafka: null,
  }).join('\n')
}

const usual = { KAFKA_BROKERS: 'localhost:39092', STATE_DIR: '/tmp/demo/state', HTTP_PORT: '8080' }

describe('what the demo says when it is ready', () => {
  test('names the page first, and the commands as they are typed', () => {
    expect(textOf(usual)).toMatch(/^The live page: http:\/\/127\.0\.0\.1:8080\/ - Ctrl-C stops all\.$/m)
    expect(
      textOf(usual)
        .split('\n')
        .filter((line) => line.startsWith('  ')),
    ).toEqual([
      `  cd ${root}`,
      '  export KAFKA_BROKERS=localhost:39092 STATE_DIR=/tmp/demo/state',
      '  HTTP_PORT=0 bin/login-stats run',
      '  bin/login-stats table --least 3',
      '  bin/login-stats dlq list --summary',
      '  bin/login-stats verify',
    ])
  })

  test('has the command for a second instance that the README has, and says which to end first', () => {
    const text = textOf(usual)
    const command = 'HTTP_PORT=0 bin/login-stats run'
    expect(text).toContain(`  ${command}\n`)
    expect(text).toContain('End it before this')
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(`    ${command}\n`)
  })

  test('hands on every setting of the demo, as a shell reads it', () => {
    const text = textOf({
      ...usual,
      DIMENSIONS: "locale,o'clock zone",
      APP_ID: 'mine',
      ENRICHED_TOPIC: 'more',
    })
    expect(text).toContain(String.raw`DIMENSIONS='locale,o'\''clock zone'`)
    expect(text).toMatch(/ APP_ID=mine .*ENRICHED_TOPIC=more/)
  })

  test('prints no secret, and says which are needed', () => {
    const secured = {
      ...usual,
      ...{ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'me' },
      KAFKA_SASL_PASSWORD: 'canary',
    }
    const text = textOf(secured)
    expect(text).not.toContain('canary')
    expect(text).toContain('It needs KAFKA_SASL_PASSWORD too.')
    expect(text).toContain('KAFKA_SASL_USERNAME=me')
  })

  test('where it was started elsewhere, the program is named by its whole path', () => {
    expect(textOf(usual, `${root}/docs`)).toContain(`  HTTP_PORT=0 ${root}/bin/login-stats run`)
  })
})

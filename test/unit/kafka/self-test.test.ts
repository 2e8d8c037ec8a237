import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { assertPinnedKafkajs } from '../../../src/kafka/self-test.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kafkajs-'))
  const installed = dirname(createRequire(import.meta.url).resolve('kafkajs/package.json'))
  cpSync(installed, folder, { recursive: true })
})

afterEach(() => rmSync(folder, { recursive: true }))

test('passes for the installed kafkajs, and for a copy of it', () => {
  assertPinnedKafkajs()
  assertPinnedKafkajs(folder)
})

test.each([
  ['src/network/connection.js', 'src/network/connection.js'],
  ['src/network/requestQueue/index.js', 'src/network/requestQueue'],
  ['src/protocol/requests/joinGroup/v5/response.js', 'src/protocol/requests/joinGroup'],
])('a changed %s is refused by name', (file, named) => {
  appendFileSync(join(folder, file), '\n')
  expect(() => assertPinnedKafkajs(folder)).toThrow(
    expect.objectContaining({
      code: 'KAFKAJS_CHANGED',
      details: expect.objectContaining({ path: join(folder, named) }),
    }),
  )
})

test('a missing file is refused by name', () => {
  rmSync(join(folder, 'src/broker/index.js'))
  expect(() => assertPinnedKafkajs(folder)).toThrow(join(folder, 'src/broker/index.js'))
})

test('an added file is refused: it may be what a request is read with', () => {
  writeFileSync(join(folder, 'src/protocol/requests/endTxn/v9.js'), '')
  expect(() => assertPinnedKafkajs(folder)).toThrow('endTxn')
})

test('another version is refused', () => {
  writeFileSync(join(folder, 'package.json'), '{"version":"2.2.5"}')
  expect(() => assertPinnedKafkajs(folder)).toThrow('2.2.5')
})

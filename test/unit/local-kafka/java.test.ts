import { afterEach, expect, test, vi } from 'vitest'
import { findJava, majorVersion } from '../../../src/local-kafka/java.ts'

afterEach(() => vi.unstubAllEnvs())

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "21" 2023-09-19 LTS', 21],
  ['java version "1.8.0_391"', 8],
  ['something else', null],
])('the Java version of %s is %s', (output, version) => {
  expect(majorVersion(output)).toBe(version)
})

test('a Java that is not there is missing, with a reason', async () => {
  vi.stubEnv('JAVA_HOME', '/nowhere')
  expect(await findJava()).toEqual({ missing: expect.stringContaining('/nowhere/bin/java') })
})

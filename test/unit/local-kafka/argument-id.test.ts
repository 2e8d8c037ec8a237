import { expect, test } from 'vitest'
import { argumentId } from '../../../src/local-kafka/argument-id.ts'

test('an identifier for a command line never begins with a dash', () => {
  const ids = ['-one', '--two', 'three-']
  expect(argumentId(() => ids.shift() ?? '')).toBe('three-')
})

import { describe, expect, test } from 'vitest'
import { counted, number } from '../../../src/login-stats/format.ts'

describe('numbers for people', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [1_234_567, '1,234,567'],
    [2.5, '3'],
  ])('%d is %s', (value, text) => {
    expect(number(value)).toBe(text)
  })

  test.each([
    [0, '0 records'],
    [1, '1 record'],
    [2, '2 records'],
    [1_234, '1,234 records'],
  ])('%d of them are %s', (value, text) => {
    expect(counted(value, 'record')).toBe(text)
  })

  test('a plural may be another word', () => {
    expect([counted(1, 'entry', 'entries'), counted(2, 'entry', 'entries')]).toEqual(['1 entry', '2 entries'])
  })
})

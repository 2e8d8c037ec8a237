import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quantile, spreadOf } from '../../../bench/measure/statistics.ts'

describe('spreadOf', () => {
  it('gives the middle and the ends', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, runs: 3 })
  })

  it('takes the mean of the two in the middle where the number is even', () => {
    expect(spreadOf([1, 10, 2, 4])?.median).toBe(3)
  })

  it('is null where nothing was measured', () => {
    expect(spreadOf([])).toBeNull()
  })

  it('does not depend on the order, and keeps its median between the ends', () => {
    const measured = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1 })
    fc.assert(
      fc.property(measured, (values) => {
        const spread = spreadOf(values)
        expect(spreadOf(values.toReversed())).toEqual(spread)
        expect(spread?.median).toBeGreaterThanOrEqual(spread?.min ?? Number.NaN)
        expect(spread?.median).toBeLessThanOrEqual(spread?.max ?? Number.NaN)
      }),
    )
  })
})

describe('quantile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)

  it.each([
    [0.5, 50],
    [0.99, 99],
    [1, 100],
    [0.001, 1],
  ])('%d of 1 to 100 is %d', (q, expected) => {
    expect(quantile(hundred, q)).toBe(expected)
  })

  it('is one of the values, below which at most that share lies', () => {
    const measured = fc.array(fc.integer(), { minLength: 1 })
    fc.assert(
      fc.property(measured, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, q) => {
        const found = quantile(values, q)
        expect(values).toContain(found)
        expect(values.filter((value) => value <= found).length).toBeGreaterThanOrEqual(q * values.length)
        expect(values.filter((value) => value < found).length).toBeLessThan(q * values.length)
      }),
    )
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CountHistory, Course, chartSpan } from '../../../../src/login-stats/page/history.js'

const second = 1_000

describe('the history of counts', () => {
  test('gives the rate between one sample and the next', () => {
    const history = new CountHistory(60 * second, 2 * second)
    history.add('locale:RU', 100, 0)
    history.add('locale:RU', 120, 2 * second)
    history.add('locale:RU', 150, 5 * second)
    expect(history.points('locale:RU')).toEqual([
      [2, 5],
      [10, 10],
    ])
    expect(history.points('locale:US')).toEqual([[], []])
  })

  test('takes no sample too soon after another, so that an older answer that comes later does no harm', () => {
    const history = new CountHistory(60 * second, 2 * second)
    history.add('k', 100, 0)
    history.add('k', 90, 1 * second)
    history.add('k', 104, 2 * second)
    expect(history.points('k')).toEqual([[2], [2]])
  })

  test('starts over where the table has', () => {
    const history = new CountHistory(60 * second, 2 * second)
    history.add('k', 100, 0)
    history.add('k', 200, 2 * second)
    history.add('k', 5, 4 * second)
    history.add('k', 9, 6 * second)
    expect(history.points('k')).toEqual([[6], [2]])
  })

  test('starts over where the clock was put back', () => {
    const history = new CountHistory(60 * second, 2 * second)
    history.add('k', 100, 60 * second)
    history.add('k', 110, 10 * second)
    history.add('k', 120, 15 * second)
    expect(history.points('k')).toEqual([[15], [2]])
  })

  test('forgets keys that are no longer seen, and of the others what no chart shows', () => {
    const history = new CountHistory(10 * second, second)
    history.add('gone', 1, 0)
    for (let at = 0; at <= 100; at += 1) history.add('here', at, at * second)
    history.forget(100 * second)
    expect(history.points('gone')).toEqual([[], []])
    expect(history.points('here')[0]).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100])
  })

  test('the rates add up to the growth, and none is negative', () => {
    const growth = fc.array(fc.record({ more: fc.nat(1_000), pauseMs: fc.integer({ min: 1, max: 9_000 }) }))
    fc.assert(
      fc.property(growth, (steps) => {
        const history = new CountHistory(1e9, 2 * second)
        let [count, at] = [0, 0]
        history.add('k', count, at)
        for (const { more, pauseMs } of steps) {
          count += more
          at += pauseMs
          history.add('k', count, at)
        }
        const [times, rates] = history.points('k')
        const sum = rates.reduce<number>((all, rate, index) => {
          expect(rate).toBeGreaterThanOrEqual(0)
          return all + (rate ?? 0) * ((times[index] ?? 0) - (times[index - 1] ?? 0))
        }, 0)
        // All but what came after the last sample.
        expect(sum).toBeLessThanOrEqual(count + 1e-6)
        if (times.at(-1) === at / second) expect(sum).toBeCloseTo(count, 6)
      }),
    )
  })
})

describe('the course of a number', () => {
  test('has one gap where it was not known, however long', () => {
    const course = new Course(60 * second)
    course.add(5, 1 * second)
    course.add(null, 2 * second)
    course.add(null, 3 * second)
    course.add(7, 9 * second)
    expect(course.points()).toEqual([
      [1, 2, 9],
      [5, null, 7],
    ])
  })

  test('is kept for its span', () => {
    const course = new Course(10 * second)
    for (let at = 0; at <= 30; at += 5) course.add(at, at * second)
    expect(course.points()[0]).toEqual([20, 25, 30])
  })
})

test('a chart goes up to now, at least a minute and at most its span back', () => {
  const now = 1_000 * second
  expect(chartSpan(undefined, now, 300 * second)).toEqual([940, 1_000])
  expect(chartSpan(995, now, 300 * second)).toEqual([940, 1_000])
  expect(chartSpan(800, now, 300 * second)).toEqual([800, 1_000])
  expect(chartSpan(200, now, 300 * second)).toEqual([700, 1_000])
})

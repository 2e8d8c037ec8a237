import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { spreadEvenly } from '../../../../src/streams/rebalance/even-spread.ts'
import type { PlanTask } from '../../../../src/streams/rebalance/plan-types.ts'
import { isEven, tasksOf } from './clusters.ts'

interface NamedPlace {
  readonly name: number
  readonly threads: number
}

/** Tasks, places, and what each task costs at each place. */
function problems(maxTasks: number, maxPlaces: number, maxThreads: number) {
  return fc
    .record({
      counts: fc
        .array(fc.integer({ min: 1, max: maxTasks }), { minLength: 1, maxLength: 3 })
        .filter((counts) => counts.reduce((sum, count) => sum + count) <= maxTasks),
      weights: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 3, maxLength: 3 }),
      threads: fc.array(fc.integer({ min: 1, max: maxThreads }), { minLength: 1, maxLength: maxPlaces }),
      elsewhere: fc.integer({ min: 0, max: 6 }),
    })
    .chain(({ counts, weights, threads, elsewhere }) => {
      const tasks = tasksOf(counts, weights)
      const places = threads.map((count, name): NamedPlace => ({ name, threads: count }))
      const price = fc.integer({ min: 0, max: elsewhere })
      const prices = fc.array(fc.array(price, { minLength: places.length, maxLength: places.length }), {
        minLength: tasks.length,
        maxLength: tasks.length,
      })
      return prices.map((rows) => ({ tasks, places, elsewhere, rows }))
    })
}

function cheapestOfAll(
  tasks: readonly PlanTask[],
  places: readonly NamedPlace[],
  priceOf: (task: number, place: number) => number,
): number {
  let cheapest = Number.POSITIVE_INFINITY
  const chosen: number[] = []
  const go = (cost: number): void => {
    if (cost >= cheapest) return
    if (chosen.length === tasks.length) {
      const loads = places.map((place) => ({
        threads: place.threads,
        tasks: tasks.filter((_, task) => chosen[task] === place.name),
      }))
      if (isEven(tasks, loads)) cheapest = cost
      return
    }
    for (const { name } of places) {
      const price = priceOf(chosen.length, name)
      chosen.push(name)
      go(cost + price)
      chosen.pop()
    }
  }
  go(0)
  return cheapest
}

describe('spreadEvenly', () => {
  test('gives each place its share of each subtopology, of each weight and of all, rounded down or up', () => {
    fc.assert(
      fc.property(problems(30, 6, 4), ({ tasks, places, elsewhere, rows }) => {
        const spread = spreadEvenly(tasks, places, (task) => ({
          elsewhere,
          at: new Map(places.map((place) => [place, rows[tasks.indexOf(task)]?.[place.name] ?? 0])),
        }))
        const loads = places.map((place) => ({ threads: place.threads, tasks: spread.get(place) ?? [] }))
        const given = loads.flatMap((load) => load.tasks.map(({ id }) => id))
        expect(given.toSorted()).toEqual(tasks.map(({ id }) => id).toSorted())
        expect(isEven(tasks, loads)).toBe(true)
      }),
    )
  })

  test('lets no two threads differ by more than the weight of the heaviest task', () => {
    fc.assert(
      fc.property(problems(30, 6, 1), ({ tasks, places }) => {
        const spread = spreadEvenly(tasks, places, () => ({ elsewhere: 0, at: new Map() }))
        const loads = [...spread.values()].map((mine) => mine.reduce((sum, { weight }) => sum + weight, 0))
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(
          Math.max(...tasks.map(({ weight }) => weight)),
        )
      }),
    )
  })

  test('costs what the cheapest of all even spreads costs', () => {
    fc.assert(
      fc.property(problems(6, 4, 2), ({ tasks, places, elsewhere, rows }) => {
        // A price of elsewhere may be said or not.
        const priceOf = (task: number, place: number): number => rows[task]?.[place] ?? elsewhere
        const spread = spreadEvenly(tasks, places, (task) => ({
          elsewhere,
          at: new Map(
            places
              .map((place): [NamedPlace, number] => [place, priceOf(tasks.indexOf(task), place.name)])
              .filter(([{ name }, price]) => price < elsewhere || name === 0),
          ),
        }))
        const cost = places.reduce(
          (sum, place) =>
            (spread.get(place) ?? []).reduce(
              (soFar, task) => soFar + priceOf(tasks.indexOf(task), place.name),
              sum,
            ),
          0,
        )
        expect(cost).toBe(cheapestOfAll(tasks, places, priceOf))
      }),
    )
  })

  test('spreads tasks over processes first, then over their threads', () => {
    const places = [{ threads: 4 }, { threads: 4 }]
    const spread = spreadEvenly(tasksOf([4, 4]), places, () => ({ elsewhere: 0, at: new Map() }))
    for (const mine of spread.values()) {
      expect(mine.filter(({ subtopology }) => subtopology === 0)).toHaveLength(2)
      expect(mine.filter(({ subtopology }) => subtopology === 1)).toHaveLength(2)
    }
  })
})

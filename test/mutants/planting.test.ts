import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { controls, mutants } from './mutants.ts'
import { mutated, pathOf } from './planting.ts'
import { shownOnABroker } from './shown-on-a-broker.ts'

const all = [...mutants, ...controls]

test('every planted fault has a name of its own', () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
})

test('every planted fault is looked for: by the simulator, or on a broker', () => {
  const missed = mutants.filter(({ name, seeds = [] }) => seeds.length === 0 && !shownOnABroker.has(name))
  expect(missed.map(({ name }) => name)).toEqual([])
  const names = new Set(mutants.map(({ name }) => name))
  expect([...shownOnABroker.keys()].filter((name) => !names.has(name))).toEqual([])
})

describe('the original text of a planted fault stands exactly once in its file', () => {
  test.each(all.map((mutant) => [mutant.name, mutant] as const))('%s', (_, mutant) => {
    for (const { file } of mutant.edits) {
      const text = readFileSync(pathOf(file), 'utf8')
      expect(mutated(mutant, file, text)).not.toBe(text)
    }
  })
})

test('a text that is not there, or there twice, is refused', () => {
  const edits = [{ file: 'a.ts', original: 'x', mutated: 'y' }]
  expect(() => mutated({ name: 'm', edits }, 'a.ts', 'abc')).toThrow('0 times')
  expect(() => mutated({ name: 'm', edits }, 'a.ts', 'xx')).toThrow('2 times')
  expect(mutated({ name: 'm', edits }, 'a.ts', 'axc')).toBe('ayc')
  expect(mutated({ name: 'm', edits }, 'b.ts', 'xx')).toBe('xx')
})

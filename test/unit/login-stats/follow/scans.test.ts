import { expect, test } from 'vitest'
import { Scans } from '../../../../src/login-stats/follow/scans.ts'

const limits = { scans: 2, waitingScans: 2 }

/** Scans that end when they are told to, by question. */
function scripted() {
  const scans = new Scans(limits)
  const begun = new Map<string, PromiseWithResolvers<string>>()
  const ask = (question: string): Promise<string> =>
    scans.run(question, () => {
      const scan = Promise.withResolvers<string>()
      begun.set(question, scan)
      return scan.promise
    })
  return { ask, begun }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('begin in the order in which they were asked for, as many at once as may be; further ones are refused', async () => {
  const { ask, begun } = scripted()
  const answers = ['a', 'b', 'c', 'd'].map(ask)
  await expect(ask('e')).rejects.toMatchObject({ code: 'TABLE_BUSY', behaviour: 'retry' })
  expect([...begun.keys()]).toEqual(['a', 'b'])
  begun.get('b')?.resolve('of b')
  await turn()
  expect([...begun.keys()]).toEqual(['a', 'b', 'c'])
  // There is a place again.
  answers.push(ask('e'))
  for (const question of ['a', 'c', 'd', 'e']) {
    await turn()
    begun.get(question)?.resolve(`of ${question}`)
  }
  expect(await Promise.all(answers)).toEqual(['of a', 'of b', 'of c', 'of d', 'of e'])
})

test('equal questions share one that is under way or waits, and the next one afterwards begins anew', async () => {
  const { ask, begun } = scripted()
  const first = ask('a')
  const others = [ask('b'), ask('c'), ask('d'), ask('a'), ask('d')]
  begun.get('a')?.resolve('first')
  expect([await first, await others[3]]).toEqual(['first', 'first'])
  await turn()
  const second = ask('a')
  for (const question of ['b', 'c', 'd', 'a']) {
    await turn()
    begun.get(question)?.resolve('second')
  }
  expect(await Promise.all([second, others[2], others[4]])).toEqual(['second', 'second', 'second'])
})

test('one that fails tells so to all who share it, and gives its place to the next', async () => {
  const { ask, begun } = scripted()
  const failing = [ask('a'), ask('a')]
  const waiting = [ask('b'), ask('c')]
  begun.get('a')?.reject(new Error('the disk'))
  for (const each of failing) await expect(each).rejects.toThrow('the disk')
  await turn()
  begun.get('b')?.resolve('b')
  begun.get('c')?.resolve('c')
  expect(await Promise.all(waiting)).toEqual(['b', 'c'])
  const again = ask('a')
  begun.get('a')?.resolve('a')
  expect(await again).toBe('a')
})
